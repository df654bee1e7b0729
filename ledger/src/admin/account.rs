//! Accounts, as people make, change and look at them.

mod terms;

pub use terms::Terms;

use super::change::{NewChange, note};
use super::fields::LINES_MAX;
use super::{Who, line, subject_of_account};
use crate::LedgerError;
use chrono::{DateTime, Utc};
use domain::money::Money;
use sqlx::PgConnection;

/// An account with everything that people decide about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Its id.
    pub id: i64,
    /// What was decided.
    pub terms: Terms,
    /// Since when it may not send, where that is so.
    pub suspended_at: Option<DateTime<Utc>>,
    /// What it may spend.
    pub balance: Money,
    /// What is held for messages that are not final yet.
    pub held: Money,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What is to be changed of an account; what is nothing stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alteration {
    /// Another name.
    pub name: Option<String>,
    /// Other sender lines, all of them.
    pub lines: Option<Vec<String>>,
    /// Another limit in lane standard, or that of the settings again.
    pub rate_limit: Option<Option<i32>>,
    /// The same in lane express.
    pub express_rate_limit: Option<Option<i32>>,
    /// To suspend it, or to let it send again.
    pub suspended: Option<bool>,
}

/// Makes an account, with an id of the caller's choice where given.
///
/// # Errors
/// [`LedgerError::Taken`], or Postgres.
pub async fn create(
    connection: &mut PgConnection,
    who: &Who,
    id: Option<i64>,
    terms: &Terms,
) -> Result<Customer, LedgerError> {
    let made = crate::account::create(&mut *connection, id, &terms.name, &terms.lines).await?;
    let id = made.ok_or(LedgerError::Taken(id.unwrap_or_default()))?;
    line::known(&mut *connection, &terms.lines).await?;
    let customer = store(&mut *connection, id, terms).await?;
    let change = NewChange {
        what: "account.create",
        subject: subject_of_account(id),
        before: None,
        after: Some(customer.terms.all()),
    };
    note(connection, who, change).await?;
    Ok(customer)
}

/// Changes an account. Each kind of change has a row of its own.
///
/// # Errors
/// [`LedgerError::NoAccount`], or Postgres.
pub async fn alter(
    connection: &mut PgConnection,
    who: &Who,
    id: i64,
    alteration: &Alteration,
) -> Result<Customer, LedgerError> {
    change(connection, who, id, |terms| {
        let Alteration { name, lines, rate_limit, express_rate_limit, suspended } = alteration.clone();
        terms.name = name.unwrap_or_else(|| terms.name.clone());
        terms.lines = lines.unwrap_or_else(|| terms.lines.clone());
        terms.rate_limit = rate_limit.unwrap_or(terms.rate_limit);
        terms.express_rate_limit = express_rate_limit.unwrap_or(terms.express_rate_limit);
        terms.suspended = suspended.unwrap_or(terms.suspended);
        Ok(())
    })
    .await
}

/// Lets an account use one more line, as its default where asked for. One that it has already
/// only moves.
///
/// # Errors
/// [`LedgerError::NoAccount`], [`LedgerError::TooManyLines`], or Postgres.
pub async fn assign(
    connection: &mut PgConnection,
    who: &Who,
    id: i64,
    line: &str,
    as_default: bool,
) -> Result<Customer, LedgerError> {
    change(connection, who, id, |terms| {
        if as_default {
            terms.lines.retain(|known| known != line);
            terms.lines.insert(0, line.to_owned());
        } else if !terms.lines.iter().any(|known| known == line) {
            terms.lines.push(line.to_owned());
        }
        if terms.lines.len() > LINES_MAX { Err(LedgerError::TooManyLines(id)) } else { Ok(()) }
    })
    .await
}

/// Under the row's lock, so that what is noted as before is what was changed.
async fn change(
    connection: &mut PgConnection,
    who: &Who,
    id: i64,
    alter: impl FnOnce(&mut Terms) -> Result<(), LedgerError>,
) -> Result<Customer, LedgerError> {
    let row: Option<Row> = sqlx::query_as(
        "select id, name, lines, rate_limit_per_minute, express_rate_limit_per_minute, suspended_at, balance,
                held, created_at from account where id = $1 for update",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await?;
    let customer = row.map(Customer::from).ok_or(LedgerError::NoAccount(id))?;
    let mut terms = customer.terms.clone();
    alter(&mut terms)?;
    if terms == customer.terms {
        return Ok(customer);
    }
    line::known(&mut *connection, &terms.lines).await?;
    let altered = store(&mut *connection, id, &terms).await?;
    for change in customer.terms.changes(&terms, id) {
        note(&mut *connection, who, change).await?;
    }
    Ok(altered)
}

async fn store(connection: &mut PgConnection, id: i64, terms: &Terms) -> Result<Customer, sqlx::Error> {
    let row: Row = sqlx::query_as(
        "update account set name = $2, lines = $3, rate_limit_per_minute = $4,
                express_rate_limit_per_minute = $5,
                suspended_at = case when $6 then coalesce(suspended_at, clock_timestamp()) end
         where id = $1
         returning id, name, lines, rate_limit_per_minute, express_rate_limit_per_minute, suspended_at, balance,
                   held, created_at",
    )
    .bind(id)
    .bind(&terms.name)
    .bind(&terms.lines)
    .bind(terms.rate_limit)
    .bind(terms.express_rate_limit)
    .bind(terms.suspended)
    .fetch_one(connection)
    .await?;
    Ok(row.into())
}

/// An account, where there is one.
pub async fn read(connection: &mut PgConnection, id: i64) -> Result<Option<Customer>, sqlx::Error> {
    let row: Option<Row> = sqlx::query_as(
        "select id, name, lines, rate_limit_per_minute, express_rate_limit_per_minute, suspended_at, balance,
                held, created_at from account where id = $1",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Customer::from))
}

/// The accounts below an id, the newest first.
pub async fn list(
    connection: &mut PgConnection,
    below: Option<i64>,
    limit: u32,
) -> Result<Vec<Customer>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select id, name, lines, rate_limit_per_minute, express_rate_limit_per_minute, suspended_at, balance,
                held, created_at from account where id < $1 order by id desc limit $2",
    )
    .bind(below.unwrap_or(i64::MAX))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Customer::from).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    name: String,
    lines: Vec<String>,
    rate_limit_per_minute: Option<i32>,
    express_rate_limit_per_minute: Option<i32>,
    suspended_at: Option<DateTime<Utc>>,
    balance: i64,
    held: i64,
    created_at: DateTime<Utc>,
}

impl From<Row> for Customer {
    fn from(row: Row) -> Self {
        let terms = Terms {
            name: row.name,
            lines: row.lines,
            rate_limit: row.rate_limit_per_minute,
            express_rate_limit: row.express_rate_limit_per_minute,
            suspended: row.suspended_at.is_some(),
        };
        Customer {
            id: row.id,
            terms,
            suspended_at: row.suspended_at,
            balance: Money::new(row.balance),
            held: Money::new(row.held),
            created_at: row.created_at,
        }
    }
}
