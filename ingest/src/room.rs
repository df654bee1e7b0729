//! Bounds in bytes, counted in KiB: each item counts as one KiB at least, so a bound on bytes
//! is one on the number of items too.

use std::sync::Arc;

use domain::lane::Lane;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::metrics;

const KIB: usize = 1_024;

/// Room for so many bytes.
pub(crate) fn room(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(kib(bytes).min(Semaphore::MAX_PERMITS)))
}

/// Takes room for `bytes`; nothing where there is not enough.
pub(crate) fn take(room: &Arc<Semaphore>, bytes: usize) -> Option<OwnedSemaphorePermit> {
    let permits = u32::try_from(kib(bytes)).ok()?;
    Arc::clone(room).try_acquire_many_owned(permits).ok()
}

/// Room taken in a lane's producer, given back when dropped.
pub(crate) struct Room {
    lane: Lane,
    permit: OwnedSemaphorePermit,
}

impl Room {
    /// Takes room for records of these lengths, for all or for none.
    pub(crate) fn take(
        room: &Arc<Semaphore>,
        lane: Lane,
        lengths: impl Iterator<Item = usize>,
    ) -> Option<Self> {
        let permits = u32::try_from(lengths.map(kib).sum::<usize>()).ok()?;
        let permit = Arc::clone(room).try_acquire_many_owned(permits).ok()?;
        metrics::unacknowledged(lane, i64::from(permits));
        Some(Room { lane, permit })
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let permits = i64::try_from(self.permit.num_permits()).unwrap_or(i64::MAX);
        metrics::unacknowledged(self.lane, -permits);
    }
}

fn kib(bytes: usize) -> usize {
    bytes.div_ceil(KIB).max(1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_or_none_and_given_back() {
        let bound = room(4 * KIB);
        let first = Room::take(&bound, Lane::Bulk, [1, KIB + 1].into_iter()).unwrap();
        assert!(Room::take(&bound, Lane::Bulk, [1, 1].into_iter()).is_none());
        let second = Room::take(&bound, Lane::Bulk, [1].into_iter()).unwrap();
        assert!(take(&bound, 0).is_none());
        drop((first, second));
        assert_eq!(bound.available_permits(), 4);
        assert!(take(&bound, usize::MAX).is_none());
    }
}
