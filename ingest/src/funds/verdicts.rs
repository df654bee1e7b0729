//! Waiting for the ledger's verdict on chunks that Kafka has. One query asks for all who wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::id::ChunkId;
use ledger::funds::Verdict;
use platform::lifecycle::Stop;
use platform::postgres::Pool;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

/// Those who wait, at most so many chunks.
pub(super) struct Desk {
    places: Arc<Semaphore>,
    places_max: usize,
    waiting: Mutex<Waiting>,
    /// Somebody came.
    came: Notify,
}

#[derive(Default)]
struct Waiting {
    next_number: u64,
    calls: HashMap<u64, Call>,
}

/// A call that waits.
struct Call {
    chunks: Vec<ChunkId>,
    /// How many messages of each chunk are paid for, as far as is known.
    paid: Vec<Option<u16>>,
    /// Told when all of it is known.
    done: Option<oneshot::Sender<()>>,
}

/// A place to wait in, for a call of so many chunks. Taken before anything is produced.
pub(crate) struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Desk {
    pub(super) fn new(places_max: usize) -> Self {
        Desk {
            places: Arc::new(Semaphore::new(places_max)),
            places_max,
            waiting: Mutex::default(),
            came: Notify::new(),
        }
    }

    /// A place for a call of so many chunks; nothing where all are taken. A call of more chunks
    /// than there are places takes all of them: it could never be sent otherwise.
    pub(super) fn place(&self, chunks: usize) -> Option<Place> {
        let places = u32::try_from(chunks.min(self.places_max)).ok()?;
        let permit = Arc::clone(&self.places).try_acquire_many_owned(places).ok()?;
        Some(Place { _permit: permit })
    }

    /// Waits until the ledger has judged all of these chunks, at most `limit`. How many messages
    /// of each are paid for; nothing where that is not known.
    pub(super) async fn verdicts(
        &self,
        _place: Place,
        chunks: Vec<ChunkId>,
        limit: Duration,
    ) -> Vec<Option<u16>> {
        let (done, told) = oneshot::channel();
        let paid = vec![None; chunks.len()];
        let seat = Seat { desk: self, number: self.waiting().sit(Call { chunks, paid, done: Some(done) }) };
        self.came.notify_one();
        // Whether in time or not: what is known by then is what counts.
        let _ = tokio::time::timeout(limit, told).await;
        seat.leave()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, every so often, as long as somebody waits, until asked to stop.
    pub(super) async fn ask(&self, pool: &Pool, every: Duration, stop: Stop) {
        let mut failed = false;
        loop {
            let chunks = self.waiting().chunks();
            if chunks.is_empty() {
                tokio::select! {
                    () = stop.requested() => return,
                    () = self.came.notified() => continue,
                }
            }
            let asked = async |connection: &mut _| ledger::funds::verdicts(connection, &chunks).await;
            let answer = tokio::select! {
                () = stop.requested() => return,
                answer = pool.within(asked) => answer,
            };
            match answer {
                Ok(verdicts) => {
                    failed = false;
                    self.waiting().told(&verdicts);
                }
                Err(error) if !failed => {
                    failed = true;
                    tracing::warn!(%error, "verdicts cannot be read: calls are answered without");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.requested() => return,
                () = tokio::time::sleep(every) => {}
            }
        }
    }
}

impl Waiting {
    fn sit(&mut self, call: Call) -> u64 {
        self.next_number += 1;
        self.calls.insert(self.next_number, call);
        self.next_number
    }

    /// What nobody knows yet, each once.
    fn chunks(&self) -> Vec<ChunkId> {
        let unknown = |call: &Call| {
            let unknown = call.chunks.iter().zip(&call.paid).filter(|(_, paid)| paid.is_none());
            unknown.map(|(chunk, _)| *chunk).collect::<Vec<_>>()
        };
        let mut chunks: Vec<ChunkId> = self.calls.values().flat_map(unknown).collect();
        chunks.sort_unstable();
        chunks.dedup();
        chunks
    }

    fn told(&mut self, verdicts: &[Verdict]) {
        let paid_of: HashMap<ChunkId, u16> =
            verdicts.iter().map(|verdict| (verdict.chunk, verdict.paid)).collect();
        for call in self.calls.values_mut() {
            for (chunk, paid) in call.chunks.iter().zip(&mut call.paid) {
                *paid = paid.or_else(|| paid_of.get(chunk).copied());
            }
            if call.paid.iter().all(Option::is_some)
                && let Some(done) = call.done.take()
            {
                // Who has left meanwhile needs it no more.
                let _ = done.send(());
            }
        }
    }
}

/// A call's seat, left when the request ends, however it ends.
struct Seat<'a> {
    desk: &'a Desk,
    number: u64,
}

impl Seat<'_> {
    fn leave(self) -> Vec<Option<u16>> {
        let call = self.desk.waiting().calls.remove(&self.number);
        call.map(|call| call.paid).unwrap_or_default()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.desk.waiting().calls.remove(&self.number);
    }
}
