//! Whether the balance covers a call, before anything is produced.
//!
//! Here: a fresh read for each call. Fast answers from remembered balances, and waiting for
//! billing's verdict where it is close, belong in this file too.

use domain::money::Money;
use ledger::account;
use platform::http::problem::{Code, Problem};
use platform::postgres::Pool;

/// Lets a call pass that the account's balance covers as a whole now.
///
/// # Errors
/// 402 `insufficient_funds` where it does not, 503 `unavailable` where it cannot be read.
pub(crate) async fn cover(pool: &Pool, account: i64, required: Money, currency: &str) -> Result<(), Problem> {
    let read = pool.within(async |connection| account::read(connection, account).await);
    let account = read.await.map_err(|error| {
        tracing::warn!(%error, account, "the balance could not be read");
        Problem::new(Code::Unavailable).detail("the balance cannot be read now; nothing was taken")
    })?;
    let balance = account.map_or(Money::ZERO, |account| account.balance);
    if required <= balance {
        return Ok(());
    }
    Err(Problem::new(Code::InsufficientFunds)
        .detail("charge the account, or send less; nothing was taken")
        .member("balance", balance.get())
        .member("required", required.get())
        .member("currency", currency))
}
