//! The tariff's rows. A version never changes: chunks may name it.

use crate::LedgerError;
use chrono::{DateTime, Utc};
use domain::money::Money;
use domain::tariff::{Row, Tariff};
use sqlx::PgConnection;

#[derive(sqlx::FromRow)]
struct StoredRow {
    lane: String,
    encoding: Option<String>,
    prefix: String,
    price: i64,
}

/// What new messages are priced by.
pub async fn current(connection: &mut PgConnection) -> Result<Tariff, LedgerError> {
    at(connection, None).await
}

/// What messages of that time are, or will be, priced by; of now, by the database's clock, where
/// none is given. That is the version which began last; of several that began together, the
/// newest.
pub async fn at(connection: &mut PgConnection, time: Option<DateTime<Utc>>) -> Result<Tariff, LedgerError> {
    let held: Option<(i32,)> = sqlx::query_as(
        "select version from tariff_version where effective_at <= coalesce($1, clock_timestamp())
         order by effective_at desc, version desc limit 1",
    )
    .bind(time)
    .fetch_optional(&mut *connection)
    .await?;
    let held = held.and_then(|(version,)| u32::try_from(version).ok()).unwrap_or(0);
    let tariff = version(connection, held).await?;
    tariff.ok_or(LedgerError::Tariff { version: held, why: "there is no tariff".into() })
}

/// A version, where it exists.
pub async fn version(connection: &mut PgConnection, version: u32) -> Result<Option<Tariff>, LedgerError> {
    let Ok(stored) = i32::try_from(version) else { return Ok(None) };
    let rows: Vec<StoredRow> =
        sqlx::query_as("select lane, encoding, prefix, price from tariff where version = $1")
            .bind(stored)
            .fetch_all(connection)
            .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let refuse = |why: String| LedgerError::Tariff { version, why };
    let rows = rows.into_iter().map(row).collect::<Result<Vec<_>, String>>().map_err(refuse)?;
    Tariff::new(version, rows).map(Some).map_err(|error| refuse(error.to_string()))
}

fn row(stored: StoredRow) -> Result<Row, String> {
    let encoding = stored.encoding.map(|encoding| encoding.parse()).transpose();
    Ok(Row {
        lane: stored.lane.parse().map_err(|error| format!("{error}"))?,
        encoding: encoding.map_err(|error| format!("{error}"))?,
        prefix: stored.prefix.parse().map_err(|error| format!("{error}"))?,
        price: Money::new(stored.price),
    })
}
