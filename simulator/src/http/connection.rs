//! One connection: paths, bodies, answers. HTTP/1.1 with keep-alive, one task a connection.

use std::error::Error;
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
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::Operator;
use crate::answer::code;
use crate::control;
use crate::fault::{Disturbed, Ending};

const MAGFA: &str = "/api/http/sms/v2/";
/// 100 texts of 265 parts, each character escaped, with room to spare.
const MAX_BODY: usize = 16 << 20;
/// An idle connection is closed after this. Longer than HTTP clients keep one, so that a
/// close does not cross a request: faults come only where they are asked for.
const IDLE: Duration = Duration::from_secs(300);
/// A body must be here so long after its head.
const BODY: Duration = Duration::from_secs(30);

/// A call that gets no answer: what is left to do with its connection.
#[derive(Debug, thiserror::Error)]
#[error("ended by a fault")]
struct Broken {
    /// The octets to be written before a reset; none for a plain close.
    reset_after: Option<Vec<u8>>,
}

type Answered = Result<Response<Full<Bytes>>, Broken>;

pub(super) async fn serve(stream: TcpStream, operator: Arc<Operator>, shutdown: CancellationToken) {
    // Without it an answer can wait for the acknowledgement of the one before.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request| respond(Arc::clone(&operator), request));
    let mut served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .serve_connection(TokioIo::new(stream), service);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = shutdown.cancelled() => {
            std::pin::Pin::new(&mut served).graceful_shutdown();
            (&mut served).await
        }
    };
    let Err(error) = ended else { return };
    tracing::debug!(%error, "connection ended");
    let broken = error.source().and_then(|source| source.downcast_ref::<Broken>());
    if let Some(octets) = broken.and_then(|broken| broken.reset_after.as_deref())
        && let Err(error) = reset(served.into_parts().io.into_inner(), octets).await
    {
        tracing::debug!(%error, "the connection was gone before its reset");
    }
}

/// Writes the octets; then the other side gets an RST in place of a regular end.
async fn reset(mut stream: TcpStream, octets: &[u8]) -> std::io::Result<()> {
    stream.write_all(octets).await?;
    stream.set_zero_linger()
}

async fn respond(operator: Arc<Operator>, request: Request<Incoming>) -> Answered {
    let (head, body) = request.into_parts();
    let body = match whole(body).await {
        Ok(body) => body,
        Err(status) => return Ok(json(status, Bytes::new())),
    };
    let path = head.uri.path();
    if let Some(call) = path.strip_prefix(MAGFA) {
        return magfa(&operator, &head, call, &body).await;
    }
    let (status, body) = control::respond(&operator, &head.method, path, &body);
    Ok(json(status, body.into()))
}

async fn magfa(operator: &Operator, head: &hyper::http::request::Parts, call: &str, body: &[u8]) -> Answered {
    let behaviour = operator.behaviour();
    let authorization = head.headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    let answer = if !authorization.is_some_and(|header| behaviour.admits(header)) {
        operator.refuse(code::CREDENTIALS)
    } else {
        match (&head.method, call.split_once('/').unwrap_or((call, ""))) {
            (&Method::POST, ("send", "")) => operator.send(&behaviour, body),
            (&Method::GET, ("mid", uid)) => operator.mid(&behaviour, uid),
            (&Method::GET, ("statuses", ids)) => operator.statuses(&behaviour, ids),
            (&Method::GET, ("balance", "")) => operator.balance(&behaviour),
            _ => operator.refuse(code::METHOD),
        }
    };
    match answer {
        Ok(answer) => {
            held_back(behaviour.latency_ms(&answer)).await;
            match answer.disturbed {
                None => Ok(json(StatusCode::OK, answer.body.into())),
                Some(disturbed) => disturb(*disturbed, answer.body.into()).await,
            }
        }
        Err(error) => {
            tracing::error!(%error, "the journal cannot be written: nothing was taken");
            Ok(json(StatusCode::INTERNAL_SERVER_ERROR, Bytes::new()))
        }
    }
}

async fn held_back(latency_ms: u32) {
    if latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(latency_ms.into())).await;
    }
}

/// Ends a call as a fault wants it.
async fn disturb(Disturbed { hold, ending, gone }: Disturbed, body: Bytes) -> Answered {
    if !hold.is_zero() {
        gone.run_until_cancelled(tokio::time::sleep(hold)).await;
    }
    match ending {
        Ending::Answer => Ok(json(StatusCode::OK, body)),
        Ending::Http(status) => Ok(json(status, body)),
        Ending::Silence(time) => {
            gone.run_until_cancelled(tokio::time::sleep(time)).await;
            Err(Broken { reset_after: None })
        }
        Ending::Reset(octets) => Err(Broken { reset_after: Some(octets) }),
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
