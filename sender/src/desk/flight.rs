//! One chunk in hand.

use super::{Leaving, Paid};
use crate::scan::{Past, Stands};
use domain::bits::Bits;
use domain::time::UnixMillis;
use platform::kafka::budget::Charge;
use std::sync::Arc;
use wire::submitted::Chunk;

/// A chunk between its arrival and the frontier's passing it.
pub(super) struct Flight {
    /// Its offset in sms.billed.
    pub(super) offset: i64,
    /// No intent of this chunk lies below this offset of sms.attempts.
    pub(super) first_intent: Option<i64>,
    /// What is still to be done. Nothing is left of it when all is closed: the chunk then
    /// only waits for the frontier, because the point must not pass its intents before.
    pub(super) work: Option<Work>,
}

/// A chunk of which messages are open.
pub(super) struct Work {
    pub(super) chunk: Arc<Chunk>,
    pub(super) open: Bits,
    messages: Vec<Counts>,
    _charge: Charge,
}

/// The counters of one message.
#[derive(Clone, Copy, Default)]
struct Counts {
    /// The number of its last attempt.
    attempt: u8,
    /// How often it was tried in vain.
    tries: u8,
    /// How often the operator was asked about it in vain.
    questions: u8,
}

impl Flight {
    /// A chunk that arrives, with what a scan found of it.
    pub(super) fn new(offset: i64, paid: Paid, past: Option<&Past>) -> Self {
        let closed = past.map_or(Bits::EMPTY, |past| past.bits(Stands::Closed));
        let attempt = |position| past.map_or(0, |past| past.attempt(position));
        let messages = (0..=u8::MAX).zip(&paid.chunk.recipients);
        let messages =
            messages.map(|(position, _)| Counts { attempt: attempt(position), ..Counts::default() });
        let work = Work {
            messages: messages.collect(),
            open: Bits::prefix(usize::from(paid.paid)).minus(closed),
            chunk: paid.chunk,
            _charge: paid.charge,
        };
        Flight { offset, first_intent: past.map(|past| past.first_intent), work: Some(work) }
    }
}

impl Work {
    /// The message as it leaves for a new attempt, which is counted.
    pub(super) fn attempt(&mut self, position: u8) -> Leaving {
        let counts = self.messages.get_mut(usize::from(position));
        let attempt = counts.map_or(1, |counts| {
            counts.attempt = counts.attempt.saturating_add(1);
            counts.attempt
        });
        Leaving { chunk: Arc::clone(&self.chunk), position, attempt }
    }

    /// The message as it leaves with its last attempt.
    pub(super) fn as_it_is(&self, position: u8) -> Leaving {
        let attempt = self.messages.get(usize::from(position)).map_or(1, |counts| counts.attempt.max(1));
        Leaving { chunk: Arc::clone(&self.chunk), position, attempt }
    }

    /// Counts a try in vain. Returns how many there were, and the chunk's `send_by`.
    pub(super) fn count_try(&mut self, position: u8) -> Option<(u8, UnixMillis)> {
        let counts = self.messages.get_mut(usize::from(position))?;
        counts.tries = counts.tries.saturating_add(1);
        Some((counts.tries, self.chunk.send_by))
    }

    /// Counts a question in vain. Returns how many there were.
    pub(super) fn count_question(&mut self, position: u8) -> Option<u8> {
        let counts = self.messages.get_mut(usize::from(position))?;
        counts.questions = counts.questions.saturating_add(1);
        Some(counts.questions)
    }
}
