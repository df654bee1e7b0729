//! Accepting connections.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::{HttpLimits, connection};
use crate::lifecycle::Stop;

/// How long to wait when the system has no descriptor for a new connection.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Serves `router` on `listener` until asked to stop; then closes the listener and idle connections, and
/// finishes the requests in flight, for at most `limits.drain_ms`.
///
/// # Errors
/// None from clients; only when the server itself is wrongly made.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    stop: Stop,
) -> anyhow::Result<()> {
    let slots = Arc::new(Semaphore::new(limits.max_connections));
    let builder = connection::builder(&limits);
    let mut connections = JoinSet::new();

    while let Some((stream, slot)) = next(&listener, &slots, &stop).await? {
        while connections.try_join_next().is_some() {}
        let connection =
            connection::run(stream, router.clone(), builder.clone(), limits.clone(), stop.clone());
        connections.spawn(async move {
            connection.await;
            drop::<OwnedSemaphorePermit>(slot);
        });
    }
    drop(listener);
    drain(connections, Duration::from_millis(limits.drain_ms)).await;
    Ok(())
}

/// The next connection, with its slot taken before; none once asked to stop.
async fn next(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
    stop: &Stop,
) -> anyhow::Result<Option<(TcpStream, OwnedSemaphorePermit)>> {
    let accepting = async {
        let slot = slots.clone().acquire_owned().await.context("the server's slots were closed")?;
        Ok(Some((accept(listener).await, slot)))
    };
    tokio::select! {
        () = stop.requested() => Ok(None),
        accepted = accepting => accepted,
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match stream.set_nodelay(true) {
                Ok(()) => return stream,
                // Closed by the client already.
                Err(error) => tracing::debug!(%error, "connection not taken"),
            },
            Err(error) if of_the_client(&error) => tracing::debug!(%error, "connection not taken"),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn of_the_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn drain(mut connections: JoinSet<()>, at_most: Duration) {
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(at_most, finished).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut connections that did not finish in time");
        connections.shutdown().await;
    }
}
