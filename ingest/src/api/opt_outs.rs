//! Recipients that opted out.

pub(super) mod import;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use chrono::SecondsFormat;
use domain::phone::Msisdn;
use platform::http::problem::{Code, FieldCode, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::bodies::read_json;
use super::cursor::Cursors;
use super::describe::OptOutRequest;
use super::list::cursor;
use super::parameters::{Parameters, RawQuery};
use super::problems::{CostProblems, FindProblems, ReadProblems};
use super::query::NoQuery;
use crate::app::App;
use crate::keys::{Identity, Scope};
use crate::opt_outs::{self, Change};
use crate::request::{Errors, Path, opt_out::read};
use crate::rules::Rules;

/// A recipient that opted out.
#[derive(Serialize, ToSchema)]
pub(super) struct OptOut {
    /// In international form.
    #[schema(example = "+989123456789")]
    number: String,
    /// The sender line; `null`: all lines of the account.
    #[schema(example = "100002")]
    line: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
}

/// Some opt-outs, the newest first.
#[derive(Serialize, ToSchema)]
pub(super) struct OptOuts {
    data: Vec<OptOut>,
    /// Ask for what follows with this as `cursor`; `null` at the end.
    next_cursor: Option<String>,
}

impl From<&opt_outs::OptOut> for OptOut {
    fn from(one: &opt_outs::OptOut) -> Self {
        OptOut {
            number: format!("+{}", one.number),
            line: Some(one.line.clone()).filter(|line| !line.is_empty()),
            created_at: one.created_at.to_rfc3339_opts(SecondsFormat::Millis, true),
        }
    }
}

/// List who opted out
///
/// The newest first; of one number where `number` is given.
#[utoipa::path(
    get, path = "/v1/opt-outs", tag = "opt-outs", operation_id = "listOptOuts",
    params(
        ("number" = Option<String>, Query, description = "Only those of this number, written as when sending.", example = "09123456789"),
        ("limit" = Option<u32>, Query, description = "How many at most: 1 to 500, by default 50.", example = 50),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the part before."),
    ),
    responses((status = 200, description = "A part of them.", body = OptOuts), ReadProblems),
)]
pub(super) async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    query: RawQuery,
) -> Result<Json<OptOuts>, Problem> {
    caller.require(Scope::Read)?;
    let account = caller.0.account;
    let cursors = Cursors { list: "opt-outs", account };
    let mut parameters = Parameters::read(&query, &["number", "limit", "cursor"]);
    let before = cursor(&mut parameters, cursors).map(|[before]| before);
    let (number, most) = (number(&mut parameters, &app.rules), parameters.limit());
    parameters.finish()?;
    let read = app
        .pools
        .common()
        .within(async |connection| opt_outs::list(connection, account, number, before, most).await);
    let page = read.await.map_err(|error| unavailable(&error, "opt-outs cannot be read now"))?;
    let next_cursor = page.last().filter(|_| page.len() == most).map(|last| cursors.write([last.id]));
    Ok(Json(OptOuts { data: page.iter().map(OptOut::from).collect(), next_cursor }))
}

/// Note that somebody opted out
///
/// From then on messages to the number, from the line or from all lines, are refused; those that
/// are accepted already and not yet handed to an operator end as `blocked` and are refunded: what
/// leaves later than two seconds after the answer does not go there.
#[utoipa::path(
    post, path = "/v1/opt-outs", tag = "opt-outs", operation_id = "addOptOut",
    request_body(content = OptOutRequest),
    responses(
        (status = 201, description = "It is noted.", body = OptOut),
        (status = 200, description = "It was noted before.", body = OptOut),
        CostProblems
    ),
)]
pub(super) async fn add(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<OptOut>), Problem> {
    caller.require(Scope::Send)?;
    let body = read_json(request, app.rules.limits.message_body_bytes, &app.http).await?;
    let mut errors = Errors::default();
    let read = read(&body, &mut errors)?;
    let number = read.number.required(&Path::Field(&Path::Root, "number"), &mut errors);
    let change = change(&app, &caller.0, number.as_deref(), read.line.optional().as_deref(), &mut errors)?;
    let (account, number) = (caller.0.account, change.0);
    let stored = app.pools.common().within(async |connection| {
        let added = opt_outs::add(&mut *connection, account, std::slice::from_ref(&change)).await?;
        Ok::<_, sqlx::Error>((added, opt_outs::list(connection, account, Some(number), None, 500).await?))
    });
    let stored = stored.await;
    app.opt_outs.added(account).await;
    let (added, of_number) = stored.map_err(|error| unavailable(&error, UNKNOWN))?;
    let one = of_number.iter().find(|one| one.line == change.1);
    // Removed by somebody else in the same moment.
    let one = one.ok_or_else(|| Problem::new(Code::Unavailable).detail(UNKNOWN))?;
    let status = if added > 0 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(OptOut::from(one))))
}

/// Note that somebody opted in again
///
/// Removes one entry: of the number and this line, or, without `line`, that of all lines.
#[utoipa::path(
    delete, path = "/v1/opt-outs", tag = "opt-outs", operation_id = "removeOptOut",
    params(
        ("number" = String, Query, description = "The number, written as when sending.", example = "09123456789"),
        ("line" = Option<String>, Query, description = "The sender line; without it the entry of all lines.", example = "100002"),
    ),
    responses((status = 204, description = "It is removed."), FindProblems),
)]
pub(super) async fn remove(
    caller: Caller,
    State(app): State<Arc<App>>,
    query: RawQuery,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Send)?;
    let mut parameters = Parameters::read(&query, &["number", "line"]);
    let number = number(&mut parameters, &app.rules);
    // A line that the account has no more may stand in an entry.
    let line = parameters.text("line").unwrap_or_default();
    if parameters.text("number").is_none() {
        parameters.fault("number", FieldCode::Required, "this parameter is required");
    }
    parameters.finish()?;
    // Whatever is missing has been noted.
    let number = number.ok_or_else(|| Problem::new(Code::InternalError))?;
    let (account, change) = (caller.0.account, (number, line));
    let removed = app.pools.common().within(async |connection| {
        opt_outs::remove(connection, account, std::slice::from_ref(&change)).await
    });
    match removed.await.map_err(|error| unavailable(&error, UNKNOWN))? {
        0 => Err(Problem::new(Code::NotFound)),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

const UNKNOWN: &str = "it is not known whether it was stored: ask again, repeating it does no harm";

/// What is to be changed, where all of it is right.
fn change(
    app: &App,
    caller: &Identity,
    number: Option<&str>,
    line: Option<&str>,
    errors: &mut Errors,
) -> Result<Change, Problem> {
    let number = number.and_then(|number| recipient(app, number, errors));
    let line = line.map(|line| known_line(line, caller)).transpose().map_err(|(code, detail)| {
        errors.add(&Path::Field(&Path::Root, "line"), code, detail);
    });
    std::mem::take(errors).into_result()?;
    // Whatever is missing has been noted.
    let number = number.ok_or_else(|| Problem::new(Code::InternalError))?;
    Ok((number, line.ok().flatten().unwrap_or_default()))
}

fn recipient(app: &App, number: &str, errors: &mut Errors) -> Option<Msisdn> {
    let number = app.rules.recipient(number);
    number.map_err(|fault| errors.add(&Path::Field(&Path::Root, "number"), fault.code, fault.detail)).ok()
}

/// The parameter `number`.
fn number(parameters: &mut Parameters, rules: &Rules) -> Option<Msisdn> {
    parameters.of("number", |number| {
        rules.recipient(number).map_err(|fault| (fault.code, fault.detail.into_owned()))
    })
}

/// The line, which the account must have.
fn known_line(line: &str, caller: &Identity) -> Result<String, (FieldCode, String)> {
    let known = caller.lines.iter().find(|known| *known == line).cloned();
    let detail = || "expected one of the sender lines of the account".to_owned();
    known.ok_or_else(|| (FieldCode::FromNotAllowed, detail()))
}

fn unavailable(error: &sqlx::Error, detail: &'static str) -> Problem {
    tracing::warn!(%error, "opt-outs cannot be read or changed");
    Problem::new(Code::Unavailable).detail(detail)
}
