//! How a call that was hit by a fault ends on the socket.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use tokio_util::sync::CancellationToken;

use super::active::Hit;
use super::word::Fault;
use crate::answer;

/// What happens to a call in place of a plain answer.
pub(crate) struct Disturbed {
    /// The answer is held back for so long.
    pub(crate) hold: Duration,
    pub(crate) ending: Ending,
    /// Cancelled when the rules are replaced: nothing is held any longer.
    pub(crate) gone: CancellationToken,
}

/// How a call ends.
pub(crate) enum Ending {
    /// HTTP 200 with the body.
    Answer,
    /// Another HTTP status.
    Http(StatusCode),
    /// No octet, and after so long the connection is closed.
    Silence(Duration),
    /// These octets of head and body, then a reset.
    Reset(Vec<u8>),
}

impl Hit<'_> {
    /// The body to answer with in place of `body`, and how the call ends.
    pub(crate) fn ended(&self, seed: u64, body: Vec<u8>) -> (Vec<u8>, Ending) {
        match self.rule.fault {
            Fault::TimeoutBefore | Fault::TimeoutAfter => {
                (Vec::new(), Ending::Silence(Duration::from_millis(self.rule.delay_ms().into())))
            }
            Fault::Hang => {
                let left = self.end.map(|end| end.saturating_duration_since(Instant::now()));
                (Vec::new(), Ending::Silence(left.unwrap_or_default()))
            }
            Fault::ResetAfter => {
                let mut octets = head(body.len());
                octets.extend_from_slice(&body);
                octets.truncate(self.cut(seed, octets.len()));
                (Vec::new(), Ending::Reset(octets))
            }
            Fault::Error500Before | Fault::Error500After => (Vec::new(), http(self.rule.code())),
            Fault::Throttle if self.rule.code() == StatusCode::TOO_MANY_REQUESTS.as_u16() => {
                (Vec::new(), http(self.rule.code()))
            }
            Fault::Throttle | Fault::RefuseCall => (answer::refused(self.rule.code()), Ending::Answer),
            Fault::Credit => (answer::refused(answer::code::CREDIT), Ending::Answer),
            Fault::Garbage => (self.garbage(seed, &body), Ending::Answer),
            _ => (body, Ending::Answer),
        }
    }
}

fn http(status: u16) -> Ending {
    Ending::Http(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
}

/// The head of an answer, as a connection that is about to be reset gets it.
fn head(body: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {body}\r\n\r\n")
        .into_bytes()
}
