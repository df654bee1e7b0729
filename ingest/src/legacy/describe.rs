//! The description of the old endpoints: what they take, and how they refuse. Bodies are read by
//! `form` and `fields`.
#![allow(dead_code, reason = "these types describe; nothing builds them")]

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Type};
use utoipa::{IntoResponses, OpenApi, ToSchema};

/// What the paths refer to.
#[derive(OpenApi)]
#[openapi(
    components(schemas(Refused, FieldMessages, Business, Detail)),
    tags((
        name = "legacy",
        description = "The endpoints of the old gateway, which go on working: bodies are JSON or forms, integers may be \
            strings, unknown fields are ignored, Persian and Arabic digits count as digits. Errors have their old \
            shapes. New programs are better off with the others."
    ))
)]
pub(super) struct Description;

/// An integer, or a string that holds one.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LegacyInteger, example = 1)]
pub(super) enum Integer {
    Number(i64),
    Written(String),
}

/// Digits as a string, or a number that has as many.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LegacyReceiver, example = "09123456789")]
pub(super) enum Receiver {
    Written(String),
    Number(i64),
}

/// A boolean, or what passes for one: 1 and 0, `true`, `t`, `yes`, `y`, `on` and their opposites.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LegacyBoolean, example = false)]
pub(super) enum Boolean {
    Truth(bool),
    Number(i64),
    Written(String),
}

/// A string; a number becomes one.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LegacyText, example = "کد ورود: ۱۲۳۴")]
pub(super) enum Text {
    Written(WrittenText),
    Number(f64),
}

/// A text as a string.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyWrittenText, min_length = 1, max_length = 480)]
pub(super) struct WrittenText(String);

/// A charge.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyChargeRequest)]
pub(super) struct ChargeRequest {
    user_id: Integer,
    /// In rial, at least 1.
    amount: Integer,
}

/// A message to send.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacySendRequest)]
pub(super) struct SendRequest {
    user_id: Integer,
    /// A mobile number of 9 to 15 digits, national or with its country code, without `+`.
    receiver: Receiver,
    /// At most 480 characters, and at most 10 segments. White space at its ends is taken off.
    content: Text,
    /// In lane express, at its price.
    #[schema(nullable = false, default = false)]
    is_express: Option<Boolean>,
}

/// A refusal.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = LegacyRefused)]
pub(super) enum Refused {
    Fields(FieldMessages),
    Business(Business),
    Detail(Detail),
}

/// What is wrong, by field.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyFieldMessages, example = json!({"receiver": ["This field is required."]}))]
pub(super) struct FieldMessages(BTreeMap<String, Vec<String>>);

/// Well formed, and not to be done.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyError)]
pub(super) struct Business {
    #[schema(example = "Insufficient funds")]
    error: String,
}

/// Anything else.
#[derive(Serialize, ToSchema)]
#[schema(as = LegacyDetail)]
pub(super) struct Detail {
    #[schema(example = "Authentication credentials were not provided.")]
    detail: String,
}

const FIELDS_OR_ERROR: &str = "Fields are not valid, each with its messages; or the body cannot be read (`detail`); or `error` says why not.";
/// Of every endpoint.
const ALWAYS: &[(StatusCode, &str)] = &[
    (StatusCode::BAD_REQUEST, FIELDS_OR_ERROR),
    (StatusCode::UNAUTHORIZED, "No key, or a wrong one."),
    (StatusCode::FORBIDDEN, "The key is another user's, or lacks the scope."),
    (StatusCode::NOT_FOUND, "There is no such user (said to administrators only), or no such page."),
    (StatusCode::INTERNAL_SERVER_ERROR, "A fault of the gateway."),
    (StatusCode::SERVICE_UNAVAILABLE, "The gateway cannot do this now; see `Retry-After`."),
];
/// Of those that read a body.
const WITH_BODY: &[(StatusCode, &str)] = &[
    (StatusCode::REQUEST_TIMEOUT, "The body came too slowly."),
    (
        StatusCode::CONFLICT,
        "The `Idempotency-Key` stands for another request, or for one that is still running.",
    ),
    (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large (by default 32 KiB)."),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body is neither JSON nor a form."),
];
/// Of the one that sends.
const THROTTLED: &[(StatusCode, &str)] =
    &[(StatusCode::TOO_MANY_REQUESTS, "Above the user's segments a minute; see `Retry-After`.")];

/// Of endpoints that read.
pub(super) struct ReadRefusals;
/// Of endpoints that read a body.
pub(super) struct Refusals;
/// Of the endpoint that sends.
pub(super) struct SendRefusals;

impl IntoResponses for ReadRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS])
    }
}

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, WITH_BODY])
    }
}

impl IntoResponses for SendRefusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        of(&[ALWAYS, WITH_BODY, THROTTLED])
    }
}

fn of(statuses: &[&[(StatusCode, &str)]]) -> BTreeMap<String, RefOr<Response>> {
    let all = statuses.iter().copied().flatten();
    all.map(|(status, when)| (status.as_str().to_owned(), RefOr::T(response(*status, when)))).collect()
}

fn response(status: StatusCode, when: &str) -> Response {
    let schema = if status == StatusCode::BAD_REQUEST { "LegacyRefused" } else { "LegacyDetail" };
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    let response = ResponseBuilder::new().description(when).content("application/json", content);
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(Type::Integer).build();
    let header = HeaderBuilder::new().schema(Some(seconds)).description(Some("Seconds.")).build();
    response.header("Retry-After", header).build()
}
