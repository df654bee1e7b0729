//! Who calls: the key in `Authorization: Bearer` or `X-API-Key`.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, header};
use platform::http::problem::{Code, Problem};

use crate::app::App;
use crate::keys::{Identity, Key, Refused, Scope};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What sending is answered with while the account may not.
const SUSPENDED: &str =
    "the account is suspended: it may read, and not send; what was accepted before goes on";

/// The caller, whose key is known. Handlers ask it for the scope they need.
pub(crate) struct Caller(pub(crate) Arc<Identity>);

impl Caller {
    /// # Errors
    /// 403 `forbidden` where the key does not have the scope, or is to send for an account that
    /// is suspended.
    pub(super) fn require(&self, scope: Scope) -> Result<(), Problem> {
        let forbidden = |detail: String| Err(Problem::new(Code::Forbidden).detail(detail));
        if !self.may(scope) {
            return forbidden(format!("this needs a key with the scope {scope}"));
        }
        if scope == Scope::Send && self.0.suspended {
            return forbidden(SUSPENDED.to_owned());
        }
        Ok(())
    }

    /// Whether the key has the scope.
    pub(super) fn may(&self, scope: Scope) -> bool {
        self.0.scopes.contains(&scope)
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let key = key(&parts.headers)?;
        let identity = app.keys.identity(key).await.map_err(|refused| match *refused {
            Refused::Unknown => unauthenticated("the key is unknown or revoked"),
            Refused::Unreadable(_) => {
                tracing::warn!(error = %refused, "a key could not be checked");
                Problem::new(Code::Unavailable).detail("keys cannot be checked now; nothing was taken")
            }
        })?;
        Ok(Caller(identity))
    }
}

/// Whether a request has anything where a key is to be.
pub(crate) fn sends_a_key(headers: &HeaderMap) -> bool {
    headers.contains_key(header::AUTHORIZATION) || headers.contains_key(X_API_KEY)
}

/// The one key that the headers hold.
fn key(headers: &HeaderMap) -> Result<Key, Problem> {
    let bearer = one(headers, &header::AUTHORIZATION)?.map(|value| {
        let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        token
            .map(|(_, token)| token.trim())
            .ok_or_else(|| unauthenticated("expected Authorization: Bearer sk_…"))
    });
    let (bearer, plain) = (bearer.transpose()?, one(headers, &X_API_KEY)?.map(str::trim));
    let sent = match (bearer, plain) {
        (Some(bearer), Some(plain)) if bearer != plain => {
            return Err(unauthenticated("Authorization and X-API-Key hold different keys"));
        }
        (Some(sent), _) | (None, Some(sent)) => sent,
        (None, None) => return Err(unauthenticated("send your key as Authorization: Bearer sk_…")),
    };
    // What is plainly no key is answered as an unknown one is.
    Key::parse(sent).ok_or_else(|| unauthenticated("the key is unknown or revoked"))
}

fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(unauthenticated("the header with the key stands there twice"));
    }
    let text =
        first.map(|value| value.to_str().map_err(|_| unauthenticated("the key is unknown or revoked")));
    text.transpose()
}

fn unauthenticated(detail: &'static str) -> Problem {
    Problem::new(Code::Unauthenticated).detail(detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(pairs: &[(&'static str, &str)]) -> Result<Key, Code> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        key(&headers).map_err(|problem| problem.code())
    }

    #[test]
    fn one_key_however_it_is_sent() {
        let (a, b) = (format!("sk_{}", "a".repeat(43)), format!("sk_{}", "b".repeat(43)));
        let known = Key::parse(&a);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            assert_eq!(of(&[("authorization", &format!("{scheme} {a}"))]).ok(), known);
        }
        assert_eq!(of(&[("x-api-key", &a)]).ok(), known);
        assert_eq!(of(&[("authorization", &format!("Bearer {a}")), ("x-api-key", &a)]).ok(), known);

        let bearer = format!("Bearer {a}");
        let refused: [&[(&str, &str)]; 8] = [
            &[],
            &[("authorization", &a)],
            &[("authorization", &format!("Basic {a}"))],
            &[("authorization", "Bearer")],
            &[("authorization", &bearer), ("x-api-key", &b)],
            &[("authorization", &bearer), ("authorization", &bearer)],
            &[("x-api-key", &a), ("x-api-key", &a)],
            &[("x-api-key", "sk_short")],
        ];
        for headers in refused {
            assert_eq!(of(headers), Err(Code::Unauthenticated), "{headers:?}");
        }
    }
}
