//! How a component learns that it shall stop.

use tokio_util::sync::CancellationToken;

/// The request to stop, as seen by the components of one phase. Clones see the same request.
#[derive(Debug, Clone)]
pub struct Stop(CancellationToken);

impl Stop {
    pub(super) fn new(token: CancellationToken) -> Self {
        Self(token)
    }

    /// A request that comes when the returned token is cancelled, for what runs without a
    /// [`Lifecycle`](super::Lifecycle): tests, and parts that a component starts and stops itself.
    pub fn manual() -> (CancellationToken, Self) {
        let token = CancellationToken::new();
        (token.clone(), Self(token))
    }

    /// Waits for the request; returns at once when it was made. Cancel-safe.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }

    /// Whether the request was made. Cheap: for loops on OS threads.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }
}
