//! One connection.

use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::HttpLimits;
use super::activity::Activity;
use super::guard::Guarded;
use crate::lifecycle::Stop;
use crate::metrics::HTTP_CONNECTIONS;

/// hyper's buffer for reading and writing, for each connection at most.
const BUFFER_BYTES: usize = 64 * 1024;

/// hyper's settings within the limits.
pub(super) fn builder(limits: &HttpLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits.idle_timeout_ms))
        .max_headers(limits.max_headers)
        .max_header_size(limits.max_head_bytes)
        .max_buf_size(BUFFER_BYTES);
    builder
}

/// Answers the requests of one connection until it ends, or, once stopping, until the request in flight is
/// answered.
pub(super) async fn run(
    stream: TcpStream,
    router: Router,
    builder: http1::Builder,
    limits: HttpLimits,
    stop: Stop,
) {
    let _open = Open::count();
    let activity = Activity::default();
    let stream = Guarded::new(
        stream,
        activity.clone(),
        Duration::from_millis(limits.head_timeout_ms),
        Duration::from_millis(limits.write_timeout_ms),
    );
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let in_request = activity.begin();
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await;
            drop(in_request);
            answer
        }
    });

    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // The client's doing: a reset, a refused head, a timer. Nobody to answer, nothing to repair.
        tracing::debug!(%error, "connection ended");
    }
}

/// Counts an open connection while it lives.
struct Open;

impl Open {
    fn count() -> Self {
        metrics::gauge!(HTTP_CONNECTIONS).increment(1);
        Self
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!(HTTP_CONNECTIONS).decrement(1);
    }
}
