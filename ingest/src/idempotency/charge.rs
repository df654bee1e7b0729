//! Charges: the key, the entry and the answer are one transaction. So there is no time in which
//! a key stands there and its charge does not, and no process needs to be asked about.

use chrono::{DateTime, Utc};
use domain::money::Money;
use ledger::LedgerError;
use ledger::account::Charged;
use platform::http::problem::Problem;
use platform::postgres::lost_a_race;
use sqlx::PgConnection;

use super::request::{Asked, RequestHash};
use super::row::state;
use super::{conflict, in_progress};

/// A charge that is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Booked {
    pub(crate) charged: Charged,
    /// By an earlier request with the same key: the answer has [`replayed`](super::replayed).
    pub(crate) replayed: bool,
}

/// Why a charge is not booked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBooked {
    /// The books refuse, or Postgres.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The key was used for another request.
    #[error("the key was used for another request")]
    Conflict,
    /// Another request with this key is being booked.
    #[error("the first request with this key is still running")]
    InProgress,
}

impl From<sqlx::Error> for NotBooked {
    fn from(error: sqlx::Error) -> Self {
        NotBooked::Ledger(LedgerError::Postgres(error))
    }
}

impl NotBooked {
    /// The 409 of the new API, where it is about the key; what the books say is the caller's to
    /// put into words.
    pub(crate) fn problem(self) -> Result<Problem, LedgerError> {
        match self {
            NotBooked::Ledger(error) => Err(error),
            NotBooked::Conflict => Ok(conflict()),
            NotBooked::InProgress => Ok(in_progress()),
        }
    }
}

/// Books a charge by `book`, once for all requests with this key, inside the caller's transaction:
/// it is to be rolled back where this fails, so that what was refused does not use up a key.
pub(crate) async fn charge<B>(
    connection: &mut PgConnection,
    asked: Option<&Asked>,
    book: B,
) -> Result<Booked, NotBooked>
where
    B: AsyncFnOnce(&mut PgConnection) -> Result<Charged, LedgerError>,
{
    let Some(asked) = asked else {
        return Ok(Booked { charged: book(connection).await?, replayed: false });
    };
    // Two at once: the second waits here for the end of the first's transaction.
    if !insert(connection, asked).await.map_err(waited)? {
        return first(connection, asked).await;
    }
    let charged = book(&mut *connection).await?;
    finish(connection, asked, &charged).await?;
    Ok(Booked { charged, replayed: false })
}

fn waited(error: sqlx::Error) -> NotBooked {
    if lost_a_race(&error) { NotBooked::InProgress } else { error.into() }
}

/// Whether the key was free.
async fn insert(connection: &mut PgConnection, asked: &Asked) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "insert into idempotency (account_id, key, request_hash, attempt, state)
         values ($1, $2, $3, 0, 'charged') on conflict (account_id, key) do nothing",
    )
    .bind(asked.account)
    .bind(&asked.key)
    .bind(asked.hash.as_slice())
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn finish(connection: &mut PgConnection, asked: &Asked, charged: &Charged) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update idempotency set entry_id = $3, balance = $4, charged_at = $5
         where account_id = $1 and key = $2",
    )
    .bind(asked.account)
    .bind(&asked.key)
    .bind(charged.entry)
    .bind(charged.balance.get())
    .bind(charged.at)
    .execute(connection)
    .await?;
    Ok(())
}

type Row = (Vec<u8>, String, Option<i64>, Option<i64>, Option<DateTime<Utc>>);

/// What the first request came to.
async fn first(connection: &mut PgConnection, asked: &Asked) -> Result<Booked, NotBooked> {
    let row: Option<Row> = sqlx::query_as(
        "select request_hash, state, entry_id, balance, charged_at from idempotency
         where account_id = $1 and key = $2",
    )
    .bind(asked.account)
    .bind(&asked.key)
    .fetch_optional(connection)
    .await?;
    // Deleted for its age at this very moment: the next try books.
    let (hash, state, entry, balance, at) = row.ok_or(NotBooked::InProgress)?;
    let same = RequestHash::try_from(hash).is_ok_and(|hash| hash == asked.hash);
    match (entry, balance, at) {
        (Some(entry), Some(balance), Some(at)) if same && state == state::CHARGED => {
            Ok(Booked { charged: Charged { entry, balance: Money::new(balance), at }, replayed: true })
        }
        _ => Err(NotBooked::Conflict),
    }
}

#[cfg(test)]
mod tests;
