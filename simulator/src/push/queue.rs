use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::now_ms;
use crate::receipt::Receipt;

/// The most receipts that wait, about 100 octets each; what comes above it is not pushed.
const MAX_WAITING: usize = 1_000_000;

/// When a receipt is due, in milliseconds since 1970, and what tells those of one time apart.
pub(super) type Place = (i64, u64);

/// Receipts by the time they are due.
pub(crate) struct Queue {
    max: usize,
    waiting: Mutex<Waiting>,
    /// Something may be due earlier than what was looked at.
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    by_time: BTreeMap<Place, Receipt>,
    added: u64,
}

impl Default for Queue {
    fn default() -> Self {
        Self::bounded(MAX_WAITING)
    }
}

impl Queue {
    fn bounded(max: usize) -> Self {
        Self { max, waiting: Mutex::default(), changed: Notify::new() }
    }

    /// Adds receipts, each with the time it is due; says how many found no room.
    pub(crate) fn add(&self, receipts: impl Iterator<Item = (i64, Receipt)>) -> u64 {
        let mut waiting = self.waiting();
        let mut dropped = 0;
        for (due_ms, receipt) in receipts {
            if waiting.by_time.len() == self.max {
                dropped += 1;
                continue;
            }
            waiting.added += 1;
            let place = (due_ms, waiting.added);
            waiting.by_time.insert(place, receipt);
        }
        drop(waiting);
        self.changed.notify_one();
        dropped
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting().by_time.len()
    }

    pub(crate) fn clear(&self) {
        self.waiting().by_time.clear();
    }

    /// Waits until something is due; then at most `most` of it. It stays in the queue.
    pub(super) async fn due(&self, most: usize) -> Vec<(Place, Receipt)> {
        loop {
            let changed = self.changed.notified();
            let first = self.waiting().by_time.first_key_value().map(|((due_ms, _), _)| *due_ms);
            match first.map(|due_ms| due_ms - now_ms()) {
                Some(..=0) => return self.until(now_ms(), most),
                Some(ms) => {
                    let time = Duration::from_millis(ms.unsigned_abs());
                    let _ = tokio::time::timeout(time, changed).await;
                }
                None => changed.await,
            }
        }
    }

    pub(super) fn remove(&self, batch: &[(Place, Receipt)]) {
        let mut waiting = self.waiting();
        for (place, _) in batch {
            waiting.by_time.remove(place);
        }
    }

    fn until(&self, now_ms: i64, most: usize) -> Vec<(Place, Receipt)> {
        let waiting = self.waiting();
        let due = waiting.by_time.range(..=(now_ms, u64::MAX)).take(most);
        due.map(|(place, receipt)| (*place, *receipt)).collect()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn receipts(due_ms: &[i64]) -> impl Iterator<Item = (i64, Receipt)> {
        due_ms.iter().map(|due_ms| (*due_ms, Receipt { uid: *due_ms, mid: 0, status: 1, date_ms: 0 }))
    }

    #[tokio::test]
    async fn what_is_due_comes_in_order_and_stays_until_it_is_removed() {
        let queue = Queue::bounded(10);
        let later = now_ms() + 3_600_000;
        assert_eq!(queue.add(receipts(&[5, later, 3, 5])), 0);
        let uids =
            |batch: &[(Place, Receipt)]| batch.iter().map(|(_, receipt)| receipt.uid).collect::<Vec<_>>();
        let batch = queue.due(2).await;
        assert_eq!((uids(&batch), uids(&queue.due(9).await)), (vec![3, 5], vec![3, 5, 5]));
        queue.remove(&batch);
        assert_eq!((uids(&queue.due(9).await), queue.len()), (vec![5], 2));
    }

    #[tokio::test]
    async fn somebody_who_waits_is_told_of_what_is_due_earlier() {
        let queue = Queue::bounded(10);
        queue.add(receipts(&[now_ms() + 3_600_000]));
        let (batch, _) = tokio::join!(queue.due(1), async {
            tokio::task::yield_now().await;
            queue.add(receipts(&[1]))
        });
        assert_eq!(batch[0].1.uid, 1);
    }

    #[test]
    fn it_is_bounded() {
        let queue = Queue::bounded(2);
        assert_eq!((queue.add(receipts(&[1, 2, 3])), queue.add(receipts(&[4])), queue.len()), (1, 1, 2));
    }
}
