//! Many messages in one call.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::phone::Msisdn;
use platform::http::problem::Problem;
use platform::ownership::clock::unix_now;

use super::auth::Caller;
use super::bodies::{length, read_json};
use super::bulk_answer::{Batch, BulkAccepted};
use super::describe::BulkRequest;
use super::problems::SendProblems;
use super::query::NoQuery;
use crate::app::App;
use crate::keys::Scope;
use crate::metrics;
use crate::prepare::{self, Context};
use crate::submit::submit;

/// Send many messages
///
/// Either one `text` to many (`to`), or many `messages`, each with its own. Answered when all of
/// them are stored safely. The balance must cover the whole call. A message that is not valid is
/// left out and listed in `rejected`, or refuses the call where `on_invalid` is `reject_all`; a
/// call of which no message is valid is refused. A recipient that stands there twice gets two
/// messages. The message of input index `i` inside a range has the id `first_id + (i − index)`.
#[utoipa::path(
    post, path = "/v1/messages/bulk", tag = "messages", operation_id = "sendMessages",
    request_body(content = BulkRequest),
    responses((status = 202, description = "Accepted, but for those in `rejected`.", body = BulkAccepted), SendProblems),
)]
pub(super) async fn send(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    caller.require(Scope::Send)?;
    let max_bytes = app.rules.limits.bulk_body_bytes;
    let room = app.room_for_body(length(request.headers(), max_bytes))?;
    let body = read_json(request, max_bytes, &app.http).await?;
    let tariff = app.tariffs.current()?;
    let now = unix_now();
    let prepared = app.aside(move |app| {
        let context = Context { rules: &app.rules, caller: &caller.0, tariff: &tariff, now };
        prepare::bulk(&body, context)
    });
    let bulk = prepared.await?;
    let recipients: Vec<Msisdn> = bulk.call.rows.iter().map(|row| row.recipient).collect();
    let (pool, account) = (app.pools.lane(bulk.call.lane), bulk.call.account);
    let blocked = app.opt_outs.blocked(pool, account, &bulk.call.line, &recipients).await?;
    let bulk = bulk.without(&blocked, &app.rules.limits)?;
    let (run, call) = submit(&app, bulk.call, bulk.cuts.clone(), bulk.price).await?;
    drop(room);

    metrics::rejected(bulk.rejected.len());
    let batch = Batch { run, call: &call, cuts: &bulk.cuts, segments: bulk.segments, price: bulk.price };
    let accepted = BulkAccepted::new(&batch, &bulk.rejected, &app.currency);
    Ok((StatusCode::ACCEPTED, axum::Json(accepted)).into_response())
}
