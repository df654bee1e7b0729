//! The header `Idempotency-Key`, and what makes two requests the same.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use platform::http::problem::{FieldCode, Problem};
use sha2::{Digest, Sha256};

use crate::request::{Errors, Path};

/// The header that a client sends.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Its name as people write it.
const NAME: &str = "Idempotency-Key";
/// The header of an answer that is given again.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Characters of a key at most.
pub(crate) const KEY_CHARACTERS_MAX: usize = 255;

/// A hash of a whole request: the first half of a SHA-256. Nobody gains by a collision: it would
/// be between two requests of one customer under one key.
pub(crate) type RequestHash = [u8; 16];

/// A request that came with a key.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The account of the API key: what keys are unique in.
    pub(crate) account: i64,
    /// 1 to 255 visible ASCII characters.
    pub(crate) key: String,
    pub(crate) hash: RequestHash,
}

impl Asked {
    /// A request with this key.
    ///
    /// What is hashed is the body byte for byte, not what was understood of it: so the same
    /// request is the same whatever this program or its settings make of its fields by then,
    /// and a client that sends a request again sends the bytes it has.
    pub(crate) fn new(account: i64, key: String, method: &Method, path: &str, body: &[u8]) -> Self {
        let mut digest = Sha256::new();
        // Neither a method nor a path holds a zero byte.
        for part in [method.as_str().as_bytes(), path.as_bytes()] {
            digest.update(part);
            digest.update([0]);
        }
        digest.update(body);
        let digest: [u8; 32] = digest.finalize().into();
        let mut hash = RequestHash::default();
        hash.copy_from_slice(&digest[..16]);
        Asked { account, key, hash }
    }
}

/// The key that the headers hold, where they hold one.
///
/// # Errors
/// 400 `invalid_request` that names the header.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refuse(FieldCode::TooMany, "the header stands there twice"));
    }
    let fits = |key: &&str| {
        (1..=KEY_CHARACTERS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let key = value.to_str().ok().filter(fits);
    let expected = "expected 1 to 255 visible ASCII characters, without spaces";
    key.map(|key| Some(key.to_owned())).ok_or_else(|| refuse(FieldCode::OutOfRange, expected))
}

/// The header of an answer that was given before.
pub(crate) fn replayed() -> (HeaderName, HeaderValue) {
    (IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"))
}

fn refuse(code: FieldCode, detail: &str) -> Problem {
    let mut errors = Errors::default();
    errors.add(&Path::Field(&Path::Root, NAME), code, detail);
    errors.into_problem()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(values: &[&[u8]]) -> Result<Option<String>, FieldCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
        }
        key(&headers).map_err(|problem| {
            assert_eq!(problem.errors()[0].field, NAME);
            problem.errors()[0].code
        })
    }

    #[test]
    fn one_header_of_visible_ascii() {
        assert_eq!(of(&[]), Ok(None));
        for good in ["a", "~!\"{}", "8e03978e-40d5-43e8-bc93-6894a57f9324", &"x".repeat(255)] {
            assert_eq!(of(&[good.as_bytes()]), Ok(Some(good.to_owned())));
        }
        for bad in ["", "a b", " ", "a\tb", "کلید", &"x".repeat(256)] {
            assert_eq!(of(&[bad.as_bytes()]), Err(FieldCode::OutOfRange), "{bad}");
        }
        assert_eq!(of(&[b"a\xff"]), Err(FieldCode::OutOfRange));
        assert_eq!(of(&[b"a", b"a"]), Err(FieldCode::TooMany));
    }

    #[test]
    fn method_path_and_body_make_a_request() {
        let hash =
            |method: &Method, path: &str, body: &[u8]| Asked::new(1, "k".into(), method, path, body).hash;
        let first = hash(&Method::POST, "/v1/messages", b"{}");
        assert_eq!(first, hash(&Method::POST, "/v1/messages", b"{}"));
        for other in [
            hash(&Method::PUT, "/v1/messages", b"{}"),
            hash(&Method::POST, "/v1/messages/bulk", b"{}"),
            hash(&Method::POST, "/v1/messages", b"{ }"),
            hash(&Method::POST, "/v1/message", b"s\0{}"),
        ] {
            assert_ne!(first, other);
        }
    }
}
