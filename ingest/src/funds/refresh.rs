//! Keeping the balances of accounts seen lately up to date.

use std::sync::Arc;
use std::time::{Duration, Instant};

use platform::lifecycle::Stop;
use tokio::time::MissedTickBehavior;

use super::followed::Why;
use super::{Funds, ms};
use crate::metrics;

/// A record whose producer broke may still reach Kafka; after so long it does not.
const LOST_AFTER: Duration = Duration::from_secs(60);

/// Reads balances and positions, every so often, until asked to stop.
pub(crate) async fn refresh(funds: Arc<Funds>, stop: Stop) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(ms(funds.settings.refresh_ms));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failed = false;
    loop {
        tokio::select! {
            () = stop.requested() => return Ok(()),
            _ = tick.tick() => {}
        }
        let refreshed = tokio::select! {
            () = stop.requested() => return Ok(()),
            refreshed = funds.refresh_once() => refreshed,
        };
        match refreshed {
            Ok(()) => failed = false,
            Err(error) if !failed => {
                failed = true;
                tracing::warn!(%error, "balances cannot be refreshed: what was read last is used");
            }
            Err(_) => {}
        }
    }
}

/// Asks for verdicts, as long as somebody waits for them, until asked to stop.
pub(crate) async fn ask_verdicts(funds: Arc<Funds>, stop: Stop) -> anyhow::Result<()> {
    funds.desk.ask(funds.pools.common(), ms(funds.settings.verdict_look_ms), stop).await;
    Ok(())
}

impl Funds {
    pub(super) async fn refresh_once(&self) -> Result<(), ledger::LedgerError> {
        let accounts = self.shelf.book().accounts();
        let pool = self.pools.common();
        let read = self.read(pool, &accounts, None).await;
        let now = Instant::now();
        let (suspects, promises) = {
            let mut book = self.shelf.book();
            // Who could not be read is kept: it is all that is known.
            let idle = if read.is_ok() { ms(self.settings.idle_ms) } else { Duration::MAX };
            book.look(idle, LOST_AFTER, now);
            (book.take_suspects(), book.promises())
        };
        metrics::promised(promises, accounts.len());
        self.followed.add(suspects, Why::Ample, now);
        read?;
        self.followed.ask(pool, now).await
    }
}
