//! The closed list of what can go wrong.

use axum::http::StatusCode;
use serde::Serialize;

/// The error codes of api.md, and `internal_error`, which is a defect of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the contract; their meaning stands in api.md")]
pub enum Code {
    InvalidRequest,
    MalformedJson,
    MalformedRow,
    Unauthenticated,
    Forbidden,
    InsufficientFunds,
    NotFound,
    MethodNotAllowed,
    IdempotencyConflict,
    IdempotencyInProgress,
    UploadMismatch,
    RequestTimeout,
    BodyTooLarge,
    UnsupportedMediaType,
    RateLimited,
    InternalError,
    Overloaded,
    Unavailable,
}

impl Code {
    /// All codes, in the order of their status.
    pub const ALL: [Self; 18] = [
        Self::InvalidRequest,
        Self::MalformedJson,
        Self::MalformedRow,
        Self::Unauthenticated,
        Self::InsufficientFunds,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::RequestTimeout,
        Self::IdempotencyConflict,
        Self::IdempotencyInProgress,
        Self::UploadMismatch,
        Self::BodyTooLarge,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::InternalError,
        Self::Overloaded,
        Self::Unavailable,
    ];

    /// The word, its status and its title.
    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::InvalidRequest => ("invalid_request", S::BAD_REQUEST, "The request is not valid"),
            Self::MalformedJson => ("malformed_json", S::BAD_REQUEST, "The body is not JSON"),
            Self::MalformedRow => ("malformed_row", S::BAD_REQUEST, "A row of the file cannot be read"),
            Self::Unauthenticated => ("unauthenticated", S::UNAUTHORIZED, "The key is missing or unknown"),
            Self::InsufficientFunds => {
                ("insufficient_funds", S::PAYMENT_REQUIRED, "The balance does not cover this")
            }
            Self::Forbidden => ("forbidden", S::FORBIDDEN, "The key does not allow this"),
            Self::NotFound => ("not_found", S::NOT_FOUND, "There is no such thing"),
            Self::MethodNotAllowed => {
                ("method_not_allowed", S::METHOD_NOT_ALLOWED, "The path does not have this method")
            }
            Self::RequestTimeout => ("request_timeout", S::REQUEST_TIMEOUT, "The request came too slowly"),
            Self::IdempotencyConflict => {
                ("idempotency_conflict", S::CONFLICT, "The Idempotency-Key was used for another request")
            }
            Self::IdempotencyInProgress => {
                ("idempotency_in_progress", S::CONFLICT, "The first request with this key is still running")
            }
            Self::UploadMismatch => {
                ("upload_mismatch", S::CONFLICT, "The file differs from what was accepted of it")
            }
            Self::BodyTooLarge => ("body_too_large", S::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::UnsupportedMediaType => {
                ("unsupported_media_type", S::UNSUPPORTED_MEDIA_TYPE, "The Content-Type is not taken here")
            }
            Self::RateLimited => ("rate_limited", S::TOO_MANY_REQUESTS, "Too many requests"),
            Self::InternalError => ("internal_error", S::INTERNAL_SERVER_ERROR, "A fault of the gateway"),
            Self::Overloaded => ("overloaded", S::SERVICE_UNAVAILABLE, "The gateway is overloaded"),
            Self::Unavailable => ("unavailable", S::SERVICE_UNAVAILABLE, "The gateway cannot do this now"),
        }
    }

    /// The word that clients decide by.
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> StatusCode {
        self.row().1
    }

    /// The same sentence at every occurrence.
    pub const fn title(self) -> &'static str {
        self.row().2
    }

    /// api.md promises `Retry-After` with these; handlers that know better set it themselves.
    pub(super) const fn default_retry_after_seconds(self) -> Option<u64> {
        match self {
            Self::IdempotencyInProgress | Self::RateLimited | Self::Overloaded | Self::Unavailable => Some(1),
            _ => None,
        }
    }

    /// The code for a refusal that came as a bare status from a library.
    pub(super) fn of_status(status: StatusCode) -> Self {
        let exact = Self::ALL.into_iter().find(|code| code.status() == status);
        let class = if status.is_server_error() { Self::InternalError } else { Self::InvalidRequest };
        exact.unwrap_or(class)
    }
}
