//! Many messages in one call.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::lane::Lane;
use domain::money::Money;
use platform::http::problem::Problem;

use super::auth::Caller;
use super::bodies::{length, read_json};
use super::bulk_answer::{Batch, BulkAccepted};
use super::describe::BulkRequest;
use super::idempotency::{IdempotencyKey, Keyed, Replayed};
use super::problems::SendProblems;
use super::query::NoQuery;
use crate::app::App;
use crate::idempotency::{Body, Once, Prepared, once};
use crate::keys::Scope;
use crate::metrics;
use crate::prepare::{self, Bulk, Ground, Rejected};
use crate::rates::Allowance;

/// Send many messages
///
/// Either one `text` to many (`to`), or many `messages`, each with its own. Answered when all of
/// them are stored safely. The balance must cover the whole call; in a race with other calls for
/// the same balance, those that it did not cover are listed in `rejected` as `insufficient_funds`.
/// A standard call above the account's segments a minute travels in lane bulk. A message that is
/// not valid is left out and listed in `rejected`, or refuses the call where `on_invalid` is
/// `reject_all`; a call of which no message is valid is refused. A recipient that stands there
/// twice gets two messages. The message of input index `i` inside a range has the id
/// `first_id + (i − index)`.
#[utoipa::path(
    post, path = "/v1/messages/bulk", tag = "messages", operation_id = "sendMessages",
    params(IdempotencyKey),
    request_body(content = BulkRequest),
    responses(
        (
            status = 202, description = "Accepted, but for those in `rejected`.", body = BulkAccepted,
            headers(("Idempotent-Replayed" = bool, description = "`true` where an earlier request with the same key was answered so.")),
        ),
        SendProblems,
    ),
)]
pub(super) async fn send(
    caller: Caller,
    _: NoQuery,
    keyed: Keyed,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    caller.require(Scope::Send)?;
    let max_bytes = app.rules.limits.bulk_body_bytes;
    let room = app.room_for_body(length(request.headers(), max_bytes))?;
    let body = read_json(request, max_bytes, &app.http).await?;
    let identity = Arc::clone(&caller.0);
    let (asked, body) = app.aside(move |_| Ok((keyed.asked(&identity, &body), body))).await?;
    let Once { submitted, about, replayed } = once(&app, &caller.0, asked, &ManyMessages(body)).await?;
    drop(room);

    let batch = Batch { submitted: &submitted, segments: about.segments, price: about.price };
    let accepted = BulkAccepted::new(&batch, &about.rejected, &app.currency);
    metrics::rejected(accepted.left_out());
    Ok((StatusCode::ACCEPTED, Replayed(replayed), about.allowance, axum::Json(accepted)).into_response())
}

/// The body of a bulk call.
struct ManyMessages(Bytes);

/// What the answer needs beside the call.
struct About {
    /// What was left out.
    rejected: Vec<Rejected>,
    /// Of all that was not.
    segments: u64,
    /// The same.
    price: Money,
    /// Where the call counts.
    allowance: Option<Allowance>,
}

impl Body for ManyMessages {
    type About = About;

    async fn prepare(&self, app: &Arc<App>, ground: Ground) -> Result<Prepared<About>, Problem> {
        let (body, of_body) = (self.0.clone(), ground.clone());
        let mut bulk = app.aside(move |_| prepare::bulk(&body, of_body.context())).await?;
        let allowance = within_rate(app, &ground, &mut bulk).await;
        let Bulk { call, cuts, rejected, segments, price } = bulk;
        Ok(Prepared { call, cuts, about: About { rejected, segments, price, allowance } })
    }
}

/// Above what the account may send in lane standard a call travels in lane bulk, where it does not
/// stand before others. What was asked for stays: price, `send_by`.
async fn within_rate(app: &App, ground: &Ground, bulk: &mut Bulk) -> Option<Allowance> {
    if bulk.call.lane != Lane::Standard {
        return None;
    }
    app.rates.admit_many(ground, Lane::Standard, bulk.segments).await.unwrap_or_else(|_| {
        bulk.call.lane = Lane::Bulk;
        metrics::moved_to_bulk();
        None
    })
}
