//! Keys are kept for a time, and then deleted, a bounded number at a time.

use std::time::Duration;

use platform::lifecycle::Stop;
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};
use tokio::time::MissedTickBehavior;

use crate::config::IdempotencySettings;
use crate::metrics;

/// Deletes until asked to stop. Every process looks; of those that look at once one deletes.
pub(crate) async fn delete_old(pool: Pool, settings: IdempotencySettings, stop: Stop) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(Duration::from_millis(settings.delete_every_ms));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.requested() => return Ok(()),
            _ = tick.tick() => {}
        }
        match pool.within(async |connection| delete(connection, &settings).await).await {
            Ok(deleted) => metrics::keys_deleted(deleted),
            Err(error) => tracing::warn!(%error, "old idempotency keys could not be deleted"),
        }
    }
}

/// Deletes the oldest of those that are too old; how many.
pub(crate) async fn delete(
    connection: &mut PgConnection,
    settings: &IdempotencySettings,
) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // A lock of this table and its schema alone, given back with the transaction.
    let (ours,): (bool,) =
        sqlx::query_as("select pg_try_advisory_xact_lock('idempotency'::regclass::oid::bigint)")
            .fetch_one(&mut *transaction)
            .await?;
    if !ours {
        return Ok(0);
    }
    // The time as a value, or the index would not be used.
    let deleted = sqlx::query(
        "delete from idempotency where ctid = any (array(
             select ctid from idempotency
             where created_at < (select clock_timestamp() - $1 * interval '1 hour')
             order by created_at limit $2))",
    )
    .bind(i32::from(settings.keep_hours))
    .bind(i64::from(settings.delete_rows))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(deleted.rows_affected())
}

#[cfg(test)]
mod tests;
