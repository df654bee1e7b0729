//! One component's report of its progress.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{CheckLine, Clock, lock};

/// Never reported. No clock reaches it.
const NEVER: u64 = u64::MAX;

/// A check of [`Health`](super::Health). Clones are the same check.
#[derive(Clone)]
pub struct Check(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    stale_after: Duration,
    clock: Clock,
    progressed_ms: AtomicU64,
    failure: Mutex<Option<String>>,
}

impl Check {
    pub(super) fn new(name: Arc<str>, stale_after: Duration, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            name,
            stale_after,
            clock,
            progressed_ms: AtomicU64::new(NEVER),
            failure: Mutex::default(),
        }))
    }

    /// It moved. Two loads and a store: may stand in any loop. Does not end a failure.
    pub fn progress(&self) {
        self.0.progressed_ms.store(self.0.clock.now_ms(), Ordering::Relaxed);
    }

    /// It cannot do its work, for this reason, until [`Check::ok`]. The reason is shown on the management
    /// port: no personal data, no secrets.
    pub fn fail(&self, reason: impl Into<String>) {
        *lock(&self.0.failure) = Some(reason.into());
    }

    /// It can do its work (again), which is progress too.
    pub fn ok(&self) {
        *lock(&self.0.failure) = None;
        self.progress();
    }

    pub(super) fn line(&self) -> CheckLine {
        let fault = lock(&self.0.failure).clone().or_else(|| self.stale());
        CheckLine { name: self.0.name.to_string(), ok: fault.is_none(), detail: fault }
    }

    fn stale(&self) -> Option<String> {
        let progressed_ms = self.0.progressed_ms.load(Ordering::Relaxed);
        if progressed_ms == NEVER {
            return Some("has not reported yet".to_owned());
        }
        let age = Duration::from_millis(self.0.clock.now_ms().saturating_sub(progressed_ms));
        (age > self.0.stale_after).then(|| {
            format!(
                "no progress for {} ms, at most {} ms expected",
                age.as_millis(),
                self.0.stale_after.as_millis()
            )
        })
    }
}
