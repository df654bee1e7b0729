//! The rows of a campaign: a file that is sent as it arrives.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, header};
use platform::http::Pieces;
use platform::http::problem::{Code, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::number;
use super::query::{Query, dry_run};
use crate::api::auth::Caller;
use crate::api::problems::UploadProblems;
use crate::app::App;
use crate::campaigns::{Asked, Format, Taken, Written, upload};
use crate::keys::Scope;

/// A file of rows.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code, reason = "describes a body that is read as it comes")]
pub(in crate::api) struct RowsFile(String);

/// What of a file is taken in: of all of it, however often it had to be sent.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Uploaded {
    /// Rows of the file.
    #[schema(example = 1000000)]
    rows: u64,
    /// Messages that are accepted and paid for.
    #[schema(example = 999990)]
    accepted: u64,
    /// Rows left out because of a fault.
    #[schema(example = 10)]
    invalid: u64,
    /// Of the accepted messages.
    #[schema(example = 1999980)]
    segments: u64,
    /// Of the accepted messages, in the smallest unit of the currency.
    #[schema(example = 1999980000)]
    price: i64,
    #[schema(example = "IRR")]
    currency: String,
    /// The first 100 faults.
    errors: Vec<RowError>,
    /// How many there are.
    #[schema(example = 10)]
    errors_total: u64,
}

/// A row that was left out.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct RowError {
    /// Its number, from 1; a header is none.
    #[schema(example = 17)]
    row: u64,
    /// `malformed_row`, or the code of the field.
    #[schema(example = "invalid_recipient")]
    code: String,
    detail: String,
}

/// Upload the rows of a campaign
///
/// CSV with a header row (the number in `to`, `receiver` or `mobile`; other columns fill
/// placeholders), or NDJSON with fields of the same names; compressed with gzip where
/// `Content-Encoding` says so. Of any length; sent as it arrives. An upload that broke off is
/// resumed by sending the same file again: what was taken in is recognised and passed over.
#[utoipa::path(
    put, path = "/v1/campaigns/{id}/rows", tag = "campaigns", operation_id = "uploadRows",
    params(
        ("id" = String, Path, description = "The campaign's id.", example = "17"),
        ("dry_run" = Option<bool>, Query, description = "Counts and prices the file, sends nothing."),
    ),
    request_body(content(
        (RowsFile = "text/csv", example = "to,name\n09120000001,سارا\n"),
        (RowsFile = "application/x-ndjson", example = "{\"to\":\"09120000001\",\"name\":\"سارا\"}\n"),
    )),
    responses((status = 200, description = "All rows are taken in.", body = Uploaded), UploadProblems),
)]
pub(in crate::api) async fn put(
    caller: Caller,
    query: Query,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Uploaded>, Problem> {
    caller.require(Scope::Send)?;
    let written = written(request.headers())?;
    let asked = Asked { campaign: number(&id)?, written, dry_run: dry_run(query)? };
    let body = Pieces::new(request.into_body(), app.http.body_idle());
    let taken = upload(Arc::clone(&app), caller.0, asked, body).await?;
    Ok(Json(Uploaded::new(taken, &app.currency)))
}

/// How the body is written.
fn written(headers: &HeaderMap) -> Result<Written, Problem> {
    let refuse = |detail| Err(Problem::new(Code::UnsupportedMediaType).detail(detail));
    let of = |name| headers.get(name).map(|value| value.to_str().unwrap_or("?").trim().to_ascii_lowercase());
    let gzip = match of(header::CONTENT_ENCODING).as_deref() {
        None | Some("identity") => false,
        Some("gzip" | "x-gzip") => true,
        Some(_) => return refuse("expected no Content-Encoding, or gzip"),
    };
    let given = of(header::CONTENT_TYPE).unwrap_or_default();
    let mut parts = given.split(';').map(str::trim);
    let format = match parts.next() {
        Some("text/csv") => Format::Csv,
        Some("application/x-ndjson") => Format::Ndjson,
        _ => return refuse("expected Content-Type: text/csv or application/x-ndjson"),
    };
    // A file is UTF-8, and CSV has a header row; a client may say so.
    let known = |part: &str| {
        matches!(part, "" | "charset=utf-8" | "charset=\"utf-8\"")
            || format == Format::Csv && part == "header=present"
    };
    if parts.all(known) { Ok(Written { format, gzip }) } else { refuse("expected charset=utf-8, or none") }
}

impl Uploaded {
    fn new(taken: Taken, currency: &str) -> Self {
        let error = |error: crate::campaigns::RowError| RowError {
            row: error.row,
            code: error.code,
            detail: error.detail,
        };
        Uploaded {
            rows: taken.prefix.rows,
            accepted: taken.accepted,
            invalid: taken.invalid,
            segments: taken.segments,
            price: taken.price.get(),
            currency: currency.to_owned(),
            errors: taken.errors.into_iter().map(error).collect(),
            errors_total: taken.invalid,
        }
    }
}
