//! `Request-Id`: one word that a request is found by, on both sides.

use std::fmt;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

/// The header, on requests and answers.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const MAX_LENGTH: usize = 128;

/// The id of a request: the client's own where it sent a valid one (1–128 visible ASCII characters), else a
/// new UUID v7. Handlers take it as `Extension<RequestId>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers.get(&REQUEST_ID).filter(|value| is_valid(value)).cloned().map_or_else(Self::make, Self)
    }

    fn make() -> Self {
        let text = Uuid::now_v7().to_string();
        // A UUID is always a valid header; the alternative is only what the type demands.
        Self(HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unknown")))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    pub(super) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn is_valid(value: &HeaderValue) -> bool {
    let bytes = value.as_bytes();
    (1..=MAX_LENGTH).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    fn of(value: &[u8]) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_bytes(value).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_valid_id_is_kept_anything_else_replaced() {
        assert_eq!(of(b"login-77!~").as_str(), "login-77!~");
        assert_eq!(of(&[b'x'; 128]).as_str(), "x".repeat(128));
        let long = [b'x'; 129];
        for bad in [b"".as_slice(), b"with space", "سلام".as_bytes(), &long] {
            let made = of(bad);
            assert!(Uuid::parse_str(made.as_str()).unwrap().get_version_num() == 7, "{made}");
        }
        assert_ne!(RequestId::of(&HeaderMap::new()), RequestId::of(&HeaderMap::new()));
    }
}
