//! Accounts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, Uri};
use ledger::admin::account::{self, Customer};
use platform::http::problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::super::auth::Caller;
use super::super::describe::{AccountChange, NewAccount};
use super::super::problems::{CostProblems, EditProblems, FindProblems, ReadProblems};
use super::super::query::NoQuery;
use super::parameters::Parameters;
use super::{Failure, account_of, administrator, body, change, next, read, time};
use crate::app::App;
use crate::keys::in_use;
use crate::request;

/// An account.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct Account {
    #[schema(example = "7")]
    id: String,
    /// For people.
    #[schema(example = "Acme")]
    name: String,
    /// The sender lines it may use; the first is its default.
    #[schema(example = json!(["100002", "3000"]))]
    lines: Vec<String>,
    /// What may be spent, in the smallest unit of the currency.
    #[schema(example = 250000)]
    balance: i64,
    /// What is held for messages that are not final yet.
    #[schema(example = 3000)]
    held: i64,
    #[schema(example = "IRR")]
    currency: String,
    /// Segments a minute in lane standard; null: as the settings say.
    #[schema(example = 5000)]
    rate_limit_per_minute: Option<i32>,
    /// Segments a minute in lane express; null: as the settings say.
    #[schema(example = 600)]
    express_rate_limit_per_minute: Option<i32>,
    /// Whether it may not send. It may still read.
    #[schema(example = false)]
    suspended: bool,
    #[schema(format = DateTime, example = "2026-11-21T12:00:00.000Z")]
    suspended_at: Option<String>,
    #[schema(format = DateTime, example = "2026-11-01T12:00:00.000Z")]
    created_at: String,
}

/// An account, and what is under way.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct AccountDetails {
    #[serde(flatten)]
    account: Account,
    /// Keys that open something now.
    #[schema(example = 2)]
    keys_in_use: i64,
    /// Messages that were accepted and have not ended yet.
    #[schema(example = 12)]
    in_flight: i64,
}

/// Accounts, the newest first.
#[derive(Serialize, ToSchema)]
pub(in crate::api) struct AccountList {
    data: Vec<Account>,
    #[schema(example = "6")]
    next_cursor: Option<String>,
}

impl Account {
    fn new(customer: Customer, currency: &str) -> Self {
        let Customer { id, terms, suspended_at, balance, held, created_at } = customer;
        Account {
            id: id.to_string(),
            name: terms.name,
            lines: terms.lines,
            balance: balance.get(),
            held: held.get(),
            currency: currency.to_owned(),
            rate_limit_per_minute: terms.rate_limit,
            express_rate_limit_per_minute: terms.express_rate_limit,
            suspended: terms.suspended,
            suspended_at: suspended_at.map(time),
            created_at: time(created_at),
        }
    }
}

/// List accounts
#[utoipa::path(
    get, path = "/v1/admin/accounts", tag = "admin", operation_id = "listAccounts",
    params(("limit" = Option<u32>, Query, description = "1 to 500, by default 50.", minimum = 1, maximum = 500),
           ("cursor" = Option<String>, Query, description = "The `next_cursor` of an earlier page.")),
    responses((status = 200, description = "Accounts, the newest first.", body = AccountList), ReadProblems),
)]
pub(in crate::api) async fn list(
    caller: Caller,
    uri: Uri,
    State(app): State<Arc<App>>,
) -> Result<Json<AccountList>, Problem> {
    administrator(&caller)?;
    let mut parameters = Parameters::read(&uri, &["limit", "cursor"]);
    let (limit, cursor) = (parameters.limit(), parameters.cursor());
    parameters.finish()?;
    let mut found = read(&app, async |c| Ok(account::list(c, cursor, limit + 1).await?)).await?;
    let next_cursor = next(&mut found, limit, |customer| customer.id.to_string());
    let data = found.into_iter().map(|customer| Account::new(customer, &app.currency)).collect();
    Ok(Json(AccountList { data, next_cursor }))
}

/// Make an account
#[utoipa::path(
    post, path = "/v1/admin/accounts", tag = "admin", operation_id = "createAccount",
    request_body(content = NewAccount),
    responses((status = 201, description = "Made.", body = Account), CostProblems),
)]
pub(in crate::api) async fn create(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<(StatusCode, Json<Account>), Problem> {
    let who = administrator(&caller)?;
    let terms = request::admin::account::create(&body(&app, request).await?)?;
    let made = change(&app, async |c| Ok(account::create(c, &who, None, &terms).await?)).await?;
    Ok((StatusCode::CREATED, Json(Account::new(made, &app.currency))))
}

/// Read an account
#[utoipa::path(
    get, path = "/v1/admin/accounts/{id}", tag = "admin", operation_id = "readAccount",
    params(("id" = String, Path, description = "The account's id.", example = "7")),
    responses((status = 200, description = "The account.", body = AccountDetails), FindProblems),
)]
pub(in crate::api) async fn one(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<Json<AccountDetails>, Problem> {
    administrator(&caller)?;
    let id = account_of(&id)?;
    let found = read(&app, async |c| {
        let customer = account::read(&mut *c, id).await?.ok_or(Failure::NotFound)?;
        Ok((customer, in_use(&mut *c, id).await?, crate::admin::in_flight(c, id).await?))
    });
    let (customer, keys_in_use, in_flight) = found.await?;
    Ok(Json(AccountDetails { account: Account::new(customer, &app.currency), keys_in_use, in_flight }))
}

/// Change an account
///
/// What is left out stays as it is. A limit of `null` is that of the settings again. A suspended
/// account may read, and not send (403); what was accepted before goes on.
#[utoipa::path(
    patch, path = "/v1/admin/accounts/{id}", tag = "admin", operation_id = "changeAccount",
    params(("id" = String, Path, description = "The account's id.", example = "7")),
    request_body(content = AccountChange),
    responses((status = 200, description = "The account as it is now.", body = Account), EditProblems),
)]
pub(in crate::api) async fn alter(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Account>, Problem> {
    let who = administrator(&caller)?;
    let id = account_of(&id)?;
    let alteration = request::admin::account::alter(&body(&app, request).await?)?;
    let altered = change(&app, async |c| Ok(account::alter(c, &who, id, &alteration).await?)).await?;
    Ok(Json(Account::new(altered, &app.currency)))
}
