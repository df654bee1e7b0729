//! The socket: connections, paths, bodies. HTTP/1.1 with keep-alive, one task a connection.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Operator;
use crate::answer::code;
use crate::control;
use crate::journal::FLUSH_EVERY;

const MAGFA: &str = "/api/http/sms/v2/";
/// More connections wait in the listen queue.
const MAX_CONNECTIONS: usize = 1024;
/// 100 texts of 265 parts, each character escaped, with room to spare.
const MAX_BODY: usize = 16 << 20;
/// An idle connection is closed after this. Longer than HTTP clients keep one, so that a
/// close does not cross a request: faults come only where they are asked for.
const IDLE: Duration = Duration::from_secs(300);
/// A body must be here so long after its head.
const BODY: Duration = Duration::from_secs(30);
/// Calls in progress at a stop may take so long.
const DRAIN: Duration = Duration::from_secs(2);
/// Pause after a failed accept (no file descriptors, usually).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves the operator until `shutdown` is cancelled; then calls in progress are answered
/// (for up to two seconds) and the journal is flushed, whose errors are returned.
pub async fn serve(
    listener: TcpListener,
    operator: Arc<Operator>,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let connections = TaskTracker::new();
    let abort = CancellationToken::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            _ = flush.tick() => flush_or_log(&operator),
            accepted = accept(&listener, &places) => match accepted {
                Ok((stream, place)) => {
                    let served = connection(stream, Arc::clone(&operator), shutdown.clone());
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
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN, connections.wait()).await.is_err() {
        abort.cancel();
        connections.wait().await;
    }
    operator.flush()
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

fn flush_or_log(operator: &Operator) {
    if let Err(error) = operator.flush() {
        tracing::error!(%error, "the journal cannot be written");
    }
}

async fn connection(stream: TcpStream, operator: Arc<Operator>, shutdown: CancellationToken) {
    // Without it an answer can wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request| respond(Arc::clone(&operator), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = shutdown.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}

async fn respond(
    operator: Arc<Operator>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = match whole(body).await {
        Ok(body) => body,
        Err(status) => return Ok(json(status, Bytes::new())),
    };
    let path = head.uri.path();
    if let Some(call) = path.strip_prefix(MAGFA) {
        return Ok(magfa(&operator, &head, call, &body).await);
    }
    let (status, body) = control::respond(&operator, &head.method, path, &body);
    Ok(json(status, body.into()))
}

async fn magfa(
    operator: &Operator,
    head: &hyper::http::request::Parts,
    call: &str,
    body: &[u8],
) -> Response<Full<Bytes>> {
    let behaviour = operator.behaviour();
    let authorization = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let answer = if !authorization.is_some_and(|header| behaviour.admits(header)) {
        operator.refuse(code::CREDENTIALS)
    } else {
        match (&head.method, call.split_once('/').unwrap_or((call, ""))) {
            (&Method::POST, ("send", "")) => operator.send(&behaviour.settings, body),
            (&Method::GET, ("mid", uid)) => operator.mid(uid),
            (&Method::GET, ("statuses", ids)) => operator.statuses(ids),
            (&Method::GET, ("balance", "")) => operator.balance(&behaviour.settings),
            _ => operator.refuse(code::METHOD),
        }
    };
    match answer {
        Ok(answer) => {
            held_back(behaviour.latency_ms(&answer)).await;
            json(StatusCode::OK, answer.body.into())
        }
        Err(error) => {
            tracing::error!(%error, "the journal cannot be written: nothing was taken");
            json(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new())
        }
    }
}

async fn held_back(latency_ms: u32) {
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms.into())).await;
    }
}

async fn whole(body: Incoming) -> Result<Bytes, StatusCode> {
    let collected = tokio::time::timeout(BODY, Limited::new(body, MAX_BODY).collect());
    match collected.await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

fn json(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
