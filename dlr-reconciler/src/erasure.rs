//! Texts and numbers are kept as long as a setting says; then they are erased from history, and
//! from what was parked. Statuses, times, prices and the books stay: what was paid for what
//! remains provable.
//!
//! One process at a time goes on where the last one stopped, in small transactions on bulk's
//! connections: the place it came to is stored with what it erased.

mod store;
#[cfg(test)]
mod tests;

use crate::config::ErasureSettings;
use crate::metrics::ErasureMeters;
use domain::time::UnixMillis;
use platform::lifecycle::Stop;
use platform::ownership::Standing;
use platform::postgres::{Pool, lost_a_race};
use std::sync::Arc;
use std::time::Duration;
pub(crate) use store::reopen;

/// Texts and numbers are kept so many days at least: by then every message is final, and Kafka
/// has forgotten it, as it is set by default.
pub(crate) const KEPT_DAYS_MIN: i32 = 7;
const DAY_MS: i64 = 24 * 3_600_000;
/// The pause between batches while there is something to erase: others want Postgres too.
const PACE: Duration = Duration::from_millis(50);

/// Erases what is old enough.
pub(crate) struct Eraser {
    pub(crate) pool: Pool,
    pub(crate) standing: Arc<Standing>,
    pub(crate) settings: ErasureSettings,
    pub(crate) meters: ErasureMeters,
}

/// What one batch did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    /// Chunks whose texts and numbers are gone.
    pub(crate) chunks: usize,
    /// Parked records that are gone.
    pub(crate) parked: u64,
    /// Whether there may be more.
    pub(crate) more: bool,
    /// How much older than it may be what is left could be, in milliseconds.
    pub(crate) behind_ms: i64,
}

impl Eraser {
    /// Goes round until asked to stop. A batch that fails is tried again.
    ///
    /// # Errors
    /// None; the type is that of every component.
    pub(crate) async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let every = Duration::from_millis(self.settings.every_ms);
        loop {
            let pause = match self.batch().await {
                Ok(batch) if batch.more => PACE.min(every),
                Ok(_) => every,
                Err(error) => {
                    self.meters.failed.increment(1);
                    if !lost_a_race(&error) {
                        tracing::warn!(%error, "what is old could not be erased now");
                    }
                    every
                }
            };
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One batch of what was submitted before the time that is kept.
    pub(crate) async fn batch(&self) -> Result<Batch, sqlx::Error> {
        let Some(before) = self.kept_since() else { return Ok(Batch::default()) };
        let (count, version) = (self.settings.chunks, self.standing.write_version());
        let erase = async |connection: &mut sqlx::PgConnection| {
            store::erase(connection, before, count, version).await
        };
        let batch = self.pool.within(erase).await?;
        self.meters.erased.increment(batch.chunks as u64);
        #[allow(clippy::cast_precision_loss)] // seconds
        self.meters.behind.set(batch.behind_ms as f64 / 1_000.0);
        Ok(batch)
    }

    /// Since when texts and numbers are kept; nothing: all of them are.
    fn kept_since(&self) -> Option<UnixMillis> {
        let days = i64::from(self.settings.after_days);
        (days > 0).then(|| self.standing.database_now().plus(-days * DAY_MS))
    }
}
