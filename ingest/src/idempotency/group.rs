//! Group commit: what came while the last transaction ran is the next one. No timer.
//!
//! One group a lane, on the lane's connections and threads. A group runs while there is
//! something to write. The ends of attempts come before the beginnings of others in each
//! transaction, so who asks again after an answer of this process finds the row answered.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use platform::ownership::Standing;
use platform::postgres::{Pool, lost_a_race};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::store::{Begin, End, Fate, How, transact};
use super::turn::Turn;
use crate::metrics;

/// A transaction that lost a race is tried so often.
const TRIES: u32 = 3;
/// Where ends could not be written: the first pause, and the longest. Nobody waits for them, but
/// who asks again is told meanwhile that the first is still running.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_LONGEST: Duration = Duration::from_secs(1);

/// Why a request was not begun.
#[derive(Debug)]
pub(super) enum NotBegun {
    /// Too many are under way.
    Full,
    /// Postgres does not answer.
    Unavailable,
}

/// The requests of a lane that came with a key.
pub(super) struct Group {
    pool: Pool,
    threads: Handle,
    standing: Arc<Standing>,
    /// Keys in one transaction at most.
    batch: usize,
    /// For each request from its beginning until its end is written.
    room: Arc<Semaphore>,
    places: usize,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    begins: VecDeque<Waiting>,
    ends: VecDeque<Ending>,
    runs: bool,
}

/// A request that waits to be begun.
struct Waiting {
    begin: Begin,
    place: OwnedSemaphorePermit,
    reply: oneshot::Sender<Result<(Fate, Turn), NotBegun>>,
}

/// An end that waits to be written.
struct Ending {
    end: End,
    place: OwnedSemaphorePermit,
    /// Who waits for that.
    written: Option<oneshot::Sender<()>>,
}

impl Group {
    /// `places`: requests under way at once, at most; `batch`: keys in one transaction.
    pub(super) fn new(
        pool: Pool,
        threads: Handle,
        standing: Arc<Standing>,
        places: usize,
        batch: usize,
    ) -> Arc<Self> {
        let (room, queue) = (Arc::new(Semaphore::new(places)), Mutex::default());
        Arc::new(Group { pool, threads, standing, batch, room, places, queue })
    }

    /// Begins a request. The turn is of use only where the fate is `First` or `Again`.
    pub(super) async fn begin(self: &Arc<Self>, begin: Begin) -> Result<(Fate, Turn), NotBegun> {
        let place = Arc::clone(&self.room).try_acquire_owned().map_err(|_| NotBegun::Full)?;
        let (reply, answer) = oneshot::channel();
        self.add(|queue| queue.begins.push_back(Waiting { begin, place, reply }));
        answer.await.unwrap_or(Err(NotBegun::Unavailable))
    }

    /// Has an end written; `written` hears of it.
    pub(super) fn end(
        self: &Arc<Self>,
        end: End,
        place: OwnedSemaphorePermit,
        written: Option<oneshot::Sender<()>>,
    ) {
        self.add(|queue| queue.ends.push_back(Ending { end, place, written }));
    }

    /// Waits until nothing is under way any more and all ends are written.
    pub(super) async fn idle(&self) {
        let all = u32::try_from(self.places).unwrap_or(u32::MAX);
        // It is never closed.
        let _ = self.room.acquire_many(all).await;
    }

    fn add(self: &Arc<Self>, add: impl FnOnce(&mut Queue)) {
        let mut queue = self.queue();
        add(&mut queue);
        if !std::mem::replace(&mut queue.runs, true) {
            self.threads.spawn(Arc::clone(self).run());
        }
    }

    async fn run(self: Arc<Self>) {
        let _running = Running(&self);
        let mut pause = PAUSE_FIRST;
        while let Some((ends, begins)) = self.next() {
            let ends_alone = begins.is_empty();
            if self.write(ends, begins).await {
                pause = PAUSE_FIRST;
            } else if ends_alone {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_LONGEST);
            }
        }
    }

    /// What is written next; the end of the run where there is nothing.
    fn next(&self) -> Option<(Vec<Ending>, Vec<Waiting>)> {
        let mut queue = self.queue();
        let count = queue.ends.len().min(self.batch);
        let ends: Vec<Ending> = queue.ends.drain(..count).collect();
        let mut begins: Vec<Waiting> = Vec::new();
        let mut keys: HashSet<(i64, String)> = HashSet::new();
        while begins.len() < self.batch {
            // A key once in a transaction: the second sees what became of the first.
            let key = |waiting: &Waiting| (waiting.begin.asked.account, waiting.begin.asked.key.clone());
            let Some(waiting) = queue.begins.pop_front_if(|waiting| keys.insert(key(waiting))) else { break };
            begins.push(waiting);
        }
        queue.runs = !(ends.is_empty() && begins.is_empty());
        queue.runs.then_some((ends, begins))
    }

    /// Whether it was written.
    async fn write(self: &Arc<Self>, ends: Vec<Ending>, begins: Vec<Waiting>) -> bool {
        let (ends, ending): (Vec<End>, Vec<_>) =
            ends.into_iter().map(|ending| (ending.end, (ending.place, ending.written))).unzip();
        let (begins, waiting): (Vec<Begin>, Vec<_>) =
            begins.into_iter().map(|waiting| (waiting.begin, (waiting.place, waiting.reply))).unzip();
        let mut committing = false;
        match self.transact(&ends, &begins, &mut committing).await {
            Ok(fates) => {
                for (_, written) in ending {
                    // Who waited may have left.
                    written.map(|written| written.send(()));
                }
                for ((begin, (place, reply)), fate) in begins.into_iter().zip(waiting).zip(fates) {
                    let ours = matches!(fate, Fate::First | Fate::Again(_));
                    let turn = Turn::new(self, begin.asked, begin.attempt, ours.then_some(place));
                    // Where nobody waits any more, the turn ends here, and says so.
                    let _ = reply.send(Ok((fate, turn)));
                }
                true
            }
            Err(error) => {
                tracing::warn!(%error, "idempotency keys could not be stored");
                let ends = ends.into_iter().zip(ending);
                let ends = ends.map(|(end, (place, written))| Ending { end, place, written });
                let mut again: Vec<Ending> = ends.collect();
                for (begin, (place, reply)) in begins.into_iter().zip(waiting) {
                    let _ = reply.send(Err(NotBegun::Unavailable));
                    // It may be stored all the same, and nobody works on it.
                    if committing {
                        let Begin { asked, attempt, .. } = begin;
                        let end =
                            End { account: asked.account, key: asked.key, attempt, how: How::Withdrawn };
                        again.push(Ending { end, place, written: None });
                    }
                }
                let mut queue = self.queue();
                again.into_iter().rev().for_each(|ending| queue.ends.push_front(ending));
                false
            }
        }
    }

    async fn transact(
        &self,
        ends: &[End],
        begins: &[Begin],
        committing: &mut bool,
    ) -> Result<Vec<Fate>, sqlx::Error> {
        let process = self.standing.process();
        let began = std::time::Instant::now();
        let mut tries = 0;
        loop {
            tries += 1;
            *committing = false;
            let work =
                async |connection: &mut _| transact(connection, process, ends, begins, committing).await;
            match self.pool.within(work).await {
                Err(error) if tries < TRIES && lost_a_race(&error) => {}
                done => {
                    metrics::keys_written(began.elapsed());
                    return done;
                }
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        // A poisoned lock still holds whole requests.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A run that ends by a panic, which is a defect, is no longer one: the next request starts another.
struct Running<'g>(&'g Group);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.queue().runs = false;
        }
    }
}
