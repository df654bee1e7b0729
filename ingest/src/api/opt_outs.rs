//! Recipients that opted out.

pub(super) mod import;
mod parameters;

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
use super::describe::OptOutRequest;
use super::problems::{CostProblems, FindProblems, ReadProblems};
use super::query::NoQuery;
use crate::app::App;
use crate::keys::{Identity, Scope};
use crate::opt_outs::{self, Change};
use crate::request::{Errors, Path, opt_out::read};
use crate::rules::Rules;
use parameters::{Listing, One, cursor};

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
    params(Listing),
    responses((status = 200, description = "A page of them.", body = OptOuts), ReadProblems),
)]
pub(super) async fn list(
    caller: Caller,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Json<OptOuts>, Problem> {
    caller.require(Scope::Read)?;
    let asked = parameters::listing(request.uri(), &app.rules)?;
    let (account, most) = (caller.0.account, asked.limit);
    let read = app.pools.common().within(async |connection| {
        opt_outs::list(connection, account, asked.number, asked.after.as_ref(), most).await
    });
    let page = read.await.map_err(|error| unavailable(&error, "opt-outs cannot be read now"))?;
    let full = page.len() == usize::try_from(most).unwrap_or(usize::MAX);
    let next_cursor = page.last().filter(|_| full).map(cursor);
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
    params(One),
    responses((status = 204, description = "It is removed."), FindProblems),
)]
pub(super) async fn remove(
    caller: Caller,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Send)?;
    let mut errors = Errors::default();
    let One { number, line } = parameters::one(request.uri(), &mut errors);
    // A line that the account has no more may stand in an entry.
    let number = number.and_then(|number| recipient_of(&app.rules, &number, &mut errors));
    errors.into_result()?;
    let number = number.ok_or_else(|| Problem::new(Code::InternalError))?;
    let (account, change) = (caller.0.account, (number, line.unwrap_or_default()));
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
    let number = number.and_then(|number| recipient_of(&app.rules, number, errors));
    let line = line.map(|line| one_of_lines(line, caller, errors));
    std::mem::take(errors).into_result()?;
    // Whatever is missing has been noted.
    let number = number.ok_or_else(|| Problem::new(Code::InternalError))?;
    Ok((number, line.flatten().unwrap_or_default()))
}

fn recipient_of(rules: &Rules, number: &str, errors: &mut Errors) -> Option<Msisdn> {
    let noted = |errors: &mut Errors, code: FieldCode, detail| {
        errors.add(&Path::Field(&Path::Root, "number"), code, detail);
    };
    rules.recipient(number).map_err(|fault| noted(errors, fault.code, fault.detail)).ok()
}

/// The line, which the account has.
fn one_of_lines(line: &str, caller: &Identity, errors: &mut Errors) -> Option<String> {
    let known = caller.lines.iter().find(|known| *known == line).cloned();
    if known.is_none() {
        let detail = "expected one of the sender lines of the account";
        errors.add(&Path::Field(&Path::Root, "line"), FieldCode::FromNotAllowed, detail);
    }
    known
}

fn unavailable(error: &sqlx::Error, detail: &'static str) -> Problem {
    tracing::warn!(%error, "opt-outs cannot be read or changed");
    Problem::new(Code::Unavailable).detail(detail)
}
