//! Answers about webhook endpoints.

use platform::webhook::WebhookSecret;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::format::time;
use crate::webhooks as store;

/// A webhook endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoint)]
pub(in crate::api) struct Endpoint {
    #[schema(example = "17")]
    id: String,
    #[schema(example = "https://customer.example/sms/events")]
    url: String,
    /// The statuses that it is told.
    #[schema(example = json!(["delivered", "undelivered"]))]
    events: Vec<String>,
    /// Events in one call at most. 1: each by itself, as an object; more: as a list.
    #[schema(example = 1)]
    batch_size: i16,
    /// `enabled`, or `disabled`: it is told nothing any more. Delete it, and make another.
    #[schema(example = "enabled")]
    status: &'static str,
    /// `gone`: it answered 410; `failing`: it took nothing for 48 hours; `backlog`: too much
    /// waited for it.
    #[schema(example = "failing")]
    disabled_reason: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    disabled_at: Option<String>,
    /// Calls in a row that failed.
    #[schema(example = 0)]
    failures: i32,
    /// Events that it was not told, and will not be: given up, or dropped when it was disabled.
    #[schema(example = 0)]
    dropped_events: i64,
    #[schema(format = DateTime, example = "2026-11-21T12:00:04.000Z")]
    last_success_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
}

/// A webhook endpoint that was just made.
#[derive(Serialize, ToSchema)]
#[schema(as = CreatedWebhookEndpoint)]
pub(in crate::api) struct Created {
    #[serde(flatten)]
    endpoint: Endpoint,
    /// What calls are signed with. Not shown again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    secret: String,
}

/// Webhook endpoints.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEndpoints)]
pub(in crate::api) struct Endpoints {
    pub(super) data: Vec<Endpoint>,
    /// Null: they are never so many.
    pub(super) next_cursor: Option<String>,
}

/// The new secret of a webhook endpoint.
#[derive(Serialize, ToSchema)]
#[schema(as = RotatedWebhookSecret)]
pub(in crate::api) struct Rotated {
    #[schema(example = "17")]
    pub(super) id: String,
    /// What calls are signed with. Not shown again.
    #[schema(example = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=")]
    pub(super) secret: String,
    /// Until then the former secret signs too.
    #[schema(format = DateTime, example = "2026-11-22T12:00:00.000Z")]
    pub(super) former_signs_until: String,
}

/// What came of a sample.
#[derive(Serialize, ToSchema)]
#[schema(as = TestedWebhook)]
pub(in crate::api) struct Tested {
    /// Whether the endpoint answered 2xx.
    delivered: bool,
    /// What it answered.
    #[schema(example = 204)]
    http_status: Option<u16>,
    /// Why there was no answer: `timeout`, `no_connection`, `tls`, `no_address`,
    /// `forbidden_address` or `no_http`.
    #[schema(example = "timeout")]
    error: Option<&'static str>,
    #[schema(example = 38)]
    duration_ms: u32,
    /// As in the header `webhook-id`.
    #[schema(example = "01970000-0000-7000-8000-000000000000")]
    webhook_id: String,
}

impl From<store::Endpoint> for Endpoint {
    fn from(endpoint: store::Endpoint) -> Self {
        Endpoint {
            id: endpoint.id.to_string(),
            batch_size: endpoint.batch_size,
            status: if endpoint.disabled_reason.is_some() { "disabled" } else { "enabled" },
            disabled_at: endpoint.disabled_at().map(time),
            failures: endpoint.failures,
            dropped_events: endpoint.dropped,
            last_success_at: endpoint.last_success_at().map(time),
            created_at: time(endpoint.created_at()),
            disabled_reason: endpoint.disabled_reason,
            events: endpoint.events,
            url: endpoint.url,
        }
    }
}

impl Created {
    pub(super) fn new(endpoint: store::Endpoint, secret: &WebhookSecret) -> Self {
        Created { endpoint: endpoint.into(), secret: secret.shown() }
    }
}

impl From<store::Tested> for Tested {
    fn from(tested: store::Tested) -> Self {
        let called = tested.called;
        Tested {
            delivered: called.is_taken(),
            http_status: called.answer.ok(),
            error: called.answer.err().map(|trouble| trouble.as_str()),
            duration_ms: called.took_ms,
            webhook_id: tested.id.to_string(),
        }
    }
}
