//! Query parameters of endpoints that have none.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use platform::http::problem::{FieldCode, Problem};

use crate::request::{Errors, Path};

/// Characters of a parameter's name that are repeated in an answer.
const NAME_SHOWN_MAX: usize = 64;

/// The request has no query parameters; any is an `unknown_field`.
pub(super) struct NoQuery;

impl<S: Sync> FromRequestParts<S> for NoQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut errors = Errors::default();
        for parameter in parts.uri.query().unwrap_or_default().split('&').filter(|name| !name.is_empty()) {
            let name = parameter.split('=').next().unwrap_or_default();
            let shown = shown(name);
            errors.add(
                &Path::Field(&Path::Root, &shown),
                FieldCode::UnknownField,
                "no parameters are known here",
            );
        }
        errors.into_result().map(|()| NoQuery)
    }
}

/// A parameter's name as it is repeated in an answer.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(NAME_SHOWN_MAX).collect()
}
