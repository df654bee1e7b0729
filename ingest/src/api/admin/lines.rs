//! Sender lines.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::Uri;
use ledger::admin::{fields, line};
use platform::http::problem::{FieldCode, FieldError, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Caller;
use super::super::describe::LineRequest;
use super::super::problems::{CostProblems, FindProblems, ReadProblems};
use super::super::query::NoQuery;
use super::parameters::Parameters;
use super::{Failure, administrator, body, change, next, read};
use crate::app::App;
use crate::request;

/// A sender line.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Line {
    #[schema(example = "100002")]
    line: String,
    /// Whether what goes over it is only sent in the hours in which advertising is allowed.
    #[schema(example = false)]
    advertising: bool,
    /// For people.
    #[schema(example = "of the shop")]
    note: String,
    /// How many accounts may use it.
    #[schema(example = 2)]
    accounts: i64,
    /// The first 20 of them.
    #[schema(example = json!(["7", "12"]))]
    first_accounts: Vec<String>,
}

/// Sender lines, by their names.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct LineList {
    data: Vec<Line>,
    #[schema(example = "100002")]
    next_cursor: Option<String>,
}

impl From<line::Line> for Line {
    fn from(line: line::Line) -> Self {
        Line {
            line: line.line,
            advertising: line.advertising,
            note: line.note,
            accounts: line.accounts,
            first_accounts: line.first_accounts.iter().map(ToString::to_string).collect(),
        }
    }
}

/// List sender lines
#[utoipa::path(
    get, path = "/v1/admin/lines", tag = "admin", operation_id = "listLines",
    params(("limit" = Option<u32>, Query, description = "1 to 500, by default 50.", minimum = 1, maximum = 500),
           ("cursor" = Option<String>, Query, description = "The `next_cursor` of an earlier page.")),
    responses((status = 200, description = "Lines, by their names.", body = LineList), ReadProblems),
)]
pub(in crate::api) async fn list(
    caller: Caller,
    uri: Uri,
    State(app): State<Arc<App>>,
) -> Result<Json<LineList>, Problem> {
    administrator(&caller)?;
    let mut parameters = Parameters::read(&uri, &["limit", "cursor"]);
    let (limit, cursor) = (parameters.limit(), parameters.value("cursor", fields::line));
    parameters.finish()?;
    let mut found = read(&app, async |c| Ok(line::list(c, cursor.as_deref(), limit + 1).await?)).await?;
    let next_cursor = next(&mut found, limit, |line| line.line.clone());
    Ok(Json(LineList { data: found.into_iter().map(Line::from).collect(), next_cursor }))
}

/// Read a sender line
#[utoipa::path(
    get, path = "/v1/admin/lines/{line}", tag = "admin", operation_id = "readLine",
    params(("line" = String, Path, description = "The line.", example = "100002")),
    responses((status = 200, description = "The line.", body = Line), FindProblems),
)]
pub(in crate::api) async fn one(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
) -> Result<Json<Line>, Problem> {
    administrator(&caller)?;
    let name = fields::line(&name).map_err(|_| Problem::new(platform::http::problem::Code::NotFound))?;
    let found = read(&app, async |c| line::read(c, &name).await?.ok_or(Failure::NotFound)).await?;
    Ok(Json(found.into()))
}

/// Say what a sender line is
///
/// A line that was not known is made. Over a line of advertising nothing is sent at night: it
/// waits till morning.
#[utoipa::path(
    put, path = "/v1/admin/lines/{line}", tag = "admin", operation_id = "setLine",
    params(("line" = String, Path, description = "The line: 1 to 20 letters or digits.", example = "100002")),
    request_body(content = LineRequest),
    responses((status = 200, description = "The line as it is now.", body = Line), CostProblems),
)]
pub(in crate::api) async fn set(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Result<Json<Line>, Problem> {
    let who = administrator(&caller)?;
    let name = fields::line(&name).map_err(|expected| {
        Problem::invalid(vec![FieldError::new("line", FieldCode::OutOfRange, expected)])
    })?;
    let (advertising, note) = request::admin::line::read(&body(&app, request).await?)?;
    let set = change(&app, async |c| Ok(line::set(c, &who, &name, Some(advertising), Some(&note)).await?));
    Ok(Json(set.await?.into()))
}
