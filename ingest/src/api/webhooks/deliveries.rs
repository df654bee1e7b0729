//! The list of what a webhook endpoint was told.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use platform::http::problem::{FieldCode, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Caller;
use super::super::format::time;
use super::super::problems::FindProblems;
use super::number;
use crate::app::App;
use crate::keys::Scope;
use crate::request::{Errors, Path as Place};
use crate::webhooks::{self, Delivery as Stored};

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 500;
/// Characters of a parameter's name that are repeated in an answer.
const NAME_SHOWN_MAX: usize = 64;

/// What became of one call, and of its repetitions.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub(in crate::api) struct Delivery {
    /// As in the header `webhook-id`.
    #[schema(example = "01970000-0000-7000-8000-000000000000")]
    webhook_id: String,
    /// `pending`: not taken yet; `delivered`; `failed`: given up; `dropped`: the endpoint was
    /// disabled first.
    #[schema(example = "delivered")]
    status: String,
    /// Events in it.
    #[schema(example = 1)]
    events: i16,
    /// Calls that were made.
    #[schema(example = 1)]
    attempts: i32,
    /// What the last was answered.
    #[schema(example = 204)]
    http_status: Option<i16>,
    /// Why the last had no answer, as in the answer to a test.
    #[schema(example = "timeout")]
    error: Option<String>,
    /// How long the last took.
    #[schema(example = 38)]
    duration_ms: Option<i32>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:04.000Z")]
    created_at: String,
    #[schema(format = DateTime, example = "2026-11-21T12:00:04.000Z")]
    last_attempt_at: Option<String>,
    /// Not earlier than this.
    #[schema(format = DateTime, example = "2026-11-21T12:00:09.000Z")]
    next_attempt_at: Option<String>,
}

/// Deliveries, the newest first.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookDeliveries)]
pub(in crate::api) struct Deliveries {
    data: Vec<Delivery>,
    /// What to ask for the next part with, as `cursor`; null where there is none.
    #[schema(example = "4711")]
    next_cursor: Option<String>,
}

/// List what a webhook endpoint was told
///
/// The newest first. Of those that are over, the last 1,000 are kept.
#[utoipa::path(
    get, path = "/v1/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "listWebhookDeliveries",
    params(
        ("id" = String, Path, description = "The endpoint's id.", example = "17"),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 500, by default 50.", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before."),
    ),
    responses((status = 200, description = "The deliveries.", body = Deliveries), FindProblems),
)]
pub(in crate::api) async fn deliveries(
    caller: Caller,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Json<Deliveries>, Problem> {
    caller.require(Scope::Read)?;
    let (limit, before) = parameters(uri.query().unwrap_or_default())?;
    let (pool, endpoint) = (app.pools.common(), number(&id)?);
    webhooks::exists(pool, caller.0.account, endpoint).await?;
    let mut found = webhooks::page(pool, endpoint, before, limit + 1).await?;
    let more = i64::try_from(found.len()).unwrap_or(i64::MAX) > limit;
    found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next_cursor = found.last().filter(|_| more).map(|last| last.id.to_string());
    Ok(Json(Deliveries { data: found.into_iter().map(Delivery::from).collect(), next_cursor }))
}

/// `limit` and `cursor`, each once; no others.
fn parameters(query: &str) -> Result<(i64, Option<i64>), Problem> {
    let (mut errors, mut limit, mut cursor) = (Errors::default(), None, None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let number = value.parse::<i64>().ok().filter(|number| number.to_string() == value);
        let place = Place::Field(&Place::Root, name);
        let (known, most) = match name {
            "limit" => (&mut limit, LIMIT_MAX),
            "cursor" => (&mut cursor, i64::MAX),
            _ => {
                let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
                let place = Place::Field(&Place::Root, &shown);
                errors.add(&place, FieldCode::UnknownField, "known are limit, cursor");
                continue;
            }
        };
        match number {
            _ if known.is_some() => errors.add(&place, FieldCode::WrongType, "it stands there twice"),
            None => errors.wrong_type(&place, "a number"),
            Some(number) if !(1..=most).contains(&number) => {
                errors.add(&place, FieldCode::OutOfRange, format_args!("expected 1 to {most}"));
            }
            Some(number) => *known = Some(number),
        }
    }
    errors.into_result()?;
    Ok((limit.unwrap_or(LIMIT_DEFAULT), cursor))
}

impl From<Stored> for Delivery {
    fn from(stored: Stored) -> Self {
        Delivery {
            webhook_id: stored.webhook_id.to_string(),
            events: stored.messages,
            attempts: stored.attempts,
            http_status: stored.last_status,
            duration_ms: stored.last_ms,
            created_at: time(stored.created_at()),
            last_attempt_at: stored.last_attempt_at().map(time),
            next_attempt_at: stored.due().map(time),
            status: stored.outcome.unwrap_or_else(|| "pending".to_owned()),
            error: stored.last_trouble,
        }
    }
}
