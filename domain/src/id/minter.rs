//! Minting chunk ids: the pure part. Who may mint until when is decided by the lease on
//! the node number; this type only never repeats and never steps back.

use super::{ChunkId, EPOCH, NODES_MAX};
use crate::time::UnixMillis;

/// Why no ids could be minted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    /// The right to mint under this node number ends before the ids would.
    #[error("the lease on the node number ends before these ids")]
    LeaseEnds,
    /// The ids' clock is over, or the node number is none.
    #[error("no id can be built from this time or node")]
    OutOfRange,
}

/// Ids reserved for one call: `count` chunks from `first` on, as [`ChunkId::nth`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first chunk's id: also the id of the call.
    pub first: ChunkId,
    /// How many chunks the run has.
    pub count: u32,
}

impl Run {
    /// The ids of the run, in order.
    pub fn ids(self) -> impl Iterator<Item = ChunkId> {
        (0..self.count).filter_map(move |k| self.first.nth(k))
    }
}

/// Mints runs of chunk ids for one node.
#[derive(Debug)]
pub struct Minter {
    node: u8,
    /// The last id minted; `None` before the first.
    last: Option<ChunkId>,
    not_before: UnixMillis,
}

impl Minter {
    /// A minter for `node` that mints nothing before `not_before`: the time up to which an
    /// earlier holder of the number may have minted.
    pub fn new(node: u8, not_before: UnixMillis) -> Result<Self, MintError> {
        if node >= NODES_MAX {
            return Err(MintError::OutOfRange);
        }
        Ok(Minter { node, last: None, not_before })
    }

    /// Reserves the ids of a call of `count` chunks. A clock that stepped back is waited
    /// for at the last millisecond; no id lies beyond `until`, the end of the lease.
    pub fn reserve(&mut self, now: UnixMillis, count: u32, until: UnixMillis) -> Result<Run, MintError> {
        let now = now.max(self.not_before);
        let fresh = ChunkId::from_parts(now.0 - EPOCH.0, self.node, 0).ok_or(MintError::OutOfRange)?;
        let first = match self.last {
            Some(last) if last >= fresh => last.nth(1).ok_or(MintError::OutOfRange)?,
            _ => fresh,
        };
        let end = first.nth(count.saturating_sub(1)).ok_or(MintError::OutOfRange)?;
        if end.minted_at() > until {
            return Err(MintError::LeaseEnds);
        }
        self.last = Some(end);
        Ok(Run { first, count })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const START: UnixMillis = UnixMillis(EPOCH.0 + 1_000_000);

    proptest! {
        /// Whatever the clock does, ids rise and never repeat, and stay within the lease.
        #[test]
        fn ids_only_rise(calls in prop::collection::vec((-50i64..50, 1u32..600), 1..50)) {
            let mut minter = Minter::new(7, START).unwrap();
            let until = START.plus(1_000_000);
            let (mut now, mut last) = (START, None);
            for (step, count) in calls {
                now = now.plus(step);
                let run = minter.reserve(now, count, until).unwrap();
                let ids: Vec<_> = run.ids().collect();
                prop_assert_eq!(ids.len(), count as usize);
                for id in ids {
                    prop_assert!(Some(id) > last);
                    prop_assert!(id.minted_at() >= START && id.minted_at() <= until);
                    prop_assert_eq!(id.node(), 7);
                    last = Some(id);
                }
            }
        }
    }

    #[test]
    fn nothing_is_minted_past_the_lease() {
        let mut minter = Minter::new(0, START).unwrap();
        assert_eq!(minter.reserve(START.plus(11), 1, START.plus(10)), Err(MintError::LeaseEnds));
        assert!(minter.reserve(START.plus(10), 256, START.plus(10)).is_ok());
        assert_eq!(minter.reserve(START.plus(10), 1, START.plus(10)), Err(MintError::LeaseEnds));
        assert_eq!(Minter::new(64, START).err(), Some(MintError::OutOfRange));
    }
}
