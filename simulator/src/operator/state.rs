//! What stands behind the operator's lock.

use std::io;

use super::memory::Memory;
use crate::answer::StatusOf;
use crate::fate::{Fate, Outcome};
use crate::fault::Fault;
use crate::journal::{Frame, Journal, Mark};
use crate::receipt;
use crate::store::Entry;

/// After so long `/statuses` no longer knows an id: 24 hours.
const STATUS_LIFE_MS: i64 = 86_400_000;
/// `8` (reached the operator) comes after this share of the way to the final status.
const INTERMEDIATE_SHARE: i64 = 3;

pub(super) struct State {
    pub(super) journal: Journal,
    pub(super) memory: Memory,
}

/// The faults that a call has met.
#[derive(Clone, Copy, Default)]
pub(super) struct Met<'a> {
    pub(super) fault: Option<Fault>,
    /// Of its elements, by their place.
    pub(super) marks: &'a [(usize, Mark)],
}

impl State {
    pub(super) fn mid_of(&self, number: u64) -> i64 {
        self.journal.base().saturating_add_unsigned(number)
    }

    /// Writes the call down under the next number.
    pub(super) fn record(&mut self, at_ms: i64, frame: &Frame<'_>, met: Met<'_>) -> io::Result<u64> {
        let Met { fault, marks } = met;
        let memory = &mut self.memory;
        if fault.is_none() && marks.is_empty() {
            self.journal.append(at_ms, memory.call + 1, frame)?;
        } else {
            self.journal.append(at_ms, memory.call + 1, &Frame::Faulted { fault, marks, frame })?;
            memory.stats.count_faults(fault, marks.iter().map(|(_, mark)| mark.fault));
        }
        memory.call += 1;
        memory.stats.calls += 1;
        Ok(memory.call)
    }

    /// What `/statuses` answers for these ids.
    pub(super) fn statuses(&self, mids: &[i64], now: i64) -> Vec<StatusOf> {
        let all = mids.iter().map(|mid| self.status(*mid, now));
        if !self.memory.has_marks() {
            return all.collect();
        }
        let mark = |mid| self.number(mid).and_then(|number| self.memory.mark_of(number));
        let said = |of: StatusOf| mark(of.mid).map_or(vec![of], |mark| receipt::polled(of, mark, now));
        all.flat_map(said).collect()
    }

    fn number(&self, mid: i64) -> Option<u64> {
        mid.checked_sub(self.journal.base()).and_then(|number| u64::try_from(number).ok())
    }

    fn status(&self, mid: i64, now: i64) -> StatusOf {
        let entry = self.number(mid).and_then(|number| self.memory.store.get(number));
        let Some(Entry { at_ms, fate: Fate::Accepted { outcome, delay_ms }, .. }) = entry else {
            return StatusOf { mid, status: -1, at_ms: None };
        };
        let delay = i64::from(delay_ms);
        let reached = at_ms + delay / INTERMEDIATE_SHARE;
        if now - at_ms > STATUS_LIFE_MS {
            StatusOf { mid, status: -1, at_ms: None }
        } else if now >= at_ms + delay {
            StatusOf { mid, status: outcome.status(), at_ms: Some(at_ms + delay) }
        } else if now >= reached && outcome != Outcome::NotReached {
            StatusOf { mid, status: 8, at_ms: Some(reached) }
        } else {
            StatusOf { mid, status: 0, at_ms: Some(at_ms) }
        }
    }
}
