//! Versions of the tariff: which there are, and a new one.

use super::Who;
use super::change::{NewChange, note};
use crate::LedgerError;
use crate::tariff::at;
use chrono::{DateTime, Utc};
use domain::tariff::{Row, Tariff};
use serde_json::{Value, json};
use sqlx::PgConnection;

/// Since when a version holds, and how that stands to now.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// Its number.
    pub version: i32,
    /// Since when it holds; nothing: from the beginning.
    pub effective_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// `in_force`, `scheduled` or `past`.
    pub state: String,
}

/// A version to be made.
#[derive(Clone, Debug)]
pub struct NewVersion {
    /// Its prices, all of them.
    pub rows: Vec<Row>,
    /// Since when it is to hold; nothing: from now.
    pub effective_at: Option<DateTime<Utc>>,
    /// The version that was the newest when it was thought out, where that matters: it is not made
    /// if somebody else was faster.
    pub newest: Option<i32>,
}

/// The versions below a number, the newest first.
pub async fn versions(
    connection: &mut PgConnection,
    below: Option<i32>,
    limit: u32,
) -> Result<Vec<Version>, sqlx::Error> {
    sqlx::query_as(
        "with present as (select clock_timestamp() as now),
              held as (select version from tariff_version, present where effective_at <= now
                       order by effective_at desc, version desc limit 1)
         select version, nullif(effective_at, '-infinity') as effective_at, created_at,
                case when version = (select version from held) then 'in_force'
                     when effective_at > now then 'scheduled' else 'past' end as state
         from tariff_version, present where version < $1 order by version desc limit $2",
    )
    .bind(below.unwrap_or(i32::MAX))
    .bind(i64::from(limit))
    .fetch_all(connection)
    .await
}

/// Makes a version. Which prices hold at a time is said by the latest version that has begun
/// then; of several that begin together, by the last one made.
///
/// # Errors
/// [`LedgerError::NoTariff`] where the rows are none, [`LedgerError::Past`],
/// [`LedgerError::Overtaken`], or Postgres.
pub async fn set(connection: &mut PgConnection, who: &Who, new: &NewVersion) -> Result<Version, LedgerError> {
    // One at a time, or two would take the same number. Readers are not held up.
    sqlx::query("lock table tariff_version in share row exclusive mode").execute(&mut *connection).await?;
    let (newest, past): (i32, bool) = sqlx::query_as(
        "select coalesce(max(version), 0), coalesce($1 < clock_timestamp(), false) from tariff_version",
    )
    .bind(new.effective_at)
    .fetch_one(&mut *connection)
    .await?;
    if new.newest.is_some_and(|seen| seen != newest) {
        return Err(LedgerError::Overtaken(newest));
    }
    if past {
        return Err(LedgerError::Past);
    }
    let version = newest + 1;
    Tariff::new(version.unsigned_abs(), new.rows.clone())?;
    let replaced = at(&mut *connection, new.effective_at).await?;

    write(&mut *connection, version, &new.rows).await?;
    sqlx::query(
        "insert into tariff_version (version, effective_at) values ($1, coalesce($2, clock_timestamp()))",
    )
    .bind(version)
    .bind(new.effective_at)
    .execute(&mut *connection)
    .await?;

    let made = versions(&mut *connection, Some(version + 1), 1).await?.pop();
    let made = made.ok_or(sqlx::Error::RowNotFound)?;
    let after = json!({ "version": version, "effective_at": made.effective_at.map(|at| at.to_rfc3339()),
                        "prices": prices(&new.rows) });
    let change = NewChange {
        what: "tariff.set",
        subject: format!("tariff {version}"),
        before: Some(
            json!({ "version": replaced.version(), "prices": prices(&replaced.rows().collect::<Vec<_>>()) }),
        ),
        after: Some(after),
    };
    note(connection, who, change).await?;
    Ok(made)
}

async fn write(connection: &mut PgConnection, version: i32, rows: &[Row]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into tariff (version, lane, encoding, prefix, price)
         select $1, lane, encoding, prefix, price
         from unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) as n (lane, encoding, prefix, price)",
    )
    .bind(version)
    .bind(rows.iter().map(|row| row.lane.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.encoding.map(|encoding| encoding.as_str())).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.prefix.to_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.price.get()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

fn prices(rows: &[Row]) -> Value {
    let price = |row: &Row| {
        json!({ "lane": row.lane.as_str(), "encoding": row.encoding.map(|encoding| encoding.as_str()),
                "prefix": row.prefix.to_string(), "price": row.price.get() })
    };
    rows.iter().map(price).collect()
}
