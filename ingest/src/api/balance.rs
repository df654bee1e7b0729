//! The balance.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use platform::http::problem::{Code, Problem};
use serde::Serialize;
use utoipa::ToSchema;

use super::auth::Caller;
use super::problems::ReadProblems;
use super::query::NoQuery;
use crate::app::App;
use crate::keys::Scope;

/// What an account has.
#[derive(Serialize, ToSchema)]
pub(super) struct Balance {
    /// What may be spent, in the smallest unit of the currency.
    #[schema(example = 250000)]
    balance: i64,
    /// What is held for messages that are not final yet.
    #[schema(example = 3000)]
    held: i64,
    #[schema(example = "IRR")]
    currency: String,
}

/// Read the balance
#[utoipa::path(
    get, path = "/v1/balance", tag = "money", operation_id = "readBalance",
    responses((status = 200, description = "The balance now.", body = Balance), ReadProblems),
)]
pub(super) async fn read(
    caller: Caller,
    _: NoQuery,
    State(app): State<Arc<App>>,
) -> Result<Json<Balance>, Problem> {
    caller.require(Scope::Read)?;
    let account = caller.0.account;
    let read = app.pools.common().within(async |connection| ledger::account::read(connection, account).await);
    let found = read.await.map_err(|error| {
        tracing::warn!(%error, account, "the balance could not be read");
        Problem::new(Code::Unavailable).detail("the balance cannot be read now")
    })?;
    let found = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    let (balance, held) = (found.balance.get(), found.held.get());
    Ok(Json(Balance { balance, held, currency: app.currency.clone() }))
}
