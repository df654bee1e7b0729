//! Resolving names, and handing on only addresses that may be called. The connection is made to
//! what is returned here, so no second answer of a name server can lead elsewhere.

use super::{Forbidden, Networks};
use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The addresses of a name.
pub(super) type LookUp = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Names that cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[error("the name has no address")]
pub(super) struct NoAddress;

/// As the system resolves. It does so on a thread for each name, so `at_once` bounds them.
pub(super) fn system(at_once: usize) -> LookUp {
    let threads = Arc::new(Semaphore::new(at_once));
    Arc::new(move |name| {
        let threads = Arc::clone(&threads);
        Box::pin(async move {
            let thread = threads.acquire_owned().await.map_err(io::Error::other)?;
            // A task of its own: whoever loses patience does not end the look-up, and its
            // thread is counted for as long as it is in use.
            let asked = tokio::spawn(async move {
                let found = tokio::net::lookup_host((name, 0)).await;
                drop(thread);
                found.map(|found| found.map(|address| address.ip()).collect())
            });
            asked.await.map_err(io::Error::other)?
        })
    })
}

/// Resolves, and judges.
pub(super) struct Judging {
    pub(super) look_up: LookUp,
    pub(super) networks: Arc<Networks>,
    /// Whether what is connected to is called with TLS.
    pub(super) encrypted: bool,
}

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let found = (self.look_up)(name.as_str().to_owned());
        let (networks, encrypted) = (Arc::clone(&self.networks), self.encrypted);
        Box::pin(async move {
            let found = found.await.map_err(|_| NoAddress)?;
            if found.is_empty() {
                return Err(NoAddress.into());
            }
            let permitted: Vec<SocketAddr> = found
                .into_iter()
                .filter(|address| networks.check(*address, encrypted).is_ok())
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if permitted.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(permitted.into_iter()) as Addrs)
        })
    }
}
