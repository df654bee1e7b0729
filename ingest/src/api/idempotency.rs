//! The header `Idempotency-Key` of requests that spend or charge.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponseParts, ResponseParts};
use platform::http::problem::Problem;
use utoipa::IntoParams;

use crate::idempotency::{self, Asked, KEY_CHARACTERS_MAX};
use crate::keys::Identity;

/// What a request may be repeated by: its key, where it has one, and where it was sent.
pub(crate) struct Keyed {
    key: Option<String>,
    method: Method,
    path: String,
}

impl<S: Sync> FromRequestParts<S> for Keyed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = idempotency::key(&parts.headers)?;
        Ok(Keyed { key, method: parts.method.clone(), path: parts.uri.path().to_owned() })
    }
}

impl Keyed {
    /// The request, now that its body is read; nothing where it came without a key.
    pub(crate) fn asked(self, caller: &Identity, body: &[u8]) -> Option<Asked> {
        let key = self.key?;
        Some(Asked::new(caller.account, key, &self.method, &self.path, body))
    }
}

/// Says of an answer that it was given before.
pub(crate) struct Replayed(pub(crate) bool);

impl IntoResponseParts for Replayed {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        if self.0 {
            let (name, value) = idempotency::replayed();
            parts.headers_mut().insert(name, value);
        }
        Ok(parts)
    }
}

/// The header, for the description.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "describes what Keyed reads")]
pub(crate) struct IdempotencyKey {
    /// Your own name for this request. The same request with the same key is done once, and
    /// answered the same for 48 hours; another request with it is refused. Visible ASCII
    /// characters.
    #[param(
        rename = "Idempotency-Key",
        max_length = 255,
        min_length = 1,
        pattern = "^[!-~]+$",
        nullable = false
    )]
    idempotency_key: Option<String>,
}

const _: () = assert!(KEY_CHARACTERS_MAX == 255);
