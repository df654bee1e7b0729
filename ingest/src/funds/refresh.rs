//! Keeping the balances of accounts seen lately up to date.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ledger::funds::Snapshot;
use platform::lifecycle::Stop;
use tokio::time::MissedTickBehavior;

use super::account::Reading;
use super::followed::Why;
use super::promise::Shelf;
use super::{Funds, ms};
use crate::metrics;

/// Accounts that are brought up to date under one lock.
const AT_ONCE: usize = 500;
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

/// Takes a snapshot in, for the accounts that it was asked for.
pub(super) fn take_in(
    shelf: &Shelf,
    topics: &[String],
    partitions: i32,
    accounts: &[i64],
    snapshot: &Snapshot,
    at: Instant,
) {
    let next = positions(topics, snapshot);
    let balances: std::collections::HashMap<i64, _> = snapshot.balances.iter().copied().collect();
    for some in accounts.chunks(AT_ONCE) {
        let mut book = shelf.book();
        for account in some {
            let balance = balances.get(account).copied().unwrap_or_default();
            let partition = domain::partition::of_account(*account, partitions);
            let next = next.get(&partition).copied().unwrap_or_default();
            book.read(*account, Reading { balance, next, at });
        }
    }
}

/// By partition what billing judges next, by lane.
fn positions(topics: &[String], snapshot: &Snapshot) -> std::collections::HashMap<i32, [i64; 3]> {
    let mut next: std::collections::HashMap<i32, [i64; 3]> = std::collections::HashMap::new();
    for (topic, partition, offset) in &snapshot.positions {
        if let Some(lane) = topics.iter().position(|known| known == topic) {
            next.entry(*partition).or_default()[lane] = *offset;
        }
    }
    next
}
