//! The contiguous frontier: work finishes in any order, positions only move over what is
//! done without a gap.

use std::collections::VecDeque;

/// The offsets of one partition between the stored position and the newest read.
#[derive(Debug)]
pub struct Frontier {
    next: i64,
    /// Offsets read and not yet below the frontier, rising, with whether each is done.
    open: VecDeque<(i64, bool)>,
}

/// A use of the frontier that would break its promise; it changes nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrontierMisuse {
    /// Offsets are opened rising.
    #[error("offset {0} was opened after a higher one")]
    NotRising(i64),
    /// Only an open offset can be done, and once.
    #[error("offset {0} is not open")]
    NotOpen(i64),
}

impl Frontier {
    /// A frontier at the stored position: everything below `next` is done.
    pub fn new(next: i64) -> Self {
        Frontier { next, open: VecDeque::new() }
    }

    /// The position to store: everything below it is done.
    pub fn next(&self) -> i64 {
        self.open.front().map_or(self.next, |(offset, _)| *offset)
    }

    /// How many offsets lie between the frontier and the newest read.
    pub fn width(&self) -> usize {
        self.open.len()
    }

    /// Takes in an offset that was read.
    pub fn open(&mut self, offset: i64) -> Result<(), FrontierMisuse> {
        if offset < self.next {
            return Err(FrontierMisuse::NotRising(offset));
        }
        self.open.push_back((offset, false));
        self.next = offset + 1;
        Ok(())
    }

    /// An open offset is done with. Returns the position to store now.
    pub fn done(&mut self, offset: i64) -> Result<i64, FrontierMisuse> {
        let position = self.open.binary_search_by_key(&offset, |(open, _)| *open);
        let entry = position.ok().and_then(|position| self.open.get_mut(position));
        match entry {
            Some((_, done)) if !*done => *done = true,
            _ => return Err(FrontierMisuse::NotOpen(offset)),
        }
        while self.open.front().is_some_and(|(_, done)| *done) {
            self.open.pop_front();
        }
        Ok(self.next())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the order in which work finishes, the frontier is the lowest offset that
        /// is not done, and ends behind the last.
        #[test]
        fn contiguous_whatever_the_order(gaps in prop::collection::vec(1i64..4, 1..60), order: Vec<prop::sample::Index>) {
            let mut frontier = Frontier::new(100);
            let mut offset = 99;
            let mut open: Vec<i64> = gaps.iter().map(|gap| { offset += gap; offset }).collect();
            let (first, last) = (open[0], offset);
            for offset in &open {
                frontier.open(*offset).unwrap();
            }
            prop_assert_eq!(frontier.next(), first);
            for pick in order {
                if open.is_empty() { break; }
                let done = open.remove(pick.index(open.len()));
                let next = frontier.done(done).unwrap();
                prop_assert_eq!(next, open.first().copied().unwrap_or(last + 1));
                prop_assert_eq!(frontier.done(done), Err(FrontierMisuse::NotOpen(done)));
            }
            for rest in open {
                frontier.done(rest).unwrap();
            }
            prop_assert_eq!((frontier.next(), frontier.width()), (last + 1, 0));
        }
    }

    #[test]
    fn misuse_is_named_and_changes_nothing() {
        let mut frontier = Frontier::new(5);
        assert_eq!(frontier.open(4), Err(FrontierMisuse::NotRising(4)));
        assert_eq!(frontier.done(5), Err(FrontierMisuse::NotOpen(5)));
        frontier.open(5).unwrap();
        assert_eq!(frontier.open(5), Err(FrontierMisuse::NotRising(5)));
        assert_eq!((frontier.next(), frontier.width()), (5, 1));
    }
}
