//! Which partitions a poller asks for.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The partitions that a lane's loop holds: those its poller asks for.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<BTreeSet<i32>>>);

impl Held {
    pub(crate) fn insert(&self, partition: i32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(partition);
    }

    pub(crate) fn remove(&self, partition: i32) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&partition);
    }

    pub(super) fn all(&self) -> BTreeSet<i32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
