//! What may not be sent although it is ready: it ends here, or waits for the morning. Only
//! messages that nobody can have are looked at: those that are ready, and those that wait for
//! anything but an answer about their last attempt.

use super::{Desk, Leaving, Now, Wait};
use crate::courtesy::Rules;
use crate::deferred::Why;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::outcome::Refusal;

impl Desk {
    /// Those of these messages, which were ready, that may be sent now. The others end, or wait.
    pub(super) fn may_go(&mut self, id: ChunkId, messages: Bits, now: Now, rules: &Rules) -> Bits {
        let Some(work) = self.flights.get(&id).and_then(|flight| flight.work.as_ref()) else {
            return Bits::EMPTY;
        };
        let messages = messages.intersection(work.open);
        if now.unix >= work.send_by() {
            self.over.push((id, messages));
            return Bits::EMPTY;
        }
        if rules.is_canceled(work.chunk.campaign) {
            self.refused.push_back((id, messages, Refusal::Canceled));
            return Bits::EMPTY;
        }
        let opted_out = rules.opted_out(&work.chunk, messages);
        let left = messages.minus(opted_out);
        let quiet_until =
            rules.quiet_until(&work.chunk.line, now.unix).map(|until| until.min(work.send_by()));
        if !opted_out.is_empty() {
            self.refused.push_back((id, opted_out, Refusal::OptedOut));
        }
        let Some(until) = quiet_until else { return left };
        let at = now.boot.saturating_add(until.0 - now.unix.0);
        for position in left.iter() {
            self.wait(id, position, Wait { at, why: Why::Quiet, code: 0 });
        }
        Bits::EMPTY
    }

    /// Ends what is cancelled and lets wait what is quiet, wherever it stands: also where the
    /// connector takes nothing. Whose recipient opted out ends when its turn comes.
    pub(crate) fn mind(&mut self, now: Now, rules: &Rules) {
        if !rules.concern_chunks(now.unix) {
            return;
        }
        let flights = &self.flights;
        let concerned = |id: ChunkId| {
            let work = flights.get(&id).and_then(|flight| flight.work.as_ref());
            work.is_some_and(|work| {
                let quiet = || rules.quiet_until(&work.chunk.line, now.unix).is_some();
                now.unix < work.send_by() && (rules.is_canceled(work.chunk.campaign) || quiet())
            })
        };
        for (id, messages) in self.ready.take_out(usize::MAX, concerned) {
            self.may_go(id, messages, now, rules);
        }
        for (id, flight) in &mut self.flights {
            let Some(work) = flight.work.as_mut() else { continue };
            if rules.is_canceled(work.chunk.campaign) {
                let waiting = work.wait_no_longer();
                if !waiting.is_empty() {
                    self.refused.push_back((*id, waiting, Refusal::Canceled));
                }
            }
        }
    }

    /// Messages that are not to be sent, all for the same reason, at most `most`.
    pub(crate) fn refused(&mut self, most: usize) -> Option<(Refusal, Vec<Leaving>)> {
        let (_, _, why) = *self.refused.front()?;
        let mut leaving = Vec::new();
        while let Some((id, messages, _)) = self.refused.pop_front_if(|(_, _, other)| *other == why) {
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            let Some(work) = flight.work.as_ref() else { continue };
            flight.first_record.get_or_insert(self.attempts_end);
            let mut left = messages.intersection(work.open);
            for position in left.iter().take(most.saturating_sub(leaving.len())) {
                left.remove(position);
                leaving.push(work.as_it_is(position));
            }
            if !left.is_empty() {
                self.refused.push_front((id, left, why));
                break;
            }
        }
        Some((why, leaving))
    }
}
