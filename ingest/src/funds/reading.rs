//! Reading balances, in one snapshot with billing's positions, into the book.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use domain::lane::Lane;
use domain::partition;
use ledger::funds::Snapshot;
use platform::postgres::Pool;

use super::account::Reading;
use super::shared::Shared;
use super::{Funds, ms};
use crate::metrics;

/// Accounts that are brought up to date under one lock.
const AT_ONCE: usize = 500;

impl Funds {
    /// Reads the balance of an account, or shares a read. Returns whether it was read.
    pub(super) async fn read_anew(&self, shared: &Shared, account: i64, lane: Lane) -> bool {
        // The refresh asks all the time: while it has no answer, nobody need wait for another.
        if self.unread_for() > ms(self.settings.stale_ms) {
            return false;
        }
        let read = async || {
            metrics::balance_read(lane);
            let partition = partition::of_account(account, self.partitions);
            let read = self.read(self.pools.lane(lane), &[account], Some(partition)).await;
            read.inspect_err(|error| tracing::warn!(%error, account, "the balance could not be read")).is_ok()
        };
        shared.read(lane, read).await
    }

    /// Reads balances of accounts, all of one partition where it is given, into the book.
    pub(super) async fn read(
        &self,
        pool: &Pool,
        accounts: &[i64],
        partition: Option<i32>,
    ) -> Result<(), sqlx::Error> {
        let at = Instant::now();
        let snapshot = async |connection: &mut _| {
            ledger::funds::snapshot(connection, accounts, &self.topics, partition).await
        };
        let snapshot = pool.within(snapshot).await?;
        let read_ms = at.saturating_duration_since(self.began).as_millis();
        self.read_ms.fetch_max(u64::try_from(read_ms).unwrap_or(u64::MAX), Ordering::AcqRel);
        self.take_in(accounts, &snapshot, at);
        Ok(())
    }

    /// For how long Postgres has not answered.
    fn unread_for(&self) -> Duration {
        self.began.elapsed().saturating_sub(ms(self.read_ms.load(Ordering::Acquire)))
    }

    /// Takes a snapshot into the book, for the accounts that it was asked for.
    fn take_in(&self, accounts: &[i64], snapshot: &Snapshot, at: Instant) {
        let next = positions(&self.topics, snapshot);
        let balances: HashMap<i64, _> = snapshot.balances.iter().copied().collect();
        for some in accounts.chunks(AT_ONCE) {
            let mut book = self.shelf.book();
            for account in some {
                let balance = balances.get(account).copied().unwrap_or_default();
                let partition = partition::of_account(*account, self.partitions);
                let next = next.get(&partition).copied().unwrap_or_default();
                book.read(*account, Reading { balance, next, at });
            }
        }
    }
}

/// By partition what billing judges next, by lane.
fn positions(topics: &[String], snapshot: &Snapshot) -> HashMap<i32, [i64; 3]> {
    let mut next: HashMap<i32, [i64; 3]> = HashMap::new();
    for (topic, partition, offset) in &snapshot.positions {
        if let Some(lane) = topics.iter().position(|known| known == topic) {
            next.entry(*partition).or_default()[lane] = *offset;
        }
    }
    next
}
