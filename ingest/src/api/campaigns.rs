//! Campaigns: made, shown, closed, cancelled. Their rows: `rows`.

mod answer;
mod query;
pub(super) mod rows;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use platform::http::problem::{Code, Problem};
use platform::ownership::clock::unix_now;
use sqlx::PgConnection;

use self::answer::{Campaign, Page};
use self::query::{Query, page};
use super::auth::Caller;
use super::bodies::read_json;
use super::describe::CampaignRequest;
use super::problems::{CostProblems, FindProblems, ReadProblems};
use super::query::NoQuery;
use crate::app::App;
use crate::campaigns::{self, New, progress};
use crate::keys::Scope;
use crate::prepare::{self, Context};

/// Make a campaign
///
/// A text with places for the values of a file's rows: `{name}` is filled from the column, or the
/// field, of that name; a brace itself is written twice. Its rows are uploaded after that.
#[utoipa::path(
    post, path = "/v1/campaigns", tag = "campaigns", operation_id = "createCampaign",
    request_body(content = CampaignRequest),
    responses((status = 201, description = "Made.", body = Campaign), CostProblems),
)]
pub(super) async fn create(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Campaign>), Problem> {
    caller.require(Scope::Send)?;
    let body = read_json(request, app.rules.limits.message_body_bytes, &app.http).await?;
    let tariff = app.tariffs.current()?;
    let context = Context { rules: &app.rules, caller: &caller.0, tariff: &tariff, now: unix_now() };
    let made = prepare::campaign(&body, context)?;
    let new = New {
        account: caller.0.account,
        name: &made.name,
        text: &made.text,
        line: &made.line,
        ttl_seconds: made.ttl_seconds,
        stops_at_faults: made.stops_at_faults,
    };
    let create = async |connection: &mut PgConnection| campaigns::create(connection, &new).await;
    let campaign = app.pools.common().within(create).await.map_err(unavailable)?;
    tracing::info!(account = campaign.account, campaign = campaign.id, "a campaign was made");
    let campaign = Campaign::new(&campaign, &campaigns::Progress::default(), &app.currency);
    Ok((StatusCode::CREATED, Json(campaign)))
}

/// List campaigns
///
/// Newest first.
#[utoipa::path(
    get, path = "/v1/campaigns", tag = "campaigns", operation_id = "listCampaigns",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 500; 50 where not given.", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
    ),
    responses((status = 200, description = "A page of campaigns.", body = Page), ReadProblems),
)]
pub(super) async fn list(
    caller: Caller,
    query: Query,
    State(app): State<Arc<App>>,
) -> Result<Json<Page>, Problem> {
    caller.require(Scope::Read)?;
    let (limit, before) = page(query)?;
    let account = caller.0.account;
    let read = async |connection: &mut PgConnection| -> Result<_, sqlx::Error> {
        let campaigns = campaigns::list(connection, account, before, limit).await?;
        let progress = progress(connection, &campaigns).await?;
        Ok((campaigns, progress))
    };
    let (campaigns, progress) = app.pools.common().within(read).await.map_err(unavailable)?;
    let full = campaigns.len() == limit as usize;
    let next_cursor = campaigns.last().filter(|_| full).map(|last| last.id.to_string());
    let data = campaigns.iter().zip(&progress).map(|(one, of)| Campaign::new(one, of, &app.currency));
    Ok(Json(Page { data: data.collect(), next_cursor }))
}

/// Read a campaign
///
/// What of its file is taken in, and what became of its messages.
#[utoipa::path(
    get, path = "/v1/campaigns/{id}", tag = "campaigns", operation_id = "readCampaign",
    params(("id" = String, Path, description = "The campaign's id.", example = "17")),
    responses((status = 200, description = "The campaign.", body = Campaign), FindProblems),
)]
pub(super) async fn read(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<Campaign>, Problem> {
    caller.require(Scope::Read)?;
    let account = caller.0.account;
    let read = async |connection: &mut PgConnection, id| campaigns::read(connection, account, id).await;
    one(&app, &id, read).await.map(Json)
}

/// Close a campaign
///
/// It takes no more rows. A campaign that is closed or cancelled already stays as it is.
#[utoipa::path(
    post, path = "/v1/campaigns/{id}/close", tag = "campaigns", operation_id = "closeCampaign",
    params(("id" = String, Path, description = "The campaign's id.", example = "17")),
    responses((status = 202, description = "Closed.", body = Campaign), FindProblems),
)]
pub(super) async fn close(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Campaign>), Problem> {
    caller.require(Scope::Send)?;
    let account = caller.0.account;
    let close = async |connection: &mut PgConnection, id| campaigns::close(connection, account, id).await;
    Ok((StatusCode::ACCEPTED, Json(one(&app, &id, close).await?)))
}

/// Cancel a campaign
///
/// What is not yet sent is not sent any more, within about a second; it becomes `canceled` and is
/// refunded. It takes no more rows.
#[utoipa::path(
    post, path = "/v1/campaigns/{id}/cancel", tag = "campaigns", operation_id = "cancelCampaign",
    params(("id" = String, Path, description = "The campaign's id.", example = "17")),
    responses((status = 202, description = "Cancelled.", body = Campaign), FindProblems),
)]
pub(super) async fn cancel(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Campaign>), Problem> {
    caller.require(Scope::Send)?;
    let account = caller.0.account;
    let cancel = async |connection: &mut PgConnection, id| campaigns::cancel(connection, account, id).await;
    let canceled = one(&app, &id, cancel).await?;
    tracing::info!(account, campaign = id, "a campaign is cancelled");
    Ok((StatusCode::ACCEPTED, Json(canceled)))
}

/// Does something with a campaign, and shows it.
async fn one<W>(app: &App, id: &str, work: W) -> Result<Campaign, Problem>
where
    W: AsyncFnOnce(&mut PgConnection, i64) -> Result<Option<campaigns::Campaign>, sqlx::Error>,
{
    let id = number(id)?;
    let read = async |connection: &mut PgConnection| -> Result<_, sqlx::Error> {
        let Some(campaign) = work(connection, id).await? else { return Ok(None) };
        let progress = progress(connection, std::slice::from_ref(&campaign)).await?;
        Ok(Some((campaign, progress)))
    };
    let (campaign, progress) =
        app.pools.common().within(read).await.map_err(unavailable)?.ok_or_else(not_found)?;
    let progress = progress.into_iter().next().unwrap_or_default();
    Ok(Campaign::new(&campaign, &progress, &app.currency))
}

/// A campaign's id.
fn number(id: &str) -> Result<i64, Problem> {
    super::format::number(id).ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound).detail("no such campaign of this account")
}

#[allow(clippy::needless_pass_by_value)] // the form that map_err wants
fn unavailable(error: sqlx::Error) -> Problem {
    tracing::warn!(%error, "campaigns could not be read or stored");
    Problem::new(Code::Unavailable).detail("campaigns cannot be read or changed now")
}
