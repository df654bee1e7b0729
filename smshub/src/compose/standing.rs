//! Readiness of the process as a whole: alive in the table, its clock right, ids to give out.

use crate::settings::Settings;
use platform::health::{Check, Health};
use platform::lifecycle::Stop;
use platform::ownership::{IdSource, Standing};
use std::sync::Arc;
use std::time::Duration;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(250);
/// A look that is so late means that the runtime itself stands still.
const STALE_AFTER: Duration = Duration::from_secs(5);

/// Watches the standing of this process.
pub(super) struct Watch {
    check: Check,
    standing: Arc<Standing>,
    /// Where the process mints.
    ids: Option<Arc<IdSource>>,
    clock_skew_max_ms: u64,
}

impl Watch {
    pub(super) fn new(
        health: &Health,
        standing: Arc<Standing>,
        ids: Option<Arc<IdSource>>,
        settings: &Settings,
    ) -> Self {
        let check = health.check("standing", STALE_AFTER);
        Watch { check, standing, ids, clock_skew_max_ms: settings.ownership.clock_skew_max_ms }
    }

    /// Looks until asked to stop.
    pub(super) async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let mut every = tokio::time::interval(EVERY);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.requested() => return Ok(()),
                _ = every.tick() => {}
            }
            match self.fault() {
                None => self.check.ok(),
                Some(fault) => self.check.fail(fault),
            }
        }
    }

    fn fault(&self) -> Option<String> {
        let skew_ms = self.standing.clock_skew_ms();
        if !self.standing.is_alive() {
            Some("the heartbeat was not renewed in time: is Postgres up?".to_owned())
        } else if skew_ms.unsigned_abs() > self.clock_skew_max_ms {
            Some(format!("this machine's clock is {skew_ms} ms ahead of the database's"))
        } else if self.ids.as_ref().is_some_and(|ids| !ids.is_ready()) {
            Some("no ids can be minted now".to_owned())
        } else {
            None
        }
    }
}
