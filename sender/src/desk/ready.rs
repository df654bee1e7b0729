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
}

impl Ready {
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Chunks, counting one again for each time that messages of it became ready.
    pub(super) fn len(&self) -> usize {
        self.accounts.values().map(VecDeque::len).sum()
    }

    /// Behind what the account has already.
    pub(super) fn push(&mut self, account: i64, chunk: ChunkId, messages: Bits) {
        let queue = self.accounts.entry(account).or_default();
        if queue.is_empty() {
            self.turns.push_back(account);
        }
        queue.push_back((chunk, messages));
    }

    /// The next chunk; its account's next turn comes after the others'.
    pub(super) fn pop(&mut self) -> Option<(i64, ChunkId, Bits)> {
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
        for queue in self.accounts.values_mut() {
            queue.retain_mut(|(chunk, messages)| {
                if left == 0 || !over(*chunk) {
                    return true;
                }
                let now: Bits = messages.iter().take(left).collect();
                left -= now.len();
                *messages = messages.minus(now);
                taken.push((*chunk, now));
                !messages.is_empty()
            });
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
        assert_eq!(ready.len(), 6);
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
