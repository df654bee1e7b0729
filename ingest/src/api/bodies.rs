//! Reading a JSON body.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use platform::http::problem::{Code, Problem};
use platform::http::{HttpLimits, read_body};

/// Reads a body that says it is JSON, of at most `max_bytes`.
///
/// # Errors
/// 415, 413, 408, or 400 where it broke off.
pub(super) async fn read_json(
    request: Request,
    max_bytes: usize,
    limits: &HttpLimits,
) -> Result<Bytes, Problem> {
    is_json(request.headers())?;
    read_body(request.into_body(), max_bytes, limits.body_timeout(), limits.body_idle()).await
}

/// The length a body will have at most: what it says itself, where it does.
pub(super) fn length(headers: &HeaderMap, max_bytes: usize) -> usize {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    declared.unwrap_or(max_bytes).min(max_bytes)
}

fn is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail| Err(Problem::new(Code::UnsupportedMediaType).detail(detail));
    if headers.contains_key(header::CONTENT_ENCODING) {
        return refuse("the body must be sent without Content-Encoding");
    }
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    // JSON is UTF-8; a client may say so.
    let utf8 = parts.filter(|part| !part.is_empty()).all(|part| {
        let part = part.to_ascii_lowercase();
        part == "charset=utf-8" || part == "charset=\"utf-8\""
    });
    if json && utf8 { Ok(()) } else { refuse("expected Content-Type: application/json") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn json_in_utf8_and_nothing_else() {
        let of = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            is_json(&headers).is_ok()
        };
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\";"]
        {
            assert!(of("content-type", good), "{good}");
        }
        for bad in
            ["", "text/plain", "application/json; charset=latin1", "application/jsonl", "application/x-json"]
        {
            assert!(!of("content-type", bad), "{bad}");
        }
        assert!(!of("content-encoding", "gzip"));
        assert!(is_json(&HeaderMap::new()).is_err());
    }
}
