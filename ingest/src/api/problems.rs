//! The errors of each kind of endpoint, for the description.

use std::collections::BTreeMap;

use platform::http::problem::Code;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, Ref, RefOr};
use utoipa::{IntoResponses, ToSchema};

/// What is wrong (RFC 9457). `type`, `title` and `detail` are for people; decide by `code`.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "describes what platform::http writes")]
pub(super) struct ProblemDocument {
    #[schema(example = "/problems/invalid_request")]
    r#type: String,
    #[schema(example = "The request is not valid")]
    title: String,
    #[schema(example = 400)]
    status: u16,
    #[schema(nullable = false)]
    detail: Option<String>,
    #[schema(example = "invalid_request")]
    code: String,
    #[schema(example = "01970000-0000-7000-8000-000000000000")]
    request_id: String,
    /// With `invalid_request`: every faulty field, at most 100, and then how many more.
    #[schema(nullable = false)]
    errors: Option<Vec<FieldProblem>>,
    /// With `insufficient_funds`.
    #[schema(nullable = false)]
    balance: Option<i64>,
    /// With `insufficient_funds`: what the call would cost.
    #[schema(nullable = false)]
    required: Option<i64>,
    /// With `insufficient_funds`.
    #[schema(nullable = false)]
    currency: Option<String>,
    /// With errors of an upload: how many rows of the file are taken in.
    #[schema(nullable = false)]
    rows: Option<u64>,
    /// With errors of an upload: how many of these are accepted and paid for.
    #[schema(nullable = false)]
    accepted: Option<u64>,
    /// With errors of an upload: how many of these were left out.
    #[schema(nullable = false)]
    invalid: Option<u64>,
    /// With `malformed_row`: its number, from 1.
    #[schema(nullable = false)]
    row: Option<u64>,
    /// With `malformed_json`, from 1.
    #[schema(nullable = false)]
    line: Option<u32>,
    /// With `malformed_json`, from 1.
    #[schema(nullable = false)]
    column: Option<u32>,
}

/// What is wrong with one field.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes what platform::http writes")]
pub(super) struct FieldProblem {
    #[schema(example = "messages[17].to")]
    field: String,
    /// `required`, `wrong_type`, `unknown_field`, `out_of_range`, `too_many`, `text_empty`,
    /// `text_too_long`, `invalid_recipient`, `unsupported_country`, `recipient_blocked` or
    /// `from_not_allowed`.
    #[schema(example = "invalid_recipient")]
    code: String,
    detail: String,
}

/// Of every endpoint under `/v1`.
const ALWAYS: &[Code] =
    &[Code::InvalidRequest, Code::Unauthenticated, Code::Forbidden, Code::InternalError, Code::Unavailable];
/// Of endpoints that read a body.
const WITH_BODY: &[Code] =
    &[Code::MalformedJson, Code::RequestTimeout, Code::BodyTooLarge, Code::UnsupportedMediaType];

/// Of endpoints that take an `Idempotency-Key`.
const KEYED: &[Code] = &[Code::IdempotencyConflict, Code::IdempotencyInProgress];

/// Of endpoints that send.
pub(super) struct SendProblems;
/// Of the endpoint that sends one message.
pub(super) struct MessageProblems;
/// Of endpoints that read a body and send nothing.
pub(super) struct CostProblems;
/// Of the endpoint that charges.
pub(super) struct ChargeProblems;
/// Of endpoints that read.
pub(super) struct ReadProblems;
/// Of endpoints that read one thing.
pub(super) struct FindProblems;
/// Of the endpoint that takes the rows of a campaign.
pub(super) struct UploadProblems;
/// Of endpoints that read a body about one thing.
pub(super) struct EditProblems;
/// Of the endpoint that sends a sample.
pub(super) struct TestProblems;
/// Of endpoints that read a file and store it.
pub(super) struct ImportProblems;
/// Of the endpoint that takes receipts.
pub(super) struct PushProblems;

impl IntoResponses for ChargeProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, WITH_BODY, KEYED, &[Code::NotFound]])
    }
}

impl IntoResponses for SendProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, WITH_BODY, KEYED, &[Code::InsufficientFunds, Code::Overloaded]])
    }
}

impl IntoResponses for MessageProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, WITH_BODY, KEYED, &[Code::InsufficientFunds, Code::RateLimited, Code::Overloaded]])
    }
}

impl IntoResponses for CostProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, WITH_BODY])
    }
}

impl IntoResponses for ReadProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS])
    }
}

impl IntoResponses for FindProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, &[Code::NotFound]])
    }
}

impl IntoResponses for UploadProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let own = &[
            Code::MalformedRow,
            Code::InsufficientFunds,
            Code::NotFound,
            Code::RequestTimeout,
            Code::IdempotencyInProgress,
            Code::UploadMismatch,
            Code::BodyTooLarge,
            Code::UnsupportedMediaType,
            Code::Overloaded,
        ];
        said(&[ALWAYS, own], when_uploaded)
    }
}

impl IntoResponses for EditProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, WITH_BODY, &[Code::NotFound]])
    }
}

impl IntoResponses for TestProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, &[Code::NotFound, Code::Overloaded]])
    }
}

impl IntoResponses for ImportProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let own = &[Code::RequestTimeout, Code::BodyTooLarge, Code::UnsupportedMediaType, Code::Overloaded];
        said(&[ALWAYS, own], when_imported)
    }
}

impl IntoResponses for PushProblems {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let own = &[
            Code::InvalidRequest,
            Code::Unauthenticated,
            Code::NotFound,
            Code::InternalError,
            Code::Overloaded,
            Code::Unavailable,
        ];
        said(&[own, WITH_BODY], when_pushed)
    }
}

fn of(codes: &[&[Code]]) -> BTreeMap<String, RefOr<Response>> {
    said(codes, when)
}

fn said(codes: &[&[Code]], when: fn(Code) -> &'static str) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<String, Vec<Code>> = BTreeMap::new();
    for code in codes.iter().copied().flatten() {
        by_status.entry(code.status().as_str().to_owned()).or_default().push(*code);
    }
    by_status.into_iter().map(|(status, codes)| (status, RefOr::T(response(&codes, when)))).collect()
}

/// The answer with one status, which may have several codes.
fn response(codes: &[Code], when: fn(Code) -> &'static str) -> Response {
    let sentences: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}", code.as_str(), when(*code))).collect();
    let examples = codes.iter().map(|code| {
        let example = ExampleBuilder::new().summary(code.title()).value(Some(example(*code))).build();
        (code.as_str(), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples.collect::<Vec<_>>())
        .build();
    let response =
        ResponseBuilder::new().description(sentences.join(" ")).content("application/problem+json", content);
    let later = |code: &Code| {
        matches!(code, Code::Unavailable | Code::Overloaded | Code::RateLimited | Code::IdempotencyInProgress)
    };
    if !codes.iter().any(later) {
        return response.build();
    }
    let seconds = utoipa::openapi::ObjectBuilder::new().schema_type(utoipa::openapi::Type::Integer).build();
    let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds.")).build();
    response.header("Retry-After", header).build()
}

/// When an endpoint answers so.
const fn when(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest => "fields or query parameters are not valid; `errors` names them all.",
        Code::MalformedJson => "the body is not JSON, or has a key twice; `line` and `column` say where.",
        Code::Unauthenticated => "the key is missing, unknown or revoked, or two different ones were sent.",
        Code::InsufficientFunds => "the balance does not cover the call; nothing was taken.",
        Code::Forbidden => "the key does not have the scope, or is to send for a suspended account.",
        Code::NotFound => "there is no such thing, it is another account's, or it is not recorded yet.",
        Code::IdempotencyConflict => "the `Idempotency-Key` was used for another request.",
        Code::IdempotencyInProgress => {
            "the first request with this `Idempotency-Key` is still running: send the same again later."
        }
        Code::RequestTimeout => "the body came too slowly.",
        Code::BodyTooLarge => {
            "the body is too large (by default 32 KiB for one message, 16 MiB for a bulk call)."
        }
        Code::UnsupportedMediaType => "the body is not sent as `application/json`, or is compressed.",
        Code::RateLimited => {
            "the account has sent its segments of this minute in this lane; nothing was taken."
        }
        Code::Overloaded => "too much is waiting; nothing was taken.",
        Code::Unavailable => {
            "a part of the gateway cannot be reached. `detail` says whether nothing was taken or the outcome is unknown."
        }
        _ => "a fault of the gateway.",
    }
}

/// When an endpoint that stores a file answers so.
const fn when_imported(code: Code) -> &'static str {
    match code {
        Code::BodyTooLarge => "the file is too large.",
        Code::UnsupportedMediaType => "the file is not sent as `text/csv` or `text/plain`, or is compressed.",
        Code::Overloaded => "too many files at once; nothing was taken.",
        Code::RequestTimeout => "the file came too slowly; what came is stored.",
        Code::Unavailable => "a part of the gateway cannot be reached: send the file again.",
        other => when(other),
    }
}

/// When the endpoint that takes the rows of a campaign answers so.
const fn when_uploaded(code: Code) -> &'static str {
    match code {
        Code::InvalidRequest => {
            "the header row lacks a column, the body broke off or is not gzip, or the campaign takes no rows any more."
        }
        Code::MalformedRow => {
            "`row` cannot be read, or stops the upload where `on_error` is `stop`; the rows before it are taken in."
        }
        Code::InsufficientFunds => {
            "the balance does not cover the next rows: charge the account, then send the same file again."
        }
        Code::RequestTimeout => "the body came too slowly; send the same file again to go on.",
        Code::IdempotencyInProgress => "another upload of this campaign is running.",
        Code::UploadMismatch => "the file does not begin with the rows that were taken in.",
        Code::BodyTooLarge => "the compressed body becomes larger by more than a file of rows does.",
        Code::UnsupportedMediaType => {
            "the body is neither `text/csv` nor `application/x-ndjson`, or compressed otherwise than with gzip."
        }
        Code::Overloaded => {
            "too many uploads at once, or too much is waiting; send the same file again to go on."
        }
        Code::Unavailable => "a part of the gateway cannot be reached; send the same file again to go on.",
        other => when(other),
    }
}

/// When the endpoint that takes receipts answers so.
const fn when_pushed(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => "the secret is missing or wrong.",
        Code::NotFound => "no receipts of such a connector are taken here.",
        Code::BodyTooLarge => "the body is too large (by default 256 KiB).",
        Code::Unavailable => "the receipts are not confirmed to be stored: push all of them again.",
        other => when(other),
    }
}

fn example(code: Code) -> Value {
    let mut example = json!({
        "type": format!("/problems/{}", code.as_str()),
        "title": code.title(),
        "status": code.status().as_u16(),
        "code": code.as_str(),
        "request_id": "01970000-0000-7000-8000-000000000000",
    });
    match code {
        Code::InvalidRequest => {
            let detail = "expected a mobile number in national form, or with + and its country code";
            example["errors"] =
                json!([{"field": "messages[17].to", "code": "invalid_recipient", "detail": detail}]);
        }
        Code::MalformedJson => {
            example["detail"] = json!("line 1, column 17: expected `,` or `}`");
            example["line"] = json!(1);
            example["column"] = json!(17);
        }
        Code::InsufficientFunds => {
            example["balance"] = json!(500);
            example["required"] = json!(1500);
            example["currency"] = json!("IRR");
        }
        _ => {}
    }
    example
}
