//! Readiness: progress, not "up".
//!
//! A component that must move for this process to be useful registers a [`Check`] and reports progress as it
//! moves. A check that has not moved within its limit makes the process not ready, with the reason, however
//! alive its thread may be. Beside the checks stand *alarms*: states a person must look at (a partition that
//! stopped, a parked record). They are shown, and exported as `smshub_alarm{code}`, but traffic still comes:
//! another process could do no better.

mod alarms;
mod check;
mod clock;
mod report;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alarms::Alarms;
pub use check::Check;
pub use clock::Clock;
pub use report::{AlarmLine, CheckLine, Report};

/// The checks and alarms of this process. Clones share them.
#[derive(Clone)]
pub struct Health(Arc<Inner>);

struct Inner {
    clock: Clock,
    checks: Mutex<Vec<Check>>,
    alarms: Mutex<Alarms>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Without checks and alarms: ready.
    pub fn new() -> Self {
        Self::with_clock(Clock::monotonic())
    }

    /// With the time of `clock`, for tests.
    pub fn with_clock(clock: Clock) -> Self {
        Self(Arc::new(Inner { clock, checks: Mutex::default(), alarms: Mutex::default() }))
    }

    /// Registers a check; not ready until its first report. Registered while the process is composed, so
    /// their number is that of the components.
    pub fn check(&self, name: impl Into<Arc<str>>, stale_after: Duration) -> Check {
        let check = Check::new(name.into(), stale_after, self.0.clock.clone());
        lock(&self.0.checks).push(check.clone());
        check
    }

    /// Raises an alarm, or changes its detail. `code` is a stable word, `subject` tells alarms of one code
    /// apart (a lane and partition); neither code, subject nor detail may hold personal data.
    pub fn raise_alarm(&self, code: &'static str, subject: &str, detail: &str) {
        lock(&self.0.alarms).raise(code, subject, detail);
    }

    /// Clears an alarm; nothing if it was not raised.
    pub fn clear_alarm(&self, code: &'static str, subject: &str) {
        lock(&self.0.alarms).clear(code, subject);
    }

    /// How things stand now.
    pub fn report(&self) -> Report {
        let checks = lock(&self.0.checks).iter().map(Check::line).collect();
        Report::new(checks, lock(&self.0.alarms).lines())
    }
}

/// A panic elsewhere does not make what is behind the lock wrong: each change is a single step.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
