//! Accounts and charges.

use crate::LedgerError;
use chrono::{DateTime, Utc};
use domain::money::Money;
use sqlx::PgConnection;

/// A customer, and how the books stand for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id, positive.
    pub id: i64,
    /// Its name, for people.
    pub name: String,
    /// The sender lines it may use; the first is its default.
    pub lines: Vec<String>,
    /// What it may spend.
    pub balance: Money,
    /// What is held for messages that are not final yet.
    pub held: Money,
    /// Whether it may not send.
    pub suspended: bool,
    /// Segments a minute it may send in lane standard; none: as the settings say.
    pub rate_limit_per_minute: Option<u32>,
    /// The same of lane express.
    pub express_rate_limit_per_minute: Option<u32>,
}

/// A charge that was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charged {
    /// The entry's id.
    pub entry: i64,
    /// The balance after it.
    pub balance: Money,
    /// When it was booked.
    pub at: DateTime<Utc>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    name: String,
    lines: Vec<String>,
    balance: i64,
    held: i64,
    suspended: bool,
    rate_limit_per_minute: Option<i32>,
    express_rate_limit_per_minute: Option<i32>,
}

impl From<Row> for Account {
    fn from(row: Row) -> Self {
        // The table has positive limits only.
        let limit = |limit: Option<i32>| limit.and_then(|limit| u32::try_from(limit).ok());
        Account {
            id: row.id,
            name: row.name,
            lines: row.lines,
            balance: Money::new(row.balance),
            held: Money::new(row.held),
            suspended: row.suspended,
            rate_limit_per_minute: limit(row.rate_limit_per_minute),
            express_rate_limit_per_minute: limit(row.express_rate_limit_per_minute),
        }
    }
}

/// Makes an account, with an id of the caller's choice where given. Nothing comes back where
/// that id is taken.
pub async fn create(
    connection: &mut PgConnection,
    id: Option<i64>,
    name: &str,
    lines: &[String],
) -> Result<Option<i64>, sqlx::Error> {
    let made: Option<(i64,)> = match id {
        Some(id) => sqlx::query_as(
            "insert into account (id, name, lines) values ($1, $2, $3) on conflict do nothing returning id",
        )
        .bind(id)
        .bind(name)
        .bind(lines)
        .fetch_optional(connection)
        .await?,
        None => {
            // An id chosen by hand may stand where the sequence comes to: it is passed over.
            sqlx::query_as(
                "insert into account (id, name, lines)
                 values (greatest(nextval(pg_get_serial_sequence('account', 'id')),
                                  (select coalesce(max(id), 0) + 1 from account)), $1, $2) returning id",
            )
            .bind(name)
            .bind(lines)
            .fetch_optional(connection)
            .await?
        }
    };
    Ok(made.map(|(id,)| id))
}

/// Reads an account.
pub async fn read(connection: &mut PgConnection, id: i64) -> Result<Option<Account>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "select id, name, lines, balance, held, suspended_at is not null as suspended,
                rate_limit_per_minute, express_rate_limit_per_minute
         from account where id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Account::from))
}

/// Books a top-up: outside → balance. The caller's transaction makes entry and balance one.
pub async fn charge(
    connection: &mut PgConnection,
    account: i64,
    amount: Money,
    reference: Option<&str>,
) -> Result<Charged, LedgerError> {
    if amount < Money::new(1) {
        return Err(LedgerError::NotACharge(amount.get()));
    }
    let before: Option<(i64, i64)> =
        sqlx::query_as("select balance, held from account where id = $1 for update")
            .bind(account)
            .fetch_optional(&mut *connection)
            .await?;
    let (balance, held) = before.ok_or(LedgerError::NoAccount(account))?;
    // What is held may come back to the balance: the sum must fit.
    let after = Money::new(balance).checked_add(amount);
    let after = after.filter(|after| after.checked_add(Money::new(held)).is_some());
    let after = after.ok_or(LedgerError::TooMuch(account))?;
    sqlx::query("update account set balance = $2 where id = $1")
        .bind(account)
        .bind(after.get())
        .execute(&mut *connection)
        .await?;
    let (entry, at): (i64, DateTime<Utc>) = sqlx::query_as(
        "insert into entry (account_id, kind, amount, reference) values ($1, 'charge', $2, $3) returning id, at",
    )
    .bind(account)
    .bind(amount.get())
    .bind(reference)
    .fetch_one(&mut *connection)
    .await?;
    Ok(Charged { entry, balance: after, at })
}
