//! Reading a request's body.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::problem::{Code, Problem};

/// A body that is too large by no more than this is read to its end, and thrown away, before it is refused: a
/// client that is still sending when the connection closes may lose the answer. Larger ones are refused at
/// once, which clients that send so much are prepared for (`Expect: 100-continue`).
const LINGER_BYTES: u64 = 1024 * 1024;

/// Reads a whole body of at most `max_bytes`, within `total_timeout`, with no pause longer than `idle`.
///
/// # Errors
/// 413 `body_too_large`, before anything is read where the length is declared; 408 `request_timeout`; 400
/// `invalid_request` for a body that breaks off or is not framed as HTTP demands.
pub async fn read_body(
    body: Body,
    max_bytes: usize,
    total_timeout: Duration,
    idle: Duration,
) -> Result<Bytes, Problem> {
    let declared = body.size_hint().lower();
    let mut reader = Pieces { body, deadline: Some(Instant::now() + total_timeout), idle };
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX);
    if declared > limit {
        if declared <= limit.saturating_add(LINGER_BYTES) {
            reader.discard().await;
        }
        return Err(too_large(max_bytes));
    }

    let mut read = BytesMut::new();
    while let Some(data) = reader.next().await? {
        if read.len() + data.len() > max_bytes {
            reader.discard().await;
            return Err(too_large(max_bytes));
        }
        // The usual body comes in one piece: no copy.
        if read.is_empty() && reader.body.is_end_stream() {
            return Ok(data);
        }
        read.extend_from_slice(&data);
    }
    Ok(read.freeze())
}

fn too_large(max_bytes: usize) -> Problem {
    Problem::new(Code::BodyTooLarge).detail(format!("the body may have at most {max_bytes} bytes"))
}

/// A body that is read piece by piece as it comes, however long it is and takes, with no pause longer than
/// `idle`.
pub struct Pieces {
    body: Body,
    deadline: Option<Instant>,
    idle: Duration,
}

impl Pieces {
    /// The pieces of a body that may take any time.
    pub fn new(body: Body, idle: Duration) -> Self {
        Pieces { body, deadline: None, idle }
    }

    /// The next piece of data; none at the end. Dropped while it waits, it loses nothing.
    ///
    /// # Errors
    /// 408 `request_timeout`; 400 `invalid_request` for a body that breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let idle = Instant::now() + self.idle;
            let until = self.deadline.map_or(idle, |deadline| deadline.min(idle));
            match timeout_at(until, self.body.frame()).await {
                Err(_) => {
                    return Err(Problem::new(Code::RequestTimeout).detail("the body did not come in time"));
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(_))) => {
                    return Err(Problem::new(Code::InvalidRequest).detail("the body broke off"));
                }
                // Trailers mean nothing to us.
                Ok(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Reads on for nothing, within the same times.
    async fn discard(&mut self) {
        let mut discarded = 0;
        while let Ok(Some(data)) = self.next().await {
            discarded += data.len() as u64;
            if discarded > LINGER_BYTES {
                return;
            }
        }
    }
}
