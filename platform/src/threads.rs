//! Threads by lane: bulk has its own, and they give way to all others.
//!
//! A flood of bulk fills whatever threads it may use. So its tasks, its consumers and
//! producers run on threads that no other lane waits for, with a lower priority: the system
//! gives them the CPU when nobody else wants it, and a fair part when everybody does.

use domain::lane::Lane;
use std::io;
use std::panic::resume_unwind;
use tokio::runtime::{Builder, Handle, Runtime};

/// Settings of the threads that run tasks.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreadSettings {
    /// Threads that run tasks, of bulk and of all other lanes each. 0: as many as there are cores.
    pub worker_threads: usize,
    /// Threads for what blocks, of bulk and of all other lanes each, at most.
    pub blocking_threads: usize,
    /// How much bulk's threads give way to all others: 0 (not at all) to 19, as `nice` has it.
    pub bulk_nice: i32,
}

impl ThreadSettings {
    /// The threads of everything but bulk.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn runtime(&self) -> io::Result<Runtime> {
        self.builder().thread_name("smshub").build()
    }

    fn builder(&self) -> Builder {
        let mut builder = Builder::new_multi_thread();
        if self.worker_threads > 0 {
            builder.worker_threads(self.worker_threads);
        }
        builder.max_blocking_threads(self.blocking_threads).enable_all();
        builder
    }
}

/// Where the work of each lane runs.
pub struct Threads {
    /// Nothing where all lanes share the caller's.
    bulk: Option<(Runtime, i32)>,
}

impl Threads {
    /// Bulk apart from the caller's runtime.
    ///
    /// # Errors
    /// When the system gives no threads.
    pub fn new(settings: &ThreadSettings) -> io::Result<Self> {
        let nice = settings.bulk_nice;
        let bulk =
            settings.builder().thread_name("smshub-bulk").on_thread_start(move || give_way(nice)).build()?;
        Ok(Threads { bulk: Some((bulk, nice)) })
    }

    /// All lanes on the caller's threads: for tests of a role by itself.
    pub fn shared() -> Self {
        Threads { bulk: None }
    }

    /// Does `start` as work of `lane`: tasks that it spawns run on the lane's threads, and
    /// threads that it starts, clients' included, have the lane's priority. Blocks.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start<T: Send>(&self, lane: Lane, start: impl FnOnce() -> T + Send) -> io::Result<T> {
        let Some((runtime, nice)) = self.bulk.as_ref().filter(|_| lane == Lane::Bulk) else {
            return Ok(start());
        };
        // Started threads inherit the priority of the one that starts them.
        let started = std::thread::scope(|scope| {
            let start = || {
                give_way(*nice);
                let _in_runtime = runtime.enter();
                start()
            };
            Ok::<_, io::Error>(std::thread::Builder::new().spawn_scoped(scope, start)?.join())
        })?;
        Ok(started.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// The threads of a lane, to do something on them. Call it inside a runtime.
    pub fn of(&self, lane: Lane) -> Handle {
        let bulk = self.bulk.as_ref().filter(|_| lane == Lane::Bulk);
        bulk.map_or_else(Handle::current, |(runtime, _)| runtime.handle().clone())
    }
}

impl Drop for Threads {
    /// Does not wait: it may happen on one of the threads themselves.
    fn drop(&mut self) {
        if let Some((runtime, _)) = self.bulk.take() {
            runtime.shutdown_background();
        }
    }
}

/// Lowers the priority of this thread. Lowering is always permitted; should it fail, work goes
/// on as before.
fn give_way(nice: i32) {
    // Linux takes "no process" for the calling thread.
    if let Err(error) = rustix::process::setpriority_process(None, nice) {
        tracing::warn!(%error, nice, "the priority of a thread of bulk could not be lowered");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn nice() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    fn threads() -> Threads {
        Threads::new(&ThreadSettings { worker_threads: 1, blocking_threads: 1, bulk_nice: 7 }).unwrap()
    }

    #[tokio::test]
    async fn what_bulk_starts_gives_way_and_nothing_else_does() {
        let (threads, before) = (threads(), nice());
        for (lane, expected) in [(Lane::Express, before), (Lane::Standard, before), (Lane::Bulk, 7)] {
            let start = || (tokio::spawn(async { nice() }), std::thread::spawn(nice).join().unwrap());
            let (task, thread) = threads.start(lane, start).unwrap();
            assert_eq!((task.await.unwrap(), thread), (expected, expected), "{lane}");
            assert_eq!(threads.of(lane).spawn_blocking(nice).await.unwrap(), expected, "{lane}");
        }
        assert_eq!(nice(), before);
    }

    /// A flood that never waits takes threads of bulk only.
    #[tokio::test]
    async fn other_lanes_do_not_wait_for_bulks_threads() {
        let threads = threads();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let blocked = threads.start(Lane::Bulk, || tokio::spawn(async move { held.recv().is_ok() })).unwrap();
        let express = threads.start(Lane::Express, || tokio::spawn(async { true })).unwrap();
        assert!(express.await.unwrap(), "the only thread of bulk is taken, and express runs");
        release.send(()).unwrap();
        assert!(blocked.await.unwrap());
    }

    #[tokio::test]
    async fn shared_threads_are_the_callers() {
        let threads = Threads::shared();
        let task = threads.start(Lane::Bulk, || tokio::spawn(async { nice() })).unwrap();
        assert_eq!(task.await.unwrap(), nice());
    }
}
