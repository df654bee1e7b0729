//! The hold on one partition, and the sign of life of the loop that works on it.

use super::clock;
use super::standing::Standing;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The hold on a partition of a role under one epoch.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The partition.
    pub partition: i32,
    /// The epoch: transactions name it, and records carry it.
    pub epoch: i64,
    pub(super) term: u64,
    pub(super) withdrawn: Arc<AtomicBool>,
    pub(super) standing: Arc<Standing>,
}

impl Lease {
    pub(super) fn new(partition: i32, epoch: i64, standing: Arc<Standing>) -> Self {
        let term = standing.term();
        Lease { partition, epoch, term, withdrawn: Arc::new(AtomicBool::new(false)), standing }
    }

    /// The last check before anything that cannot be undone: true while nobody else can
    /// have taken the partition.
    pub fn holds(&self) -> bool {
        // The deadline first: it moves on whenever the process is renewed, so seen after the
        // others it could be one that was set when this lease had already ended.
        self.standing.is_alive()
            && self.term == self.standing.term()
            && !self.withdrawn.load(Ordering::Acquire)
    }

    /// Whether it will never hold again: it was withdrawn, or the process was counted out.
    pub fn is_over(&self) -> bool {
        !self.is_of_this_term() || self.withdrawn.load(Ordering::Acquire)
    }

    /// Another lease of the same term, not withdrawn.
    pub(super) fn fresh(&self) -> Lease {
        Lease { withdrawn: Arc::new(AtomicBool::new(false)), ..self.clone() }
    }

    pub(super) fn withdraw(&self) {
        self.withdrawn.store(true, Ordering::Release);
    }

    pub(super) fn is_of_this_term(&self) -> bool {
        self.term == self.standing.term()
    }
}

/// A loop's sign of life, looked at by the watchdog.
#[derive(Clone, Debug)]
pub struct Beat(Arc<AtomicI64>);

impl Beat {
    /// A sign of life as of now.
    #[allow(clippy::new_without_default)] // reads the clock
    pub fn new() -> Self {
        Beat(Arc::new(AtomicI64::new(clock::boot_ms())))
    }

    /// The loop went round. A loop that waits at a bound goes round too.
    pub fn tick(&self) {
        self.0.store(clock::boot_ms(), Ordering::Release);
    }

    pub(super) fn age_ms(&self) -> i64 {
        clock::boot_ms() - self.0.load(Ordering::Acquire)
    }
}
