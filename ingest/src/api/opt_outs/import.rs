//! Importing a list of numbers, stored as it comes.

use std::sync::Arc;

use axum::Json;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use platform::http::Pieces;
use platform::http::problem::{Code, FieldCode, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Caller;
use super::super::parameters::{Parameters, RawQuery};
use super::super::problems::ImportProblems;
use crate::app::App;
use crate::keys::Scope;
use crate::opt_outs::{self, Change, Import, Report};

/// Rows in one transaction at most.
const BATCH: usize = 1_000;

/// What became of the rows of a file.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Imported {
    /// Rows with something in them, without the header row.
    #[schema(example = 1000)]
    rows: u64,
    /// Those that were not noted before.
    #[schema(example = 990)]
    added: u64,
    /// Those that were left out.
    #[schema(example = 1)]
    invalid: u64,
    /// The first 100 of them.
    errors: Vec<RowProblem>,
}

/// What is wrong with a row.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct RowProblem {
    /// Its number in the file, from 1.
    #[schema(example = 17)]
    row: u64,
    /// `invalid_recipient`, `unsupported_country`, `from_not_allowed`, or `wrong_type` for a row
    /// that is too long or not UTF-8.
    #[schema(value_type = String, example = "invalid_recipient")]
    code: FieldCode,
}

/// Import a list of people who opted out
///
/// One number a line, or number and line separated by a comma; a first row that says `number`,
/// `to`, `receiver` or `mobile` is a header. The file is stored as it comes: if the connection
/// breaks, send it again; what is stored already stays as it is.
#[utoipa::path(
    post, path = "/v1/opt-outs/import", tag = "opt-outs", operation_id = "importOptOuts",
    params(("line" = Option<String>, Query, description = "The sender line of rows that name none; without it they opt out of all lines.", example = "100002")),
    request_body(
        content((String = "text/csv", example = "number\n09123456789\n"), (String = "text/plain")),
        description = "At most 1 GiB by default."
    ),
    responses((status = 200, description = "All of the file is read.", body = Imported), ImportProblems),
)]
pub(in crate::api) async fn file(
    caller: Caller,
    State(app): State<Arc<App>>,
    query: RawQuery,
    request: Request,
) -> Result<Json<Imported>, Problem> {
    caller.require(Scope::Send)?;
    let mut parameters = Parameters::read(&query, &["line"]);
    let line = parameters.of("line", |line| super::known_line(line, &caller.0)).unwrap_or_default();
    parameters.finish()?;
    is_list(request.headers())?;
    let full = |_| Problem::new(Code::Overloaded).detail("too many imports at once; nothing was taken");
    let _room = app.imports.try_acquire().map_err(full)?;
    let import = Import::new(&app.rules.served, &caller.0.lines, line);
    let stored = store(&app, caller.0.account, import, request).await;
    app.opt_outs.added(caller.0.account).await;
    let (added, report) = stored?;
    let errors = report.faulty.iter().map(|faulty| RowProblem { row: faulty.row, code: faulty.code });
    let (rows, invalid) = (report.rows, report.invalid);
    tracing::info!(account = caller.0.account, rows, added, invalid, "opt-outs were imported");
    Ok(Json(Imported { rows, added, invalid, errors: errors.collect() }))
}

async fn store(
    app: &App,
    account: i64,
    mut import: Import<'_>,
    request: Request,
) -> Result<(u64, Report), Problem> {
    let most = app.import_bytes;
    let too_large =
        || Problem::new(Code::BodyTooLarge).detail(format!("the file may have at most {most} bytes"));
    let body = request.into_body();
    if body.size_hint().lower() > most {
        return Err(too_large());
    }
    let mut pieces = Pieces::new(body, app.http.body_idle());
    let (mut octets, mut added) = (0_u64, 0);
    while let Some(piece) = pieces.next().await? {
        octets = octets.saturating_add(piece.len() as u64);
        if octets > most {
            return Err(too_large());
        }
        for batch in import.take(&piece, BATCH) {
            added += add(app, account, &batch).await?;
        }
    }
    let (rest, report) = import.end(BATCH);
    for batch in rest {
        added += add(app, account, &batch).await?;
    }
    Ok((added, report))
}

async fn add(app: &App, account: i64, batch: &[Change]) -> Result<u64, Problem> {
    let added = app.pools.common().within(async |connection| opt_outs::add(connection, account, batch).await);
    let detail = "only a part of the file is stored: send it again, what is stored stays as it is";
    added.await.map_err(|error| super::unavailable(&error, detail))
}

fn is_list(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = given.split(';').next().unwrap_or_default().trim();
    let is_list = kind.eq_ignore_ascii_case("text/csv") || kind.eq_ignore_ascii_case("text/plain");
    if is_list && !headers.contains_key(header::CONTENT_ENCODING) {
        return Ok(());
    }
    let detail = "expected Content-Type: text/csv or text/plain, without Content-Encoding";
    Err(Problem::new(Code::UnsupportedMediaType).detail(detail))
}
