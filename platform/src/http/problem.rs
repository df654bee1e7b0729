//! Errors as a customer sees them: RFC 9457, `application/problem+json`.
//!
//! `type` is the relative reference `/problems/<code>`: stable, one for each [`Code`], and valid whatever host
//! the gateway is installed at. A client decides by `code` (and `status`), never by `title` or `detail`,
//! which are for people and may change.

mod code;
mod field;
mod render;

use std::borrow::Cow;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::{Map, Value};

pub use code::Code;
pub use field::{FieldCode, FieldError};
pub(super) use render::complete;

/// An error to answer a request with. Handlers return it; the conventions fill in `request_id`.
#[derive(Debug, Clone)]
pub struct Problem(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    code: Code,
    detail: Option<Cow<'static, str>>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// With the status, title and headers that belong to the code.
    pub fn new(code: Code) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(seconds) = code.default_retry_after_seconds() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        Self(Box::new(Inner { code, detail: None, errors: Vec::new(), members: Map::new(), headers }))
    }

    /// 400 `invalid_request` for these fields.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(Code::InvalidRequest);
        problem.0.errors = errors;
        problem
    }

    /// What was wrong this time, in a sentence. Shown to the customer only; not logged.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// A further member of the body (`balance`, `required`, `currency`).
    #[must_use]
    pub fn member(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.members.insert(name.to_owned(), value.into());
        self
    }

    /// A header of the answer (`RateLimit-*`).
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// `Retry-After`, in seconds.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The code, for metrics and tests.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// A member that is a number: for whoever gives the same answer again.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.members.get(name)?.as_i64()
    }

    /// What was wrong this time, for those who answer in another form.
    pub fn said(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// The headers of the answer, for the same.
    pub fn headers(&self) -> &HeaderMap {
        &self.0.headers
    }

    /// The field errors, for tests.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }
}

#[cfg(test)]
mod tests;
