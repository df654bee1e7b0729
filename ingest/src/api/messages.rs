//! One message: sending it, and what it would cost.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use bytes::Bytes;
use domain::money::Money;
use domain::phone::Msisdn;
use domain::status::Status;
use platform::http::problem::Problem;
use platform::ownership::clock::unix_now;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::bodies::read_json;
use super::describe::MessageRequest;
use super::format::time;
use super::idempotency::{IdempotencyKey, Keyed, Replayed};
use super::problems::{CostProblems, MessageProblems};
use super::query::NoQuery;
use crate::app::App;
use crate::chunking::cut;
use crate::idempotency::{Body, Once, Prepared, once};
use crate::keys::Scope;
use crate::prepare::{self, Context, Ground, Message};
use crate::rates::Allowance;
use crate::rules::Measured;
use crate::submit::Submitted;

/// A message that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct Accepted {
    /// The message's id.
    #[schema(example = "117594862387200000")]
    id: String,
    #[schema(example = "queued")]
    status: &'static str,
    /// The recipient in international form.
    #[schema(example = "+989123456789")]
    to: String,
    /// The sender line.
    #[schema(example = "100002")]
    from: String,
    #[schema(example = "express")]
    lane: &'static str,
    /// `gsm7` or `ucs2`.
    #[schema(example = "ucs2")]
    encoding: &'static str,
    #[schema(example = 1)]
    segments: u8,
    /// In the smallest unit of the currency.
    #[schema(example = 1500)]
    price: i64,
    #[schema(example = "IRR")]
    currency: String,
    #[schema(example = "login-77")]
    reference: Option<String>,
    /// Not handed to an operator at or after this time; then it expires, and is refunded.
    #[schema(format = DateTime, example = "2026-11-21T12:05:00.000Z")]
    send_by: String,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
}

/// Send one message
///
/// Answered when the message is stored safely; it is charged and sent after that. Above the
/// account's segments a minute in the lane: 429, and nothing is taken. Without an
/// `Idempotency-Key`, a retry after a lost answer may send twice; with one it is the same call.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", operation_id = "sendMessage",
    params(IdempotencyKey),
    request_body(content = MessageRequest),
    responses(
        (
            status = 202, description = "Accepted.", body = Accepted,
            headers(
                ("Idempotent-Replayed" = bool, description = "`true` where an earlier request with the same key was answered so."),
                ("RateLimit-Limit" = u32, description = "Segments a minute that the account may send in this lane."),
                ("RateLimit-Remaining" = u32, description = "Of these, segments that it may send now."),
                ("RateLimit-Reset" = u32, description = "Seconds until all of them are there again."),
            ),
        ),
        MessageProblems,
    ),
)]
pub(super) async fn send(
    caller: Caller,
    _: NoQuery,
    keyed: Keyed,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Replayed, Option<Allowance>, Json<Accepted>), Problem> {
    caller.require(Scope::Send)?;
    let body = read_json(request, app.rules.limits.message_body_bytes, &app.http).await?;
    let asked = keyed.asked(&caller.0, &body);
    let Once { submitted, about, replayed } = once(&app, &caller.0, asked, &OneMessage(body)).await?;
    let (Submitted { run, call, .. }, (to, measured, price, allowance)) = (submitted, about);
    let accepted = Accepted {
        id: run.first.message(0).to_string(),
        status: Status::Queued.as_str(),
        to: to.to_string(),
        from: call.line.clone(),
        lane: call.lane.as_str(),
        encoding: measured.encoding.as_str(),
        segments: measured.segments,
        price: price.get(),
        currency: app.currency.clone(),
        reference: call.references.first().filter(|reference| !reference.is_empty()).cloned(),
        send_by: time(call.send_by),
        created_at: time(call.created_at),
    };
    Ok((StatusCode::ACCEPTED, Replayed(replayed), allowance, Json(accepted)))
}

/// The body of a call for one message.
struct OneMessage(Bytes);

impl Body for OneMessage {
    type About = (Msisdn, Measured, Money, Option<Allowance>);

    async fn prepare(&self, app: &Arc<App>, ground: Ground) -> Result<Prepared<Self::About>, Problem> {
        let Message { call, to, measured, price } = prepare::message(&self.0, ground.context())?;
        let allowance = app.rates.admit_one(&ground, call.lane, measured.segments.into()).await?;
        Ok(Prepared { cuts: cut(&call, 1), call, about: (to, measured, price, allowance) })
    }
}

/// What a message would be and cost.
#[derive(Serialize, ToSchema)]
pub(super) struct Preview {
    /// The recipient in international form.
    #[schema(example = "+989123456789")]
    to: String,
    /// `gsm7` or `ucs2`.
    #[schema(example = "ucs2")]
    encoding: &'static str,
    /// Unicode characters of the text.
    #[schema(example = 14)]
    characters: u32,
    #[schema(example = 1)]
    segments: u8,
    /// In the smallest unit of the currency.
    #[schema(example = 1000)]
    price: i64,
    #[schema(example = "IRR")]
    currency: String,
}

/// Check a message and its price without sending it
#[utoipa::path(
    post, path = "/v1/messages/preview", tag = "messages", operation_id = "previewMessage",
    request_body(content = MessageRequest),
    responses((status = 200, description = "It could be sent.", body = Preview), CostProblems),
)]
pub(super) async fn preview(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<Preview>, Problem> {
    caller.require(Scope::Read)?;
    let message = prepared(&app, &caller, request).await?;
    Ok(Json(Preview {
        to: message.to.to_string(),
        encoding: message.measured.encoding.as_str(),
        characters: message.measured.characters,
        segments: message.measured.segments,
        price: message.price.get(),
        currency: app.currency.clone(),
    }))
}

async fn prepared(app: &App, caller: &Caller, request: Request) -> Result<prepare::Message, Problem> {
    let body = read_json(request, app.rules.limits.message_body_bytes, &app.http).await?;
    let tariff = app.tariffs.current()?;
    let context = Context { rules: &app.rules, caller: &caller.0, tariff: &tariff, now: unix_now() };
    prepare::message(&body, context)
}
