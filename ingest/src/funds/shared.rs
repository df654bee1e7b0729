//! What requests of one account share while they wait.

use std::sync::atomic::{AtomicU64, Ordering};

use domain::lane::Lane;
use tokio::sync::{Mutex, Notify};

/// Of one account.
#[derive(Default)]
pub(super) struct Shared {
    /// Reads of the balance, by lane: each lane reads by connections of its own.
    flights: [Flight; 3],
    /// A promise was acknowledged or ended.
    pub(super) moved: Notify,
}

impl Shared {
    /// Reads the balance, or shares a read. Returns whether it was read.
    pub(super) async fn read(&self, lane: Lane, read: impl AsyncFnOnce() -> bool) -> bool {
        self.flights[lane.index()].join(read).await
    }
}

/// One read at a time, for all who came before it began. Who comes while one is under way waits
/// for the next: what the customer did before this request, such as a charge, must be seen.
#[derive(Default)]
struct Flight {
    begun: AtomicU64,
    /// The number of the last read that ended, and whether it succeeded.
    ended: Mutex<(u64, bool)>,
}

impl Flight {
    async fn join(&self, read: impl AsyncFnOnce() -> bool) -> bool {
        let begun_before = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.lock().await;
        if ended.0 > begun_before {
            return ended.1;
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let succeeded = read().await;
        *ended = (number, succeeded);
        succeeded
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    /// However many come together: one read that was under way, and one for all of them.
    #[tokio::test]
    async fn who_comes_during_a_read_shares_the_next() {
        let (flight, gate, reads) = (Arc::new(Flight::default()), Semaphore::new(0), AtomicU64::new(0));
        let read = async || {
            reads.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            true
        };
        let first = flight.join(read);
        let others = async {
            tokio::task::yield_now().await;
            assert_eq!(reads.load(Ordering::SeqCst), 1, "the first is under way");
            let all = futures::future::join_all((0..50).map(|_| flight.join(read)));
            let open = async {
                tokio::task::yield_now().await;
                gate.add_permits(2);
            };
            futures::join!(all, open).0
        };
        let (first, others) = futures::join!(first, others);
        assert!(first && others.into_iter().all(|succeeded| succeeded));
        assert_eq!(reads.load(Ordering::SeqCst), 2);
    }

    /// A read that fails fails for all who share it; one that is given up is done by the next.
    #[tokio::test]
    async fn failures_are_shared_and_what_is_given_up_is_not() {
        let flight = Flight::default();
        let mut given_up = Box::pin(flight.join(async || std::future::pending().await));
        assert!(futures::poll!(given_up.as_mut()).is_pending());
        let (failing, sharing) = (flight.join(async || false), flight.join(async || true));
        futures::pin_mut!(failing, sharing);
        assert!(futures::poll!(failing.as_mut()).is_pending());
        assert!(futures::poll!(sharing.as_mut()).is_pending());
        drop(given_up);
        assert_eq!(futures::join!(failing, sharing), (false, false));
        assert!(flight.join(async || true).await);
    }
}
