//! The tariff, read every few seconds. A version never changes, so the last one read prices
//! rightly for as long as the next cannot be read.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use domain::tariff::Tariff;
use ledger::LedgerError;
use platform::health::Check;
use platform::http::problem::{Code, Problem};
use platform::lifecycle::Stop;
use platform::ownership::IdSource;
use platform::postgres::Pool;
use tokio::time::MissedTickBehavior;

use crate::metrics;

/// The tariff as it was read last.
#[derive(Default)]
pub(crate) struct Tariffs(RwLock<Option<Arc<Tariff>>>);

impl Tariffs {
    /// What new messages are priced by; 503 before it could be read for the first time.
    pub(crate) fn current(&self) -> Result<Arc<Tariff>, Problem> {
        let current = self.0.read().unwrap_or_else(PoisonError::into_inner);
        current.clone().ok_or_else(|| Problem::new(Code::Unavailable).detail("prices are not known yet"))
    }

    /// Reads the newest version.
    pub(crate) async fn read(&self, pool: &Pool) -> Result<(), LedgerError> {
        let newest = pool.within(async |connection| ledger::tariff::current(connection).await).await?;
        metrics::tariff_version(newest.version());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(newest));
        Ok(())
    }
}

/// Reads on until asked to stop, and reports whether messages can be taken at all.
pub(crate) async fn refresh(
    tariffs: Arc<Tariffs>,
    pool: Pool,
    ids: Arc<IdSource>,
    every: Duration,
    check: Check,
    stop: Stop,
) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.requested() => return Ok(()),
            _ = tick.tick() => {}
        }
        match tariffs.read(&pool).await {
            Ok(()) if ids.is_ready() => check.ok(),
            Ok(()) => check.fail("this process may not mint ids now"),
            Err(error) => {
                tracing::warn!(%error, "the tariff could not be read");
                check.fail("the tariff cannot be read");
            }
        }
    }
}
