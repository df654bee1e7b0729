//! Moving finished chunks to history: a batch of copies, then a batch of deletions, as long as
//! there are any.

mod leave;
pub(crate) mod store;
#[cfg(test)]
mod tests;

use crate::config::HistorySettings;
use crate::metrics::HistoryMeters;
use leave::Finished;
use ledger::LedgerError;
use platform::lifecycle::Stop;
use platform::ownership::Standing;
use platform::postgres::{Pool, lost_a_race};
use std::sync::Arc;
use std::time::Duration;

/// The pause between rounds while there is something to move: others want Postgres too.
const PACE: Duration = Duration::from_millis(20);

/// Moves finished chunks of the partitions that this process holds.
pub(crate) struct Mover {
    pub(crate) pool: Pool,
    pub(crate) standing: Arc<Standing>,
    pub(crate) settings: HistorySettings,
    pub(crate) meters: HistoryMeters,
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Round {
    pub(crate) copied: usize,
    pub(crate) deleted: usize,
}

impl Mover {
    /// Goes round until asked to stop. A round that fails is tried again.
    ///
    /// # Errors
    /// None; the type is that of every component.
    pub(crate) async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let every = Duration::from_millis(self.settings.every_ms);
        loop {
            let round = match self.round().await {
                Ok(round) => round,
                Err(error) => {
                    self.failed(&error);
                    Round::default()
                }
            };
            // What was copied now is deleted in the next round.
            let pause = if round == Round::default() { every } else { PACE.min(every) };
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One batch: what is copied is deleted, what is not is copied.
    pub(crate) async fn round(&self) -> Result<Round, LedgerError> {
        let process = self.standing.process();
        let (after, count) = (f64::from(self.settings.after_s), i64::from(self.settings.chunks));
        let next = self.pool.within(async |connection| leave::next(connection, process, after, count).await);
        let (old, new): (Vec<Finished>, Vec<Finished>) =
            next.await?.into_iter().partition(|finished| finished.copied);
        let mut round = Round::default();
        if !old.is_empty() {
            let delete = self.pool.within(async |connection| leave::delete(connection, process, &old).await);
            round.deleted = delete.await?;
            self.meters.moved.increment(round.deleted as u64);
        }
        if !new.is_empty() {
            let copy = self.pool.within(async |connection| leave::copy(connection, process, &new).await);
            round.copied = copy.await?;
        }
        Ok(round)
    }

    fn failed(&self, error: &LedgerError) {
        self.meters.failed.increment(1);
        if error.postgres().is_some_and(lost_a_race) {
            tracing::debug!(%error, "moving to history lost a race");
        } else {
            tracing::warn!(%error, "finished chunks could not be moved to history now");
        }
    }
}
