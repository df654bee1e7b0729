//! The description of what a webhook endpoint is made of, and of what it is told.
#![allow(dead_code, reason = "these types describe; nothing builds them")]

use serde::Serialize;
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A webhook endpoint to make.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpointRequest)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct EndpointRequest {
    /// `https`, on the public internet; no user name in it. The port is 443, 80 or one from 1024
    /// on.
    #[schema(max_length = 2048, example = "https://customer.example/sms/events")]
    url: String,
    /// The statuses that it is told; all where not given.
    #[schema(min_items = 1, max_items = 16, example = json!(["delivered", "undelivered"]))]
    events: Option<Vec<EventWord>>,
    /// Events in one call at most. 1: each by itself, as an object; more: as a list of what has
    /// happened since the last call.
    #[schema(minimum = 1, maximum = 500, default = 1, example = 1)]
    batch_size: Option<u32>,
}

/// Statuses that endpoints are told.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEvent)]
#[serde(rename_all = "snake_case")]
pub(in crate::api) enum EventWord {
    Sent,
    Delivered,
    Undelivered,
    Failed,
    Expired,
    Refused,
    Blocked,
    Canceled,
}

/// What an endpoint is told, as the body of a POST with the headers `webhook-id`,
/// `webhook-timestamp` and `webhook-signature`.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct WebhookCall {
    /// `message.status`, with one message in `data`; `message.status.batch`, with a list of them;
    /// or `webhook.test`, with a sample of either.
    #[schema(example = "message.status")]
    r#type: String,
    /// When the (last) status was given.
    #[schema(format = DateTime, example = "2026-11-21T12:00:04.000Z")]
    timestamp: String,
    data: WebhookData,
}

/// One message, or several.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(in crate::api) enum WebhookData {
    One(Box<WebhookMessage>),
    Several(Vec<WebhookMessage>),
}

/// A message when it got a status: fields of `GET /v1/messages/{id}`.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct WebhookMessage {
    #[schema(example = "117594862387200000")]
    id: String,
    status: EventWord,
    #[schema(example = "unconfirmed")]
    reason: Option<String>,
    #[schema(example = 8)]
    operator_code: Option<i16>,
    #[schema(example = "+989123456789")]
    to: Option<String>,
    #[schema(example = "100002")]
    from: Option<String>,
    #[schema(example = "login-77")]
    reference: Option<String>,
    #[schema(example = "42")]
    campaign_id: Option<String>,
    #[schema(example = 1)]
    segments: Option<u8>,
    #[schema(example = 1500)]
    price: i64,
    #[schema(example = 0)]
    refunded: i64,
    #[schema(example = "IRR")]
    currency: String,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
    #[schema(format = DateTime, example = "2026-11-21T12:00:01.000Z")]
    sent_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:04.000Z")]
    final_at: Option<String>,
}

/// The schemas of what endpoints are told: no answer of ours names them.
pub(in crate::api) fn described() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = vec![("WebhookCall".to_owned(), WebhookCall::schema())];
    WebhookCall::schemas(&mut schemas);
    schemas
}
