//! What sending counts.

use domain::lane::Lane;
use domain::outcome::Outcome;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

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
