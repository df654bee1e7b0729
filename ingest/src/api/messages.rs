//! One message: sending it, and what it would cost.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use domain::status::Status;
use platform::http::problem::Problem;
use platform::ownership::clock::unix_now;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::bodies::read_json;
use super::describe::MessageRequest;
use super::format::time;
use super::problems::{CostProblems, SendProblems};
use super::query::NoQuery;
use crate::app::App;
use crate::chunking::cut;
use crate::keys::Scope;
use crate::prepare::{self, Context};
use crate::submit::submit;

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
/// Answered when the message is stored safely; it is charged and sent after that. Without an
/// `Idempotency-Key`, a retry after a lost answer may send twice.
#[utoipa::path(
    post, path = "/v1/messages", tag = "messages", operation_id = "sendMessage",
    request_body(content = MessageRequest),
    responses((status = 202, description = "Accepted.", body = Accepted), SendProblems),
)]
pub(super) async fn send(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Accepted>), Problem> {
    caller.require(Scope::Send)?;
    let message = prepared(&app, &caller, request).await?;
    let (to, measured) = (message.to, message.measured);
    let price = message.price;
    let cuts = cut(&message.call, 1);
    let (run, call) = submit(&app, message.call, cuts, price).await?;
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
    Ok((StatusCode::ACCEPTED, Json(accepted)))
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
    let message = prepare::message(&body, context)?;
    let (pool, call) = (app.pools.lane(message.call.lane), &message.call);
    let blocked = app.opt_outs.blocked(pool, call.account, &call.line, &[message.to]).await?;
    message.unless_blocked(&blocked)
}
