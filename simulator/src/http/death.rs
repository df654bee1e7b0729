//! A dead operator: its port is bound, so that the system gives it to nobody else, but nobody
//! listens, so connections are refused.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Connections that may wait to be accepted, as tokio has it.
const BACKLOG: u32 = 1024;
/// Pause after the port could not be bound.
const BIND_PAUSE: Duration = Duration::from_millis(20);

/// Waits until the operator is to be dead.
pub(super) async fn comes(dead_until: &mut watch::Receiver<Option<Instant>>) {
    while !is_dead(*dead_until.borrow_and_update()) {
        if dead_until.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Refuses connections at the address until death is over; none if the stop came before.
pub(super) async fn resurrected(
    address: SocketAddr,
    dead_until: &mut watch::Receiver<Option<Instant>>,
    shutdown: &CancellationToken,
) -> io::Result<Option<TcpListener>> {
    let Some(socket) = shutdown.run_until_cancelled(bound(address)).await.transpose()? else {
        return Ok(None);
    };
    loop {
        let until = *dead_until.borrow_and_update();
        let Some(until) = until.filter(|_| is_dead(until)) else {
            return socket.listen(BACKLOG).map(Some);
        };
        tokio::select! {
            () = tokio::time::sleep_until(until.into()) => {}
            _ = dead_until.changed() => {}
            () = shutdown.cancelled() => return Ok(None),
        }
    }
}

fn is_dead(until: Option<Instant>) -> bool {
    until.is_some_and(|until| until > Instant::now())
}

/// Binds without listening. The socket that listened may take a moment to be gone.
async fn bound(address: SocketAddr) -> io::Result<TcpSocket> {
    loop {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        match socket.bind(address) {
            Ok(()) => return Ok(socket),
            Err(error) => tracing::warn!(%error, "cannot bind the port again"),
        }
        tokio::time::sleep(BIND_PAUSE).await;
    }
}
