//! What is wrong with one field of a request.

use serde::Serialize;

/// The field codes of api.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the names are the contract; their meaning stands in api.md")]
pub enum FieldCode {
    Required,
    WrongType,
    UnknownField,
    InvalidRecipient,
    UnsupportedCountry,
    RecipientBlocked,
    TextEmpty,
    TextTooLong,
    FromNotAllowed,
    OutOfRange,
    TooMany,
}

/// One entry of `errors`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The path of the field: `to`, `messages[17].to`, or a query parameter's name.
    pub field: String,
    /// What clients decide by.
    pub code: FieldCode,
    /// A sentence for a person.
    pub detail: String,
}

impl FieldError {
    /// A field and what is wrong with it.
    pub fn new(field: impl Into<String>, code: FieldCode, detail: impl Into<String>) -> Self {
        Self { field: field.into(), code, detail: detail.into() }
    }
}
