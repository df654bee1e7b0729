//! What may be sent now: accounts take turns, chunk by chunk, so that one large campaign does
//! not hold up the others.

use domain::bits::Bits;
use domain::id::ChunkId;
use std::collections::{HashMap, VecDeque};

/// Messages of chunks, by account.
#[derive(Debug, Default)]
pub(super) struct Ready {
    accounts: HashMap<i64, VecDeque<(ChunkId, Bits)>>,
    /// The accounts that have something, in the order of their turns.
    turns: VecDeque<i64>,
    /// What the operator had no room for: it goes before everything else, in the order in which
    /// it became ready again.
    patient: VecDeque<(i64, ChunkId, Bits)>,
}

impl Ready {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty() && self.patient.is_empty()
    }

    /// Messages that are ready.
    pub(super) fn messages(&self) -> usize {
        let patient = self.patient.iter().map(|(_, _, messages)| messages.len());
        let others = self.accounts.values().flatten().map(|(_, messages)| messages.len());
        patient.chain(others).sum()
    }

    /// Behind what the account has already.
    pub(super) fn push(&mut self, account: i64, chunk: ChunkId, messages: Bits) {
        let queue = self.accounts.entry(account).or_default();
        if queue.is_empty() {
            self.turns.push_back(account);
        }
        queue.push_back((chunk, messages));
    }

    /// Before everything else, behind what came so before it.
    pub(super) fn push_patient(&mut self, account: i64, chunk: ChunkId, messages: Bits) {
        self.patient.push_back((account, chunk, messages));
    }

    /// The next chunk; its account's next turn comes after the others'.
    pub(super) fn pop(&mut self) -> Option<(i64, ChunkId, Bits)> {
        if let Some(first) = self.patient.pop_front() {
            return Some(first);
        }
        let account = self.turns.pop_front()?;
        let queue = self.accounts.get_mut(&account)?;
        let (chunk, messages) = queue.pop_front()?;
        if queue.is_empty() {
            self.accounts.remove(&account);
        } else {
            self.turns.push_back(account);
        }
        Some((account, chunk, messages))
    }

    /// Gives the rest of what was taken back: it is next again.
    pub(super) fn put_back(&mut self, account: i64, chunk: ChunkId, messages: Bits) {
        let queue = self.accounts.entry(account).or_default();
        if queue.is_empty() {
            self.turns.push_front(account);
        } else {
            self.turns.retain(|turn| *turn != account);
            self.turns.push_front(account);
        }
        queue.push_front((chunk, messages));
    }

    /// Takes out what `over` says of a chunk, up to `most` messages.
    pub(super) fn take_out(&mut self, most: usize, over: impl Fn(ChunkId) -> bool) -> Vec<(ChunkId, Bits)> {
        let (mut taken, mut left) = (Vec::new(), most);
        let mut stays = |chunk: ChunkId, messages: &mut Bits| {
            if left == 0 || !over(chunk) {
                return true;
            }
            let now: Bits = messages.iter().take(left).collect();
            left -= now.len();
            *messages = messages.minus(now);
            taken.push((chunk, now));
            !messages.is_empty()
        };
        self.patient.retain_mut(|(_, chunk, messages)| stays(*chunk, messages));
        for queue in self.accounts.values_mut() {
            queue.retain_mut(|(chunk, messages)| stays(*chunk, messages));
        }
        self.accounts.retain(|_, queue| !queue.is_empty());
        self.turns.retain(|account| self.accounts.contains_key(account));
        taken
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(number: i64) -> ChunkId {
        ChunkId::new((number + 1) << 30).unwrap()
    }

    fn chunks(ready: &mut Ready) -> Vec<i64> {
        std::iter::from_fn(|| ready.pop()).map(|(_, chunk, _)| (chunk.get() >> 30) - 1).collect()
    }

    #[test]
    fn accounts_take_turns() {
        let mut ready = Ready::default();
        for (account, chunk) in [(1, 0), (1, 1), (1, 2), (2, 3), (3, 4), (2, 5)] {
            ready.push(account, id(chunk), Bits::prefix(1));
        }
        assert_eq!(ready.messages(), 6);
        assert_eq!(chunks(&mut ready), [0, 3, 4, 1, 5, 2]);
        assert!(ready.is_empty());
    }

    #[test]
    fn what_is_put_back_is_next() {
        let mut ready = Ready::default();
        for (account, chunk) in [(1, 0), (1, 1), (2, 2)] {
            ready.push(account, id(chunk), Bits::prefix(2));
        }
        let (account, chunk, _) = ready.pop().unwrap();
        ready.put_back(account, chunk, Bits::prefix(1));
        assert_eq!(ready.pop(), Some((1, id(0), Bits::prefix(1))));
        assert_eq!(chunks(&mut ready), [2, 1]);
    }

    #[test]
    fn what_had_no_room_goes_first_in_its_order() {
        let mut ready = Ready::default();
        for (account, chunk) in [(1, 0), (2, 1)] {
            ready.push(account, id(chunk), Bits::prefix(1));
        }
        for (account, chunk) in [(3, 2), (1, 3), (1, 4)] {
            ready.push_patient(account, id(chunk), Bits::prefix(1));
        }
        assert_eq!(ready.messages(), 5);
        assert_eq!(ready.take_out(1, |chunk| chunk == id(3)).len(), 1);
        assert_eq!(chunks(&mut ready), [2, 4, 0, 1]);
        assert!(ready.is_empty());
    }

    #[test]
    fn what_is_over_is_taken_out_wherever_it_stands() {
        let mut ready = Ready::default();
        for (account, chunk) in [(1, 0), (1, 1), (2, 2)] {
            ready.push(account, id(chunk), Bits::prefix(2));
        }
        let over = |chunk| chunk != id(0);
        assert_eq!(ready.take_out(3, over).iter().map(|(_, bits)| bits.len()).sum::<usize>(), 3);
        assert_eq!(ready.take_out(3, over).iter().map(|(_, bits)| bits.len()).sum::<usize>(), 1);
        assert_eq!(chunks(&mut ready), [0]);
    }
}
