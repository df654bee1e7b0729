//! Charges, as people and their systems book them.

use super::change::{NewChange, note};
use super::{Who, subject_of_account};
use crate::LedgerError;
use crate::account::{Charged, charge as book};
use domain::money::Money;
use serde_json::json;
use sqlx::PgConnection;

/// Books a top-up, and notes who did. A transaction of the caller's makes it one with whatever
/// else it writes, such as what an `Idempotency-Key` stands for.
///
/// # Errors
/// [`LedgerError::NoAccount`], [`LedgerError::NotACharge`], [`LedgerError::TooMuch`], or Postgres.
pub async fn charge(
    connection: &mut PgConnection,
    who: &Who,
    account: i64,
    amount: Money,
    reference: Option<&str>,
) -> Result<Charged, LedgerError> {
    let charged = book(&mut *connection, account, amount, reference).await?;
    let before = charged.balance.checked_sub(amount).map(Money::get);
    let change = NewChange {
        what: "account.charge",
        subject: subject_of_account(account),
        before: Some(json!({ "balance": before })),
        after: Some(json!({
            "balance": charged.balance.get(),
            "amount": amount.get(),
            "entry": charged.entry,
            "reference": reference,
        })),
    };
    note(connection, who, change).await?;
    Ok(charged)
}
