//! What messages wait for, and what follows when their time has come.

use super::{Desk, Leaving, Now};
use crate::deferred::Why;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use std::collections::BTreeMap;

/// Messages that wait, by due time and number. A message may have left a place in here: what
/// it waits for is what the message itself says.
pub(super) type Waiting = BTreeMap<(i64, u64), (ChunkId, u8)>;

/// What a message waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait {
    /// Until when, by the clock that never goes back, in milliseconds.
    pub(crate) at: i64,
    /// For what.
    pub(crate) why: Why,
    /// The operator's code that made it wait, zero where there is none.
    pub(crate) code: i16,
}

impl Desk {
    /// Makes what is to be retried at `now`, and what is over, ready. Chunks from the table
    /// wait until `not_before`, where there is such a time: so they leave memory again.
    pub(crate) fn retry_due(&mut self, now: Now, not_before: Option<i64>) {
        let mut later = Vec::new();
        while let Some((id, position)) = next_due(&mut self.retries, now.boot) {
            let is_retry = |why| why != Why::LookUp;
            let Some((wait, account, send_by)) = self.over_waiting(id, position, now.boot, is_retry) else {
                continue;
            };
            let postponed = not_before.filter(|_| now.unix < send_by && self.is_from_table(id));
            if let Some(at) = postponed {
                // What waited for the morning waits for the route now.
                let why = if wait.why == Why::Quiet { Why::Retry } else { wait.why };
                later.push((id, position, Wait { at, why, ..wait }));
                continue;
            }
            let message = [position].into_iter().collect();
            match wait.why {
                Why::Patience => self.ready.push_patient(account, id, message),
                _ => self.ready.push(account, id, message),
            }
        }
        for (id, position, wait) in later {
            self.wait(id, position, wait);
        }
    }

    /// A message about which the operator is to be asked at `now`.
    pub(crate) fn next_look_up(&mut self, now: i64) -> Option<Leaving> {
        while let Some((id, position)) = next_due(&mut self.look_ups, now) {
            if self.over_waiting(id, position, now, |why| why == Why::LookUp).is_some() {
                self.will_write(id);
                let work = self.flights.get(&id).and_then(|flight| flight.work.as_ref());
                return work.map(|work| work.as_it_is(position));
            }
        }
        None
    }

    /// A message waits.
    pub(crate) fn wait(&mut self, chunk: ChunkId, position: u8, wait: Wait) {
        let work = self.flights.get_mut(&chunk).and_then(|flight| flight.work.as_mut());
        let Some(message) = work.and_then(|work| work.message_mut(position)) else { return };
        message.waits = Some(wait);
        self.waits += 1;
        let waiting = if wait.why == Why::LookUp { &mut self.look_ups } else { &mut self.retries };
        waiting.insert((wait.at, self.waits), (chunk, position));
    }

    /// Something will be written about a chunk: a successor must read it, as long as the row
    /// or the frontier does not say the same.
    pub(super) fn will_write(&mut self, id: ChunkId) {
        if let Some(flight) = self.flights.get_mut(&id) {
            flight.first_record.get_or_insert(self.attempts_end);
        }
    }

    /// What a message waited for, whose it is and its `send_by`, when that is over; nothing where
    /// it was a place that it left before.
    fn over_waiting(
        &mut self,
        id: ChunkId,
        position: u8,
        now: i64,
        why: impl Fn(Why) -> bool,
    ) -> Option<(Wait, i64, UnixMillis)> {
        let work = self.flights.get_mut(&id)?.work.as_mut()?;
        let (open, account, send_by) = (work.open.contains(position), work.chunk.account, work.send_by());
        let message = work.message_mut(position)?;
        let over = message.waits.take_if(|wait| open && wait.at <= now && why(wait.why))?;
        Some((over, account, send_by))
    }

    /// Counts a try in vain, unless the operator only asked for patience. Returns attempts and
    /// tries, and the message's `send_by`.
    pub(crate) fn count_try(
        &mut self,
        chunk: ChunkId,
        position: u8,
        counts: bool,
    ) -> Option<(u8, u8, UnixMillis)> {
        let work = self.flights.get_mut(&chunk)?.work.as_mut()?;
        let send_by = work.send_by();
        let message = work.message_mut(position)?;
        message.tries = message.tries.saturating_add(u8::from(counts));
        Some((message.attempt, message.tries, send_by))
    }

    /// Counts a question in vain. Returns how many there were.
    pub(crate) fn count_question(&mut self, chunk: ChunkId, position: u8) -> Option<u8> {
        let message = self.flights.get_mut(&chunk)?.work.as_mut()?.message_mut(position)?;
        message.questions = message.questions.saturating_add(1);
        Some(message.questions)
    }
}

/// The first that is due at `now`, which waits no longer.
fn next_due(waiting: &mut Waiting, now: i64) -> Option<(ChunkId, u8)> {
    let first = waiting.first_entry().filter(|first| first.key().0 <= now)?;
    Some(first.remove())
}
