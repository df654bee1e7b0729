//! The tariff: its versions, and a new one.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use domain::lane::Lane;
use domain::tariff::Row;
use ledger::admin::tariff::{self, NewVersion, Version};
use platform::http::problem::{Code, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Caller;
use super::super::describe::NewTariff;
use super::super::problems::{CostProblems, FindProblems, ReadProblems};
use super::super::query::NoQuery;
use super::parameters::Parameters;
use super::preview::TariffPreview;
use super::{Failure, administrator, body, change, next, read, read_by, time};
use crate::app::App;
use crate::{admin, request};

/// A version of the tariff.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct TariffVersion {
    #[schema(example = 2)]
    version: i32,
    /// `in_force`, `scheduled` or `past`.
    #[schema(example = "in_force")]
    state: String,
    /// Since when it holds; null: from the beginning.
    #[schema(format = DateTime, example = "2026-12-01T00:00:00.000Z")]
    effective_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    created_at: String,
}

/// A version of the tariff, with its prices.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Tariff {
    #[serde(flatten)]
    version: TariffVersion,
    #[schema(example = "IRR")]
    currency: String,
    prices: Vec<TariffPrice>,
}

/// The price of a segment.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct TariffPrice {
    #[schema(example = "bulk")]
    lane: &'static str,
    /// Null: either.
    #[schema(example = "ucs2")]
    encoding: Option<&'static str>,
    /// What the number begins with; empty: any.
    #[schema(example = "98912")]
    prefix: String,
    #[schema(example = 1050)]
    price: i64,
}

/// Versions, the newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct TariffList {
    data: Vec<TariffVersion>,
    #[schema(example = "2")]
    next_cursor: Option<String>,
}

impl From<Version> for TariffVersion {
    fn from(version: Version) -> Self {
        TariffVersion {
            version: version.version,
            state: version.state,
            effective_at: version.effective_at.map(time),
            created_at: time(version.created_at),
        }
    }
}

impl Tariff {
    fn new(version: Version, rows: impl Iterator<Item = Row>, currency: &str) -> Self {
        let price = |row: Row| TariffPrice {
            lane: row.lane.as_str(),
            encoding: row.encoding.map(|encoding| encoding.as_str()),
            prefix: row.prefix.to_string(),
            price: row.price.get(),
        };
        Tariff { version: version.into(), currency: currency.to_owned(), prices: rows.map(price).collect() }
    }
}

/// List versions of the tariff
#[utoipa::path(
    get, path = "/v1/admin/tariffs", tag = "admin", operation_id = "listTariffs",
    params(("limit" = Option<u32>, Query, description = "1 to 500, by default 50.", minimum = 1, maximum = 500),
           ("cursor" = Option<String>, Query, description = "The `next_cursor` of an earlier page.")),
    responses((status = 200, description = "Versions, the newest first.", body = TariffList), ReadProblems),
)]
pub(in crate::api) async fn list(
    caller: Caller,
    uri: Uri,
    State(app): State<Arc<App>>,
) -> Result<Json<TariffList>, Problem> {
    administrator(&caller)?;
    let mut parameters = Parameters::read(&uri, &["limit", "cursor"]);
    let (limit, cursor) = (parameters.limit(), parameters.cursor());
    parameters.finish()?;
    let mut found = read(&app, async |c| Ok(tariff::versions(c, cursor, limit + 1).await?)).await?;
    let next_cursor = next(&mut found, limit, |version| version.version.to_string());
    Ok(Json(TariffList { data: found.into_iter().map(TariffVersion::from).collect(), next_cursor }))
}

/// Read a version of the tariff
#[utoipa::path(
    get, path = "/v1/admin/tariffs/{version}", tag = "admin", operation_id = "readTariff",
    params(("version" = String, Path, description = "Its number.", example = "2")),
    responses((status = 200, description = "The version, with its prices.", body = Tariff), FindProblems),
)]
pub(in crate::api) async fn one(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(number): Path<String>,
) -> Result<Json<Tariff>, Problem> {
    administrator(&caller)?;
    let number = number.parse().ok().filter(|number: &i32| (1..i32::MAX).contains(number));
    let number = number.ok_or_else(|| Problem::new(Code::NotFound))?;
    let found = read(&app, async |c| {
        let version = tariff::versions(&mut *c, Some(number + 1), 1).await?.pop();
        let version = version.filter(|version| version.version == number).ok_or(Failure::NotFound)?;
        let prices = ledger::tariff::version(c, number.unsigned_abs()).await?.ok_or(Failure::NotFound)?;
        Ok((version, prices))
    });
    let (version, prices) = found.await?;
    Ok(Json(Tariff::new(version, prices.rows(), &app.currency)))
}

/// Set prices
///
/// Makes a version of the tariff, with all of its prices: each lane needs one without encoding and
/// prefix. It never changes; another takes its place. Messages are priced by the version that
/// began last when they are accepted. With `dry_run=true` nothing is written, and the answer (200)
/// says what it would mean.
#[utoipa::path(
    post, path = "/v1/admin/tariffs", tag = "admin", operation_id = "setTariff",
    params(("dry_run" = Option<bool>, Query, description = "Only say what it would mean.")),
    request_body(content = NewTariff),
    responses((status = 200, description = "With `dry_run`: what it would mean.", body = TariffPreview),
              (status = 201, description = "Made.", body = Tariff), CostProblems),
)]
pub(in crate::api) async fn set(
    caller: Caller,
    uri: Uri,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response, Problem> {
    let who = administrator(&caller)?;
    let mut parameters = Parameters::read(&uri, &["dry_run"]);
    let dry_run = parameters
        .value("dry_run", |text| text.parse().map_err(|_| "expected true or false".to_owned()))
        .unwrap_or(false);
    parameters.finish()?;
    let (rows, effective_at) = request::admin::tariff::read(&body(&app, request).await?)?;
    if dry_run {
        let pool = app.pools.lane(Lane::Bulk).clone();
        // Thousands of chunks are read and priced: no message is to wait for that.
        let effect = app.unhurried(async move {
            read_by(&pool, async |c| Ok(admin::effect(c, &rows, effective_at).await?)).await
        });
        let effect = effect.await?;
        return Ok(Json(TariffPreview::new(effect, &app.currency)).into_response());
    }
    let new = NewVersion { rows: rows.clone(), effective_at, newest: None };
    let made = change(&app, async |c| Ok(tariff::set(c, &who, &new).await?)).await?;
    let made = Tariff::new(made, rows.into_iter(), &app.currency);
    Ok((StatusCode::CREATED, Json(made)).into_response())
}
