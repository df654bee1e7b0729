//! The socket: connections come, and at a stop, or when a fault wants the operator dead, end.

mod connection;
mod death;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::journal::FLUSH_EVERY;
use crate::{Operator, push};

/// More connections wait in the listen queue.
const MAX_CONNECTIONS: usize = 1024;
/// Calls in progress at a stop may take so long.
const DRAIN: Duration = Duration::from_secs(2);
/// Pause after a failed accept (no file descriptors, usually).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the operator until `shutdown` is cancelled; then calls in progress are answered
/// (for up to two seconds) and the journal is flushed, whose errors are returned. While a
/// fault wants the operator dead, the port stays ours, but refuses connections.
pub async fn serve(
    mut listener: TcpListener,
    operator: Arc<Operator>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let mut dead_until = operator.dead_until();
    while live(listener, &operator, &mut dead_until, &shutdown).await == End::Death {
        flush_or_log(&operator);
        match death::resurrected(address, &mut dead_until, &shutdown).await? {
            Some(again) => listener = again,
            None => break,
        }
    }
    operator.flush()
}

#[derive(PartialEq, Eq)]
enum End {
    Stop,
    Death,
}

/// Serves from one death to the next, or to the stop.
async fn live(
    listener: TcpListener,
    operator: &Arc<Operator>,
    dead_until: &mut watch::Receiver<Option<Instant>>,
    shutdown: &CancellationToken,
) -> End {
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    let pushing = abort.clone().run_until_cancelled_owned(push::run(Arc::clone(operator)));
    let pushing = tokio::spawn(pushing);
    let end = loop {
        tokio::select! {
            () = shutdown.cancelled() => break End::Stop,
            () = death::comes(dead_until) => break End::Death,
            _ = flush.tick() => flush_or_log(operator),
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, place)) => {
                    let served = connection::serve(stream, Arc::clone(operator), shutdown.clone());
                    let abort = abort.clone();
                    connections.spawn(async move {
                        abort.run_until_cancelled(served).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    };
    drop(listener);
    connections.close();
    if end == End::Stop {
        let _ = tokio::time::timeout(DRAIN, connections.wait()).await;
    }
    abort.cancel();
    connections.wait().await;
    let _ = pushing.await;
    end
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

fn flush_or_log(operator: &Operator) {
    if let Err(error) = operator.flush() {
        tracing::error!(%error, "the journal cannot be written");
    }
}
