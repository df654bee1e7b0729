//! The description of the API as a whole, and of the bodies it takes. Bodies are read by
//! `request`; a test holds these descriptions against it.
#![allow(dead_code, reason = "these types describe; nothing builds them")]

mod admin;

use serde::Serialize;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};

pub(super) use admin::{
    AccountChange, ChargeRequest, KeyRotation, LineRequest, NewAccount, NewKeyRequest, NewTariff,
};

use super::problems::{FieldProblem, ProblemDocument};
use super::webhooks::described;

/// The description without its paths.
pub(super) fn api() -> utoipa::openapi::OpenApi {
    let mut description = Description::openapi();
    description.components.get_or_insert_default().schemas.extend(described());
    description
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "smshub",
        description = "Send SMS messages, one at a time or in bulk, and read what became of them.\n\n\
            Bodies are JSON in UTF-8. Fields and query parameters that are not described here are refused; so are \
            keys that stand in an object twice. `null` for an optional field is the same as leaving it out. Integers \
            are written as integers (`1`, not `1.0` or `\"1\"`). Ids are strings. Amounts are integers of the smallest \
            unit of `currency`. Times are RFC 3339 in UTC.\n\n\
            Texts may hold line feeds, carriage returns, tabs and form feeds, but no other control characters, and a \
            `\\u` escape of half a surrogate pair is not JSON here.\n\n\
            Every answer carries `Request-Id`: that of the request (1 to 128 visible ASCII characters), or a new one. \
            Errors are `application/problem+json`; decide by `code`.",
        license(name = "MIT OR Apache-2.0")
    ),
    servers((url = "/")),
    components(schemas(ProblemDocument, FieldProblem)),
    modifiers(&Keys),
    security(("bearer" = []), ("x_api_key" = [])),
    tags(
        (name = "messages", description = "Sending messages, and what became of them."),
        (name = "campaigns", description = "A text with places, and a file of rows that fill them, of any length."),
        (name = "money", description = "The prepaid balance."),
        (name = "admin", description = "For administrators: accounts, keys, prices, lines, and what was changed. \
            Needs a key with the scope `admin`; lists take `limit` and `cursor`."),
        (name = "webhooks", description = "Being told what becomes of messages."),
        (name = "opt-outs", description = "People who do not want to be written to."),
        (name = "receipts", description = "For operators: what became of messages that they took.")
    )
)]
struct Description;

struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("sk_…")
            .description(Some("Your key. Scopes: `send`, `read`, `charge`, `admin`."))
            .build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
        let header = ApiKeyValue::with_description("X-API-Key", "The same key, in a header of its own.");
        components.add_security_scheme("x_api_key", SecurityScheme::ApiKey(ApiKey::Header(header)));
        let header =
            ApiKeyValue::with_description("X-Receipt-Secret", "The secret of the connector, for operators.");
        components.add_security_scheme("receipt_secret", SecurityScheme::ApiKey(ApiKey::Header(header)));
    }
}

/// A message to send.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageRequest {
    /// A mobile number: national, or with `+` and its country code. Persian and Arabic digits,
    /// spaces, dashes, dots and parentheses are taken.
    #[schema(max_length = 32, example = "0912 345 6789")]
    to: String,
    /// At most 10 segments (of 160 or 70 characters alone, 153 or 67 in several).
    #[schema(min_length = 1, max_length = 1530, example = "کد ورود: ۱۲۳۴")]
    text: String,
    /// The price follows it.
    #[schema(default = "standard", example = "express")]
    lane: Option<MessageLane>,
    /// A sender line of the account; its default line where not given.
    #[schema(example = "100002")]
    from: Option<String>,
    /// Not handed to an operator after so many seconds, and refunded. By default 300 for
    /// express, 86,400 for standard.
    #[schema(minimum = 30, maximum = 259200, example = 300)]
    ttl_seconds: Option<u32>,
    /// Your own; shown in reports.
    #[schema(max_length = 64, example = "login-77")]
    reference: Option<String>,
}

/// The lanes of single messages.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum MessageLane {
    Express,
    Standard,
}

/// Messages to send, in one of two forms.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum BulkRequest {
    /// One text to many.
    OneText(BulkOneText),
    /// Many, each with its own text.
    Messages(BulkMessages),
}

/// One text to many recipients.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkOneText {
    /// At most 10 segments.
    #[schema(min_length = 1, max_length = 1530, example = "جشنواره از فردا")]
    text: String,
    #[schema(min_items = 1, max_items = 10000, example = json!(["09123456789", "+98 935 123 45 67"]))]
    to: Vec<String>,
    /// The price follows it. A standard call of more than 1,000 messages travels in lane bulk.
    #[schema(default = "bulk", example = "bulk")]
    lane: Option<BulkLane>,
    /// A sender line of the account; its default line where not given.
    #[schema(example = "100002")]
    from: Option<String>,
    /// By default 259,200 for bulk, 86,400 for standard.
    #[schema(minimum = 30, maximum = 259200, example = 86400)]
    ttl_seconds: Option<u32>,
    /// Your own, for all messages.
    #[schema(max_length = 64, example = "autumn-1")]
    reference: Option<String>,
    #[schema(default = "skip", example = "skip")]
    on_invalid: Option<OnInvalid>,
}

/// Many messages, each with its own text.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkMessages {
    #[schema(min_items = 1, max_items = 10000)]
    messages: Vec<BulkMessage>,
    /// The price follows it. A standard call of more than 1,000 messages travels in lane bulk.
    #[schema(default = "bulk", example = "bulk")]
    lane: Option<BulkLane>,
    /// A sender line of the account; its default line where not given.
    #[schema(example = "100002")]
    from: Option<String>,
    /// By default 259,200 for bulk, 86,400 for standard.
    #[schema(minimum = 30, maximum = 259200, example = 86400)]
    ttl_seconds: Option<u32>,
    /// For the messages that have none of their own.
    #[schema(max_length = 64, example = "autumn-1")]
    reference: Option<String>,
    #[schema(default = "skip", example = "skip")]
    on_invalid: Option<OnInvalid>,
}

/// One message of many.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BulkMessage {
    #[schema(max_length = 32, example = "09123456789")]
    to: String,
    #[schema(min_length = 1, max_length = 1530, example = "سارای عزیز، سفارش شما رسید")]
    text: String,
    #[schema(max_length = 64, example = "order-1001")]
    reference: Option<String>,
}

/// The lanes of bulk calls.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum BulkLane {
    Bulk,
    Standard,
}

/// What is done with a list of which some messages are not valid: the others are sent, or none is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnInvalid {
    Skip,
    RejectAll,
}

/// A recipient who opts out.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OptOutRequest {
    /// A mobile number, written as that of a recipient.
    #[schema(max_length = 32, example = "0912 345 6789")]
    number: String,
    /// A sender line of the account; all of them where not given.
    #[schema(example = "100002")]
    line: Option<String>,
}

/// A campaign to make.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CampaignRequest {
    /// For people.
    #[schema(min_length = 1, max_length = 200, example = "autumn")]
    name: String,
    /// `{name}` is filled from the column, or field, of that name; `{{` and `}}` are braces. With
    /// its places filled at most 10 segments.
    #[schema(min_length = 1, example = "سلام {name}، جشنواره از فردا")]
    text: String,
    /// A sender line of the account; its default line where not given.
    #[schema(example = "100002")]
    from: Option<String>,
    /// Messages are not handed to an operator so many seconds after their row was taken in.
    #[schema(minimum = 30, maximum = 259200, default = 259200, example = 86400)]
    ttl_seconds: Option<u32>,
    #[schema(default = "skip", example = "skip")]
    on_error: Option<OnError>,
}

/// What a row's fault does: the row is left out, or the upload stops in front of it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnError {
    Skip,
    Stop,
}

/// What an operator says of one message.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PushedReceipt {
    /// The id that came with the message; a string of its digits is taken, too. Either this or
    /// `mid`.
    #[schema(minimum = 1, nullable = false, example = 117594862387200000_i64)]
    uid: Option<i64>,
    /// The operator's own id of the message, where the connector is set to that
    /// (`ingest.receipts.<connector>.by_operator_id`); a number is taken, too.
    #[schema(min_length = 1, max_length = 64, nullable = false, example = "134512228059")]
    mid: Option<String>,
    /// The operator's own code. One that is not known says nothing, and is kept.
    #[schema(minimum = -32768, maximum = 32767, example = 1)]
    status: i16,
    /// When, in the operator's words. Kept nowhere: what counts is when we heard of it.
    #[schema(max_length = 64, example = "2026-11-21 15:30:00")]
    date: Option<String>,
}
