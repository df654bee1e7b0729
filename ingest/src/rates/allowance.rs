//! What an account may still send, as its customer is told.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use domain::lane::Lane;
use platform::http::problem::{Code, Problem};

use super::bucket::MINUTE;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const MICROS_OF_A_SECOND: u32 = 1_000_000;

/// How an account stands after a call: the headers `RateLimit-Limit`, `RateLimit-Remaining` (both
/// in segments) and `RateLimit-Reset` (seconds until all of the limit is there again).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    limit: u32,
    remaining: u64,
    reset_s: u32,
}

/// A call would have been above the limit, and nothing was taken of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exceeded {
    lane: Lane,
    allowance: Allowance,
    /// When the call will be admitted, if nothing else is sent until then.
    retry_after_s: u64,
}

impl Allowance {
    /// From what is left in the bucket, in microseconds. What this process has left stands for
    /// what the others have: they share the account's calls evenly.
    pub(super) fn new(limit: u32, left: u32) -> Self {
        let minute = MINUTE.get();
        Allowance {
            limit,
            remaining: u64::from(left) * u64::from(limit) / u64::from(minute),
            reset_s: minute.saturating_sub(left).div_ceil(MICROS_OF_A_SECOND),
        }
    }

    fn headers(self) -> [(HeaderName, HeaderValue); 3] {
        [
            (LIMIT, HeaderValue::from(self.limit)),
            (REMAINING, HeaderValue::from(self.remaining)),
            (RESET, HeaderValue::from(self.reset_s)),
        ]
    }
}

impl IntoResponseParts for Allowance {
    type Error = Infallible;

    fn into_response_parts(self, mut answer: ResponseParts) -> Result<ResponseParts, Infallible> {
        answer.headers_mut().extend(self.headers());
        Ok(answer)
    }
}

impl Exceeded {
    pub(super) fn new(lane: Lane, mut allowance: Allowance, segments: u64, wait: Duration) -> Self {
        // What is left in all processes may be enough, but what is left here was not.
        allowance.remaining = allowance.remaining.min(segments.saturating_sub(1));
        let retry_after_s = u64::try_from(wait.as_micros().div_ceil(MICROS_OF_A_SECOND.into()));
        Exceeded { lane, allowance, retry_after_s: retry_after_s.unwrap_or(u64::MAX).max(1) }
    }
}

impl From<Exceeded> for Problem {
    fn from(exceeded: Exceeded) -> Self {
        let (lane, limit) = (exceeded.lane, exceeded.allowance.limit);
        let detail = format!("at most {limit} segments a minute in lane {lane}; nothing was taken");
        let problem = Problem::new(Code::RateLimited).detail(detail).retry_after(exceeded.retry_after_s);
        let headers = exceeded.allowance.headers();
        headers.into_iter().fold(problem, |problem, (name, value)| problem.header(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said_in_segments_and_seconds() {
        let minute = MINUTE.get();
        let of = |limit, left| Allowance::new(limit, left);
        assert_eq!(of(2_000, minute), Allowance { limit: 2_000, remaining: 2_000, reset_s: 0 });
        assert_eq!(of(2_000, minute - 1), Allowance { limit: 2_000, remaining: 1_999, reset_s: 1 });
        assert_eq!(of(2_000, 29_999), Allowance { limit: 2_000, remaining: 0, reset_s: 60 });
        assert_eq!(of(u32::MAX, minute).remaining, u64::from(u32::MAX));
    }

    #[test]
    fn a_refusal_never_says_that_enough_is_left() {
        let wait = Duration::from_millis(1_001);
        let refused = Exceeded::new(Lane::Standard, Allowance::new(100, 30_000_000), 3, wait);
        assert_eq!((refused.allowance.remaining, refused.retry_after_s), (2, 2));
        let at_once = Exceeded::new(Lane::Standard, Allowance::new(100, 0), 1, Duration::ZERO);
        assert_eq!((at_once.allowance.remaining, at_once.retry_after_s), (0, 1));
    }
}
