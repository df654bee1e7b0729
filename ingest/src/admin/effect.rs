//! What other prices would mean: both lists side by side, and what the traffic of the last days
//! would have cost by each.

use chrono::{DateTime, Utc};
use domain::tariff::{Compared, Row, Tariff, compare};
use ledger::LedgerError;
use sqlx::PgConnection;

use super::traffic::{LaneTraffic, traffic};

/// What a version of the tariff would mean.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The version that would hold without it.
    pub replaces: u32,
    /// The newest version there is, which need not be the same.
    pub newest: i32,
    /// The prices of both.
    pub prices: Vec<Compared>,
    /// What the last [`super::DAYS`] days would have cost by each, lane by lane.
    pub traffic: Vec<LaneTraffic>,
}

/// Computes it. Nothing is written. What could not be made is refused here, too.
///
/// # Errors
/// [`LedgerError::NoTariff`] where the rows are none, [`LedgerError::Past`], or Postgres.
pub async fn effect(
    connection: &mut PgConnection,
    rows: &[Row],
    effective_at: Option<DateTime<Utc>>,
) -> Result<Effect, LedgerError> {
    let past: Option<bool> = sqlx::query_scalar("select $1 < clock_timestamp()")
        .bind(effective_at)
        .fetch_one(&mut *connection)
        .await?;
    if past == Some(true) {
        return Err(LedgerError::Past);
    }
    let newest = ledger::admin::tariff::versions(&mut *connection, None, 1).await?;
    let newest = newest.first().map_or(0, |version| version.version);
    let new = Tariff::new(newest.unsigned_abs() + 1, rows.to_vec())?;
    let old = ledger::tariff::at(&mut *connection, effective_at).await?;
    let traffic = traffic(connection, &old, &new).await?;
    Ok(Effect { replaces: old.version(), newest, prices: compare(&old, &new), traffic })
}
