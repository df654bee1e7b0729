//! What became of a message, and of a bulk call.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use domain::id::{ChunkId, MessageId};
use domain::status::Status;
use platform::http::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::format::{number, time};
use super::problems::FindProblems;
use super::query::NoQuery;
use crate::app::App;
use crate::keys::Scope;
use crate::reports::{CallReport, MessageReport, ReportError, call, message as read_message};

/// A message and what became of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Message {
    #[schema(example = "117594862387200000")]
    id: String,
    /// `queued`, `sent`, `delivered`, `undelivered`, `failed`, `expired`, `refused`, `blocked` or
    /// `canceled`. All but the first two are final.
    #[schema(example = "delivered")]
    status: &'static str,
    /// A stable word, where the status alone does not say why.
    #[schema(example = "unconfirmed")]
    reason: Option<&'static str>,
    /// The operator's own code behind the status.
    #[schema(example = 8)]
    operator_code: Option<i16>,
    /// The recipient in international form; null where it was erased.
    #[schema(example = "+989123456789")]
    to: Option<String>,
    /// The sender line; null where it was erased.
    #[schema(example = "100002")]
    from: Option<String>,
    /// The lane travelled in.
    #[schema(example = "express")]
    lane: String,
    /// Null where the text was erased, as `segments`.
    #[schema(example = "ucs2")]
    encoding: Option<&'static str>,
    #[schema(example = 1)]
    segments: Option<u8>,
    #[schema(example = "login-77")]
    reference: Option<String>,
    /// What it was charged, in the smallest unit of the currency; 0 where it was refused.
    #[schema(example = 1500)]
    price: i64,
    /// What of that came back.
    #[schema(example = 0)]
    refunded: i64,
    #[schema(example = "IRR")]
    currency: String,
    #[schema(example = "987654321")]
    operator_message_id: Option<String>,
    /// The way it took to the operator.
    #[schema(example = "magfa")]
    connector: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
    #[schema(format = DateTime, example = "2026-11-21T12:05:00.000Z")]
    send_by: String,
    #[schema(format = DateTime, example = "2026-11-21T12:00:01.000Z")]
    sent_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:04.000Z")]
    final_at: Option<String>,
}

/// A bulk call and what became of its messages.
#[derive(Serialize, ToSchema)]
pub(super) struct Bulk {
    #[schema(example = "117594862387200000")]
    batch_id: String,
    /// The lane travelled in.
    #[schema(example = "bulk")]
    lane: String,
    /// Accepted messages.
    #[schema(example = 9990)]
    messages: u32,
    /// How many have each status; all statuses are named.
    counts: BTreeMap<&'static str, u32>,
    /// What was charged so far, in the smallest unit of the currency.
    #[schema(example = 19980000)]
    price: i64,
    /// What of that came back so far.
    #[schema(example = 24000)]
    refunded: i64,
    #[schema(example = "IRR")]
    currency: String,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
    #[schema(format = DateTime, example = "2026-11-24T12:00:00.000Z")]
    send_by: String,
}

/// Read a message
///
/// Shown once it is charged and recorded, normally within a second of the 202; 404 until then.
#[utoipa::path(
    get, path = "/v1/messages/{id}", tag = "messages", operation_id = "readMessage",
    params(("id" = String, Path, description = "The message's id.", example = "117594862387200000")),
    responses((status = 200, description = "The message.", body = Message), FindProblems),
)]
pub(super) async fn message(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Message>, Problem> {
    caller.require(Scope::Read)?;
    let id = number(&id).and_then(MessageId::new).ok_or(ReportError::NotFound)?;
    let report = read_message(&app.reader, caller.0.account, id).await?;
    Ok(Json(Message::new(report, &app.currency)))
}

/// Read what became of a bulk call
///
/// Shown once its first chunk is charged and recorded; 404 until then. Messages that are not
/// charged yet count as `queued`.
#[utoipa::path(
    get, path = "/v1/messages/bulk/{batch_id}", tag = "messages", operation_id = "readBulk",
    params(("batch_id" = String, Path, description = "As answered to the call.", example = "117594862387200000")),
    responses((status = 200, description = "The call.", body = Bulk), FindProblems),
)]
pub(super) async fn bulk(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Bulk>, Problem> {
    caller.require(Scope::Read)?;
    let id = number(&id).and_then(ChunkId::new).ok_or(ReportError::NotFound)?;
    let report = call(&app.reader, caller.0.account, id).await?;
    Ok(Json(Bulk::new(report, &app.currency)))
}

impl Message {
    pub(super) fn new(report: MessageReport, currency: &str) -> Self {
        let (chunk, index, state) = (report.chunk(), report.index(), report.state);
        let text = chunk.text(index);
        Message {
            id: report.id.to_string(),
            status: state.status().as_str(),
            reason: state.reason().as_str(),
            operator_code: state.operator_code(),
            to: chunk.recipient(index).map(|to| to.to_string()),
            from: Some(chunk.line.clone()).filter(|line| !line.is_empty()),
            lane: report.lane().to_owned(),
            encoding: text.map(|text| text.encoding.as_str()),
            segments: text.map(|text| text.segments),
            reference: chunk.reference(index).map(str::to_owned),
            price: report.price.get(),
            refunded: report.refunded.get(),
            currency: currency.to_owned(),
            created_at: time(chunk.created_at),
            send_by: time(chunk.send_by),
            sent_at: report.sent_at.map(time),
            final_at: report.final_at.map(time),
            operator_message_id: report.operator_message_id,
            connector: report.connector,
        }
    }
}

impl Bulk {
    fn new(report: CallReport, currency: &str) -> Self {
        let counts = Status::ALL.iter().map(|status| status.as_str()).zip(report.counts).collect();
        Bulk {
            batch_id: report.id.to_string(),
            lane: report.lane,
            messages: report.messages,
            counts,
            price: report.price.get(),
            refunded: report.refunded.get(),
            currency: currency.to_owned(),
            created_at: time(report.created_at),
            send_by: time(report.send_by),
        }
    }
}
