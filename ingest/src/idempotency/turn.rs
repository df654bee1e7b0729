//! The right to work on a request that came with a key, and the duty to say how that ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::group::Group;
use super::request::Asked;
use super::stamps::Told;
use super::store::{End, How};

/// A refusal waits so long at most until its key is free again.
const PATIENCE: Duration = Duration::from_secs(2);

/// A request's turn. Dropped without a word (the client left, Kafka did not answer), it says
/// that nobody works on the request any more, and that nobody knows what became of it.
pub(super) struct Turn {
    group: Arc<Group>,
    account: i64,
    key: String,
    attempt: i64,
    /// Nothing where there is no turn, or it has ended.
    place: Option<OwnedSemaphorePermit>,
}

impl Turn {
    pub(super) fn new(
        group: &Arc<Group>,
        asked: Asked,
        attempt: i64,
        place: Option<OwnedSemaphorePermit>,
    ) -> Self {
        let Asked { account, key, .. } = asked;
        Turn { group: Arc::clone(group), account, key, attempt, place }
    }

    /// The answer that is given now. It is written soon, and not waited for.
    pub(super) fn told(mut self, told: Told) {
        self.end(How::Told(told), None);
    }

    /// This attempt produced nothing: where it was the first, the key is as if it had never been
    /// used, before the refusal is heard of. Should Postgres not answer, a little later.
    pub(super) async fn withdrawn(mut self) {
        let (written, heard) = oneshot::channel();
        self.end(How::Withdrawn, Some(written));
        let _ = tokio::time::timeout(PATIENCE, heard).await;
    }

    fn end(&mut self, how: How, written: Option<oneshot::Sender<()>>) {
        let Some(place) = self.place.take() else { return };
        let end =
            End { account: self.account, key: std::mem::take(&mut self.key), attempt: self.attempt, how };
        self.group.end(end, place, written);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end(How::Released, None);
    }
}
