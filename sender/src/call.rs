//! One call to an operator: intent, last check, the bytes, outcome. And one look-up.

use crate::attempts::{Broken, Generation, Writer};
use crate::connector::Connector;
use crate::courtesy::{Courtesy, Refused, ask};
use crate::desk::Leaving;
use crate::gate::Signal;
use crate::magfa::{Class, LookUp, Magfa, Outgoing, Sent};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::outcome::Outcome;
use platform::ownership::{Lease, Standing, clock};
use platform::postgres::Pool;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use wire::attempt::{AttemptKind, IntentSlice, MessageOutcome, OutcomeSlice, SliceOf};

/// A hold that lapsed may be renewed: it is looked at so often.
const HELD_AGAIN: Duration = Duration::from_millis(100);

/// What a call is made under.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) lease: Lease,
    /// The producer with which the partition began.
    pub(crate) generation: Generation,
}

/// A lane's way to one operator: the gate, which all lanes share, and sockets of its own.
pub(crate) struct Link {
    pub(crate) connector: Arc<Connector>,
    pub(crate) magfa: Magfa,
}

/// What calls of one lane need.
pub(crate) struct Line {
    /// Where its messages go by.
    pub(crate) route: Link,
    /// The other configured connectors: what went by them before the routes were changed is
    /// looked up and polled there, and nowhere else.
    pub(crate) others: BTreeMap<String, Link>,
    pub(crate) standing: Arc<Standing>,
    /// What is asked before an intent, and where more is than is kept in memory.
    pub(crate) courtesy: Arc<Courtesy>,
    pub(crate) pool: Pool,
    /// When the operator was last heard of, for the sweep.
    pub(crate) heard: Arc<platform::heard::Heard>,
    pub(crate) writer: Arc<Writer>,
}

/// What became of one message.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) chunk: ChunkId,
    pub(crate) position: u8,
    pub(crate) outcome: Outcome,
    pub(crate) code: i16,
}

/// How a call, or a look-up, ended.
#[derive(Debug)]
pub(crate) enum Ended {
    /// Its outcomes are acknowledged; the last record is at this offset.
    Wrote {
        /// The offset.
        offset: i64,
        /// The outcomes.
        heard: Vec<Heard>,
    },
    /// The operator could not be asked.
    NoAnswer(Leaving),
    /// The operator, or the hold, was not ready for the question: it does not count.
    AskLater(Leaving),
    /// The hold on the partition was over before the bytes went out, or it was not known whether
    /// they may.
    NotHeld(Vec<Leaving>),
    /// The hold is over for good: whoever holds the partition sees to it.
    Over,
    /// The producer broke: the partition starts over.
    Broken,
}

/// What became of a message: outcome, the operator's code, its id there.
type Said<'a> = (&'a Leaving, (Outcome, i16, String));

/// Why no bytes went out.
enum NotMade {
    Broken(Broken),
    NotHeld,
}

impl Line {
    /// The way to the operator that a message went by: that of the route, or elsewhere. Nothing
    /// where it is not configured any more.
    pub(crate) fn link(&self, elsewhere: Option<&str>) -> Option<&Link> {
        match elsewhere.filter(|name| *name != self.route.connector.name) {
            None => Some(&self.route),
            Some(name) => self.others.get(name),
        }
    }

    /// The longest that a call of this lane may take, whoever made it.
    pub(crate) fn longest_call(&self) -> Duration {
        let others = self.others.values().map(|link| link.magfa.call_timeout());
        others.fold(self.route.magfa.call_timeout(), Duration::max)
    }

    /// Makes a call. What Postgres, where it is to be asked, says is not to be sent is left out of
    /// it and ends.
    pub(crate) async fn call(&self, hold: &Hold, messages: Vec<Leaving>, asks: bool) -> Ended {
        let connector = &self.route.connector;
        let refused = match if asks { ask(&self.pool, &messages).await } else { Ok(Refused::new()) } {
            Ok(refused) => refused,
            Err(error) => {
                tracing::warn!(%error, "it cannot be asked who opted out: a call waits");
                connector.unused();
                return Ended::NotHeld(messages);
            }
        };
        let why = |message: &Leaving| refused.get(&(message.chunk.id, message.position)).copied();
        let may_go: Vec<&Leaving> = messages.iter().filter(|message| why(message).is_none()).collect();
        let sent = match self.attempt(hold, &may_go).await {
            Ok(sent) => sent,
            Err(NotMade::Broken(error)) => return broken(&error),
            Err(NotMade::NotHeld) => return Ended::NotHeld(messages),
        };
        let refused = messages
            .iter()
            .filter_map(|message| Some((message, (Outcome::Refused(why(message)?), 0, String::new()))));
        self.write(hold, &connector.name, sent.into_iter().chain(refused).collect()).await
    }

    /// Intent, last check, and the bytes. Returns what became of each message.
    async fn attempt<'a>(&self, hold: &Hold, messages: &[&'a Leaving]) -> Result<Vec<Said<'a>>, NotMade> {
        let connector = &self.route.connector;
        if messages.is_empty() {
            connector.unused();
            return if hold.lease.holds() { Ok(Vec::new()) } else { Err(NotMade::NotHeld) };
        }
        let intent = AttemptKind::Intent { connector: connector.name.clone(), slices: intents(messages) };
        if let Err(error) = self.record(hold, intent).await {
            connector.unused();
            return Err(NotMade::Broken(error));
        }
        // The last check before what cannot be undone.
        if !hold.lease.holds() {
            connector.unused();
            return Err(NotMade::NotHeld);
        }
        // Kafka may have taken its time: what is late by now is not sent any more, and expires;
        // who opted out meanwhile is not written to.
        let now = self.standing.database_now();
        let (late, in_time): (Vec<_>, Vec<_>) = {
            let rules = self.courtesy.rules();
            let refused = |message: &Leaving| rules.refuse(&message.chunk, message.position);
            messages.iter().copied().partition(|message| message.chunk.send_by <= now || refused(message))
        };
        let outgoing: Vec<Outgoing<'_>> = in_time.iter().copied().filter_map(outgoing).collect();
        let sent = if outgoing.is_empty() {
            connector.unused();
            Vec::new()
        } else {
            let sent = self.route.magfa.send(&outgoing).await;
            connector.heard(signal(&sent));
            sent
        };
        let outcomes = in_time.into_iter().zip(sent.into_iter().map(outcome_of));
        let not_sent = late.into_iter().map(|message| (message, (Outcome::NotSent, 0, String::new())));
        Ok(outcomes.chain(not_sent).collect())
    }

    /// Writes closing outcomes that need no call, of messages that went by `connector`. They
    /// count for every later holder, so only the holder writes them; and nothing else follows
    /// for these messages, so a holder that is not one for a moment waits.
    pub(crate) async fn end(
        &self,
        hold: &Hold,
        connector: &str,
        messages: Vec<Leaving>,
        outcome: Outcome,
    ) -> Ended {
        while !hold.lease.holds() {
            if hold.lease.is_over() {
                return Ended::Over;
            }
            tokio::time::sleep(HELD_AGAIN).await;
        }
        let outcomes = messages.iter().map(|message| (message, (outcome, 0, String::new()))).collect();
        self.write(hold, connector, outcomes).await
    }

    /// Asks the operator that a message of unknown outcome went by what became of it.
    pub(crate) async fn look_up(&self, hold: &Hold, message: Leaving) -> Ended {
        let Some(link) = self.link(message.elsewhere.as_deref()) else { return Ended::AskLater(message) };
        let asked_at = clock::boot_ms();
        let found = link.magfa.look_up(message.chunk.id.message(message.position)).await;
        link.connector.heard_look_up(match &found {
            LookUp::Said(Class::Stop, code) => Signal::RefusesUs(*code),
            LookUp::Said(Class::Throttle, _) => Signal::TooMuch,
            LookUp::NoAnswer => Signal::NoAnswer,
            LookUp::Known(_) | LookUp::NeverSeen | LookUp::Said(..) => Signal::Answered,
        });
        let took_ms = clock::boot_ms() - asked_at;
        let outcome = match found {
            LookUp::Known(operator_id) => (Outcome::Taken, 0, operator_id),
            LookUp::NeverSeen if !link.connector.is_believed(took_ms) => return Ended::AskLater(message),
            LookUp::NeverSeen if link.connector.remembers(self.since_attempt(&message)) => {
                (Outcome::NotSent, 0, String::new())
            }
            // It may have forgotten it.
            LookUp::NeverSeen => (Outcome::LeftToReceipt, 0, String::new()),
            // The question was refused: that says nothing of the message.
            LookUp::Said(Class::Stop | Class::Throttle, _) => return Ended::AskLater(message),
            LookUp::Said(..) | LookUp::NoAnswer => return Ended::NoAnswer(message),
        };
        if !hold.lease.holds() {
            return Ended::AskLater(message);
        }
        self.write(hold, &link.connector.name, vec![(&message, outcome)]).await
    }

    /// How long ago it was attempted, in milliseconds. Where that is not known, it was not
    /// before it was made.
    fn since_attempt(&self, message: &Leaving) -> i64 {
        let attempted_at = message.attempted_at.max(message.chunk.created_at);
        self.standing.database_now().0.saturating_sub(attempted_at.0)
    }

    async fn record(&self, hold: &Hold, kind: AttemptKind) -> Result<i64, Broken> {
        self.writer.attempt(hold.generation, hold.lease.partition, hold.lease.epoch, kind).await
    }

    async fn write(&self, hold: &Hold, connector: &str, outcomes: Vec<Said<'_>>) -> Ended {
        let heard = outcomes
            .iter()
            .map(|(message, (outcome, code, _))| Heard {
                chunk: message.chunk.id,
                position: message.position,
                outcome: *outcome,
                code: *code,
            })
            .collect();
        let kind = AttemptKind::Outcomes { connector: connector.to_owned(), slices: slices(outcomes) };
        match self.record(hold, kind).await {
            Ok(offset) => Ended::Wrote { offset, heard },
            Err(error) => broken(&error),
        }
    }
}

fn broken(error: &Broken) -> Ended {
    tracing::error!(%error, "a record of sms.attempts was not acknowledged");
    Ended::Broken
}

fn outgoing(message: &Leaving) -> Option<Outgoing<'_>> {
    let index = usize::from(message.position);
    Some(Outgoing {
        id: message.chunk.id.message(message.position),
        recipient: *message.chunk.recipients.get(index)?,
        line: &message.chunk.line,
        text: &message.chunk.text(index)?.body,
    })
}

/// What a call says of the connector: the gravest of its answers.
fn signal(sent: &[Sent]) -> Signal {
    let said = |class| {
        sent.iter().find_map(|sent| match sent {
            Sent::Said(said, code) if *said == class => Some(*code),
            _ => None,
        })
    };
    if let Some(code) = said(Class::Stop) {
        return Signal::RefusesUs(code);
    }
    if said(Class::Throttle).is_some() {
        return Signal::TooMuch;
    }
    let unheard = |sent: &Sent| matches!(sent, Sent::Unreached | Sent::Unknown);
    if !sent.is_empty() && sent.iter().all(unheard) { Signal::NoAnswer } else { Signal::Answered }
}

fn outcome_of(sent: Sent) -> (Outcome, i16, String) {
    match sent {
        Sent::Taken(operator_id) => (Outcome::Taken, 0, operator_id),
        Sent::Said(Class::Final(why), code) => (Outcome::Refused(why), code, String::new()),
        Sent::Said(Class::Throttle | Class::Stop | Class::Defect, code) => {
            (Outcome::Retry, code, String::new())
        }
        Sent::Unreached => (Outcome::NotSent, 0, String::new()),
        Sent::Unknown => (Outcome::Unknown, 0, String::new()),
    }
}

fn of(message: &Leaving) -> SliceOf {
    SliceOf {
        account: message.chunk.account,
        chunk: message.chunk.id,
        chunk_size: u16::try_from(message.chunk.len()).unwrap_or(u16::MAX),
        part: 0,
        attempt: message.attempt,
    }
}

fn intents(messages: &[&Leaving]) -> Vec<IntentSlice> {
    let mut slices: BTreeMap<(ChunkId, u8), IntentSlice> = BTreeMap::new();
    for message in messages {
        let slice = slices
            .entry((message.chunk.id, message.attempt))
            .or_insert_with(|| IntentSlice { of: of(message), bits: Bits::EMPTY });
        slice.bits.insert(message.position);
    }
    slices.into_values().collect()
}

fn slices(outcomes: Vec<Said<'_>>) -> Vec<OutcomeSlice> {
    let mut slices: BTreeMap<(ChunkId, u8), OutcomeSlice> = BTreeMap::new();
    for (message, (outcome, code, operator_id)) in outcomes {
        let slice = slices
            .entry((message.chunk.id, message.attempt))
            .or_insert_with(|| OutcomeSlice { of: of(message), messages: Vec::new() });
        let position = message.position;
        slice.messages.push(MessageOutcome { position, outcome, code, operator_id });
    }
    slices.into_values().collect()
}
