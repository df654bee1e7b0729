//! One flush: positions and everything that was merged, in one transaction, all or nothing.
//!
//! Lock order, the same for every transaction of this role: positions → missing state rows
//! inserted ascending → state rows `for update` ascending → ledger rows → accounts → the
//! other tables (whose rows are guarded by the state row's lock, or are written in the
//! order of their keys).

mod account_day;
mod chunk_content;
mod chunk_operator_ids;
mod chunk_state;
mod parked;
mod pending_receipt;
mod receipt_poll;

#[cfg(test)]
mod tests;

pub(crate) use pending_receipt::{count as count_pending, match_all, match_chunks};

use crate::merge::{Batch, Heard, by_chunk};
use crate::schedule::Schedule;
use account_day::Days;
use chunk_state::{Merged, Row};
use domain::id::ChunkId;
use domain::money::Money;
use domain::status::Status;
use domain::time::UnixMillis;
use ledger::LedgerError;
use ledger::settle::{Finals, Settlement};
use platform::ownership::{Advance, Role, advance};
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use wire::Version;

/// A batch, and the hold under which it was read.
pub(crate) struct Held<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) epoch: i64,
    pub(crate) batch: &'a Batch,
}

/// What every transaction needs to know.
pub(crate) struct Means<'a> {
    pub(crate) schedule: &'a Schedule,
    pub(crate) now: UnixMillis,
    /// The version in which records are written.
    pub(crate) version: Version,
}

/// How a flush ended.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Committed.
    Stored(Stored),
    /// A position was not where it was thought to be: nothing happened.
    Moved,
}

/// What a transaction stored.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Chunks of which a state row was made: receipts may wait for them.
    pub(crate) made: Vec<ChunkId>,
    /// Messages newly ended, by the position of their status in [`Status::ALL`].
    pub(crate) ended: [u64; Status::ALL.len()],
    pub(crate) settled: Money,
    pub(crate) refunded: Money,
    /// Receipts that contradict a final status.
    pub(crate) late: u64,
    /// Facts of positions that their chunk does not have.
    pub(crate) beyond: u64,
    /// Messages whose final status moved no money although it should have (L4 forbids it, or
    /// the books had decided otherwise before).
    pub(crate) disagreements: u64,
    /// Messages newly recorded.
    pub(crate) recorded: u64,
    /// Receipts kept because their chunk is not known yet.
    pub(crate) pending: u64,
}

/// Stores batches of one stream. An error leaves open whether it was committed: the
/// positions tell.
pub(crate) async fn flush(
    pool: &Pool,
    batches: &[Held<'_>],
    means: &Means<'_>,
) -> Result<Flushed, LedgerError> {
    let steps: Vec<Advance> = batches.iter().map(Held::step).collect();
    let transaction = async |connection: &mut PgConnection| {
        let mut transaction = connection.begin().await?;
        if advance(&mut transaction, Role::DlrReconciler, &steps).await? != steps.len() {
            transaction.rollback().await?;
            return Ok(Flushed::Moved);
        }
        let stored = store(&mut transaction, batches, means).await?;
        transaction.commit().await?;
        Ok(Flushed::Stored(stored))
    };
    pool.within(transaction).await
}

async fn store(
    connection: &mut PgConnection,
    batches: &[Held<'_>],
    means: &Means<'_>,
) -> Result<Stored, LedgerError> {
    let all = || batches.iter().map(|held| held.batch);
    let heard = by_chunk(all());
    let (mut stored, unknown, mut days) = decide(connection, &heard, means).await?;
    stored.recorded = chunk_content::insert(connection, all(), &mut days).await?;
    chunk_operator_ids::insert(connection, all()).await?;
    stored.pending = pending_receipt::insert(connection, batches, &unknown, means.version).await?;
    parked::insert(connection, batches).await?;
    days.add(connection).await?;
    Ok(stored)
}

/// Merges what was heard into the state rows, and moves the money of what newly ended: both
/// under the same locks, so that status and money never disagree. Returns also the chunks
/// that have no state row and get none by this.
async fn decide(
    connection: &mut PgConnection,
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
    means: &Means<'_>,
) -> Result<(Stored, Vec<ChunkId>, Days), LedgerError> {
    let mut days = Days::default();
    let mut stored = Stored::default();
    if heard.is_empty() {
        return Ok((stored, vec![], days));
    }
    let Merged { rows, unknown } = chunk_state::merge(connection, heard).await?;
    let finals: BTreeMap<ChunkId, Finals> = rows.iter().filter_map(Row::finals).collect();
    let settlements = ledger::settle::finals(connection, &finals).await?;
    chunk_state::update(connection, &rows).await?;
    receipt_poll::store(connection, &rows, heard, means).await?;
    for row in &rows {
        stored.count(row, settlements.get(&row.chunk));
        days.ended(row);
    }
    Ok((stored, unknown, days))
}

impl Held<'_> {
    fn step(&self) -> Advance {
        Advance {
            topic: self.topic.to_owned(),
            partition: self.partition,
            epoch: self.epoch,
            from: self.batch.from(),
            to: self.batch.to(),
            published: 0,
            last_source: -1,
        }
    }
}

impl Stored {
    fn count(&mut self, row: &Row, settlement: Option<&Settlement>) {
        if row.made {
            self.made.push(row.chunk);
        }
        for (sum, more) in self.ended.iter_mut().zip(row.ends.by_status) {
            *sum += u64::from(more);
        }
        self.late += u64::from(row.ends.late);
        self.beyond += u64::from(row.ends.beyond);
        if row.ends.beyond > 0 {
            tracing::error!(chunk = %row.chunk, "something was heard of messages that the chunk does not have");
        }
        let Some(settlement) = settlement else { return };
        let movement = settlement.movement;
        let missing =
            row.ends.delivered.minus(movement.settle).len() + row.ends.failed.minus(movement.void).len();
        if missing > 0 {
            tracing::error!(chunk = %row.chunk, messages = missing, "status and money disagree");
            self.disagreements += missing as u64;
        }
        // For figures only: what does not fit is not shown.
        self.settled = self.settled.checked_add(settlement.settled).unwrap_or(self.settled);
        self.refunded = self.refunded.checked_add(settlement.refunded).unwrap_or(self.refunded);
    }
}
