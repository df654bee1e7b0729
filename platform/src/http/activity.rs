//! Whether a connection is inside a request, for the timers of its [`Guarded`](super::guard::Guarded) stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the requests of one connection. Written by the service, read by the stream.
#[derive(Clone, Default)]
pub(super) struct Activity(Arc<Counts>);

#[derive(Default)]
struct Counts {
    started: AtomicU64,
    finished: AtomicU64,
}

/// A request is being answered until this is dropped.
pub(super) struct InRequest(Arc<Counts>);

impl Activity {
    pub(super) fn begin(&self) -> InRequest {
        self.0.started.fetch_add(1, Ordering::Relaxed);
        InRequest(self.0.clone())
    }

    /// The number of requests so far, when none is being answered.
    pub(super) fn between_requests(&self) -> Option<u64> {
        let started = self.0.started.load(Ordering::Relaxed);
        (started == self.0.finished.load(Ordering::Relaxed)).then_some(started)
    }
}

impl Drop for InRequest {
    fn drop(&mut self) {
        self.0.finished.fetch_add(1, Ordering::Relaxed);
    }
}
