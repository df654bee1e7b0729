//! Reading by hand for the many takers of one lane: few clients, shared.

use super::KafkaSettings;
use super::tail::Tail;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Clients of one lane at once. A process that takes all partitions at its start would
/// otherwise make a client, with its threads and connections, for each of them.
const CLIENTS_MAX: usize = 2;

/// The clients of one lane: made when they are needed, shared by all who wait, and closed
/// when nobody does. Clones share them.
#[derive(Clone)]
pub struct Tails(Arc<Inner>);

struct Inner {
    settings: KafkaSettings,
    permits: Arc<Semaphore>,
    /// Those who read or wait to.
    users: AtomicUsize,
    idle: Mutex<Vec<Tail>>,
}

impl Tails {
    /// No client yet.
    pub fn new(settings: &KafkaSettings) -> Self {
        Tails(Arc::new(Inner {
            settings: settings.clone(),
            permits: Arc::new(Semaphore::new(CLIENTS_MAX)),
            users: AtomicUsize::new(0),
            idle: Mutex::default(),
        }))
    }

    /// Runs `read` with a client, on a thread that may block, when its turn comes.
    ///
    /// # Errors
    /// Those of `read`, or when no client can be made. A client whose reading failed is not
    /// used again.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Tail) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let user = User::new(&self.0);
        let permit = Arc::clone(&self.0.permits).acquire_owned().await?;
        let work = move || {
            let tail = user.0.take().map_or_else(|| Tail::new(&user.0.settings), Ok)?;
            let result = read(&tail)?;
            user.0.put(tail);
            drop((user, permit));
            anyhow::Ok(result)
        };
        tokio::task::spawn_blocking(work).await?
    }
}

impl Inner {
    fn take(&self) -> Option<Tail> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn put(&self, tail: Tail) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(tail);
    }
}

/// One who reads or waits to: the last to leave closes the clients.
struct User(Arc<Inner>);

impl User {
    fn new(inner: &Arc<Inner>) -> Self {
        inner.users.fetch_add(1, Ordering::AcqRel);
        User(Arc::clone(inner))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        if self.0.users.fetch_sub(1, Ordering::AcqRel) == 1 {
            let idle = std::mem::take(&mut *self.0.idle.lock().unwrap_or_else(PoisonError::into_inner));
            drop(idle);
        }
    }
}
