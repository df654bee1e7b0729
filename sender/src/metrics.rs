//! What sending counts.

use domain::lane::Lane;
use domain::outcome::Outcome;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Why it is not known what became of messages that were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No answer in time.
    Timeout,
    /// The connection ended before the answer did.
    Lost,
    /// An HTTP status that says nothing of the messages.
    Status,
    /// An answer that cannot be read.
    Unreadable,
    /// An answer that does not have the message, or contradicts itself about it.
    Missing,
}

/// Messages of unknown outcome, of one lane and connector, by cause.
pub(crate) struct Unknowns([(Cause, Counter); 5]);

impl Unknowns {
    pub(crate) fn new(lane: Lane, connector: &str) -> Self {
        let counter = |(cause, word): (Cause, &'static str)| {
            let (lane, connector) = (lane.as_str(), connector.to_owned());
            let labels = [("lane", lane.to_owned()), ("connector", connector), ("cause", word.to_owned())];
            (cause, counter!("smshub_sender_unknown_total", &labels))
        };
        let causes = [
            (Cause::Timeout, "timeout"),
            (Cause::Lost, "connection_lost"),
            (Cause::Status, "http_status"),
            (Cause::Unreadable, "unreadable"),
            (Cause::Missing, "missing"),
        ];
        Unknowns(causes.map(counter))
    }

    /// So many messages more.
    pub(crate) fn count(&self, cause: Cause, messages: usize) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == cause) {
            counter.increment(u64::try_from(messages).unwrap_or(u64::MAX));
        }
        tracing::warn!(?cause, messages, "what became of messages that were sent is not known");
    }
}

/// The meters of one lane, made once.
pub(crate) struct Meters {
    outcomes: Vec<(Outcome, Counter)>,
    /// Calls to operators.
    pub(crate) calls: Counter,
    /// Messages in one call.
    pub(crate) call_messages: Histogram,
    /// Questions after unknown outcomes.
    pub(crate) look_ups: Counter,
    /// Records of sms.billed that answered what was answered before.
    pub(crate) repetitions: Counter,
    /// Chunks in the table `deferred`, and those of them with dead letters.
    pub(crate) deferred: Gauge,
    pub(crate) dead: Gauge,
    /// Producers discarded.
    pub(crate) producers_discarded: Counter,
}

impl Meters {
    pub(crate) fn new(lane: Lane) -> Self {
        let lane = lane.as_str();
        let outcome = |outcome: Outcome| {
            let word = outcome.as_str();
            (outcome, counter!("smshub_sender_outcomes_total", "lane" => lane, "outcome" => word))
        };
        Meters {
            outcomes: Outcome::ALL.into_iter().map(outcome).collect(),
            calls: counter!("smshub_sender_calls_total", "lane" => lane),
            call_messages: histogram!("smshub_sender_call_messages", "lane" => lane),
            look_ups: counter!("smshub_sender_look_ups_total", "lane" => lane),
            deferred: gauge!("smshub_sender_deferred_chunks", "lane" => lane),
            dead: gauge!("smshub_sender_dead_chunks", "lane" => lane),
            repetitions: counter!("smshub_sender_repetitions_total", "lane" => lane),
            producers_discarded: counter!("smshub_sender_producers_discarded_total", "lane" => lane),
        }
    }

    pub(crate) fn outcome(&self, outcome: Outcome) {
        if let Some((_, counter)) = self.outcomes.iter().find(|(known, _)| *known == outcome) {
            counter.increment(1);
        }
    }
}
