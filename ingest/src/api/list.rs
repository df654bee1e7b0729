//! The list of an account's messages.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use domain::lane::Lane;
use domain::status::Status;
use domain::time::UnixMillis;
use platform::http::problem::{FieldCode, Problem};
use platform::ownership::clock::unix_now;
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::cursor::Cursors;
use super::format::number;
use super::parameters::{Parameters, RawQuery};
use super::problems::ReadProblems;
use super::reports::Message;
use crate::app::App;
use crate::keys::Scope;
use crate::reports::list::{Filter, StatusSet, page};
use crate::rules::Fault;

const NAMES: &[&str] =
    &["status", "to", "from_time", "to_time", "campaign_id", "reference", "lane", "limit", "cursor"];

/// Messages, newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct Messages {
    data: Vec<Message>,
    /// What to ask for the next part with, as `cursor`, beside the same filters; null where
    /// there is none. There may be a next part although this one is short, or empty.
    next_cursor: Option<String>,
}

/// List messages
///
/// Newest first, by the time in their ids. Messages are listed once they are charged and
/// recorded, normally within a second of the 202. Without times: those of the last seven days.
#[utoipa::path(
    get, path = "/v1/messages", tag = "messages", operation_id = "listMessages",
    params(
        ("status" = Option<String>, Query, description = "Only those that are now in this status.", example = "delivered"),
        ("to" = Option<String>, Query, description = "Only those to this number, written as when sending.", example = "09123456789"),
        ("from_time" = Option<String>, Query, description = "Only those submitted at this time or later; at most 31 days before `to_time`, or before now.", example = "2026-11-21T00:00:00Z"),
        ("to_time" = Option<String>, Query, description = "Only those submitted before this time.", example = "2026-11-22T00:00:00Z"),
        ("campaign_id" = Option<String>, Query, description = "Only those of this campaign.", example = "42"),
        ("reference" = Option<String>, Query, description = "Only those with this reference of your own.", example = "login-77"),
        ("lane" = Option<String>, Query, description = "Only those that travelled in this lane: `express`, `standard` or `bulk`.", example = "express"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500, description = "How many at most: 1 to 500, by default 50.", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before."),
    ),
    responses((status = 200, description = "The messages.", body = Messages), ReadProblems),
)]
pub(super) async fn messages(
    caller: Caller,
    State(app): State<Arc<App>>,
    query: RawQuery,
) -> Result<Json<Messages>, Problem> {
    caller.require(Scope::Read)?;
    let account = caller.0.account;
    let cursors = Cursors { list: "messages", account };
    let mut parameters = Parameters::read(&query, NAMES);
    let (filter, before) = filter(&mut parameters, &app, account, cursors);
    let limit = parameters.limit();
    parameters.finish()?;
    let found = page(&app.reader, &filter, before, limit).await?;
    Ok(Json(Messages {
        next_cursor: found.next.map(|next| cursors.write([next, filter.from.0])),
        data: found.messages.into_iter().map(|report| Message::new(report, &app.currency)).collect(),
    }))
}

/// What is asked for, and the number in front of which the list goes on.
fn filter(parameters: &mut Parameters, app: &App, account: i64, cursors: Cursors) -> (Filter, Option<i64>) {
    let cursor = cursor(parameters, cursors);
    let begun = cursor.map(|[_, begun]| UnixMillis(begun));
    let (from, to) = parameters.times(unix_now(), begun);
    let fault = |fault: Fault| (fault.code, fault.detail.into_owned());
    let status = parameters.word("status", &Status::ALL.map(|status| (status.as_str(), status)));
    let filter = Filter {
        statuses: status.map_or(StatusSet::ALL, |status| StatusSet::of([status])),
        lane: parameters.word("lane", &Lane::ALL.map(|lane| (lane.as_str(), lane))),
        recipient: parameters.of("to", |to| app.rules.recipient(to).map_err(fault)),
        reference: parameters.of("reference", |reference| {
            app.rules.reference(reference).map_err(fault)?;
            let some = (!reference.is_empty()).then(|| reference.to_owned());
            some.ok_or((FieldCode::OutOfRange, "expected at least one character".to_owned()))
        }),
        campaign: parameters.of("campaign_id", |id| {
            number(id)
                .filter(|id| *id > 0)
                .ok_or((FieldCode::WrongType, "expected the id of a campaign".to_owned()))
        }),
        ..Filter::of(account, from, to)
    };
    (filter, cursor.map(|[before, _]| before))
}

/// The numbers of the cursor, where there is one.
pub(super) fn cursor<const N: usize>(parameters: &mut Parameters, cursors: Cursors) -> Option<[i64; N]> {
    parameters.of("cursor", |cursor| {
        cursors.read(cursor).ok_or((FieldCode::WrongType, "expected a next_cursor of this list".to_owned()))
    })
}
