//! One flush: positions and everything that was merged, in one transaction, all or nothing.
//!
//! Lock order, the same for every transaction of this role: ownership (where no position
//! moves) → positions → missing state rows inserted ascending → state rows `for update`
//! ascending → history rows likewise → ledger rows → accounts → the other tables (whose rows
//! are guarded by the state row's lock, or are written in the order of their keys).

mod account_hour;
mod campaign;
mod carriers;
mod chunk_content;
mod chunk_operator_ids;
mod chunk_state;
mod finished;
mod moved;
mod named;
mod parked;
mod pending_receipt;
mod receipt_poll;
mod unanswered;
mod webhook_event;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use carriers::read as carriers_of;
pub(crate) use chunk_operator_ids::OPEN as OPEN_OPERATOR_IDS;
pub(crate) use named::{Name, Named, match_names, match_next as match_next_named};
pub(crate) use pending_receipt::{count as count_pending, drop_old, match_all, match_chunks};
pub(crate) use unanswered::{Unanswered, end as end_unanswered};

use crate::merge::{Batch, Heard, Slice, by_chunk};
use crate::pushed;
use crate::schedule::Schedule;
use account_hour::Hours;
use campaign::Campaigns;
use chunk_state::{Merged, Row};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::money::Money;
use domain::status::{Costs, Status};
use domain::time::UnixMillis;
use ledger::LedgerError;
use ledger::settle::{Finals, Settlement};
use platform::ownership::{Advance, Role, advance};
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
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
    pub(crate) costs: &'a Costs,
    pub(crate) schedule: &'a Schedule,
    pub(crate) now: UnixMillis,
    /// The version in which records are written.
    pub(crate) version: Version,
    /// The connectors whose operators' ids are kept for each message.
    pub(crate) operator_ids: &'a BTreeSet<String>,
}

/// How a flush ended.
#[derive(Debug)]
pub(crate) enum Flushed {
    /// Committed.
    Stored(Box<Stored>),
    /// A position was not where it was thought to be: nothing happened.
    Moved,
}

/// What a transaction stored.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    /// Chunks of which a state row was made, or a message closed: receipts may wait for them.
    pub(crate) ready: Vec<ChunkId>,
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
    /// Receipts kept because their chunk is not known yet, or the attempt they belong to.
    pub(crate) pending: u64,
    /// Changes of status that endpoints are to be told, each counted for each endpoint.
    pub(crate) events: u64,
    /// Receipts of messages that went by another connector, by the connector that they came by.
    pub(crate) foreign: BTreeMap<Arc<str>, u64>,
    /// Messages of which it was heard what their operators call them, or something under such a
    /// name: the two may meet now.
    pub(crate) named: Vec<Name>,
}

/// What a transaction decided, and what is left to do with it.
#[derive(Default)]
struct Decided {
    stored: Stored,
    unmatched: Unmatched,
    /// Chunks that are in history.
    moved: BTreeSet<ChunkId>,
    hours: Hours,
    campaigns: Campaigns,
}

/// What was heard too early.
#[derive(Default)]
pub(crate) struct Unmatched {
    /// Chunks that have no state row, and get none by what was heard.
    chunks: BTreeSet<ChunkId>,
    /// Messages of other chunks of which receipts that do not say their attempt wait for the one
    /// that closes them.
    messages: BTreeMap<ChunkId, Bits>,
}

impl Unmatched {
    fn new(unknown: Vec<ChunkId>, rows: &[Row]) -> Self {
        let waiting = rows.iter().filter(|row| !row.waiting.is_empty());
        Unmatched {
            chunks: unknown.into_iter().collect(),
            messages: waiting.map(|row| (row.chunk, row.waiting)).collect(),
        }
    }

    /// What is to be kept of receipts; nothing where all of it was taken in.
    fn left(&self, slice: &Slice) -> Option<Slice> {
        let chunk = slice.slice.chunk;
        if self.chunks.contains(&chunk) {
            // A poll that learnt nothing tells nothing later either.
            return pushed::facts(slice).next().map(|_| slice.clone());
        }
        pushed::left(slice, *self.messages.get(&chunk)?)
    }
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
        Ok(Flushed::Stored(Box::new(stored)))
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
    let Decided { mut stored, unmatched, moved, mut hours, campaigns } =
        decide(connection, &heard, means).await?;
    stored.recorded = chunk_content::insert(connection, all(), &mut hours).await?;
    chunk_operator_ids::insert(connection, all(), &moved).await?;
    let from = batches.iter().map(|held| (held.batch, held.topic, held.partition));
    stored.named = named::insert(connection, from, means.operator_ids).await?;
    stored.pending = pending_receipt::insert(connection, batches, &unmatched, means.version).await?;
    parked::insert(connection, batches).await?;
    hours.add(connection).await?;
    campaigns.add(connection).await?;
    Ok(stored)
}

/// Merges what was heard into the state rows, and moves the money of what newly ended: both
/// under the same locks, so that status and money never disagree.
async fn decide(
    connection: &mut PgConnection,
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
    means: &Means<'_>,
) -> Result<Decided, LedgerError> {
    let mut decided = Decided::default();
    if heard.is_empty() {
        return Ok(decided);
    }
    let Merged { rows, unknown, moved } = chunk_state::merge(connection, heard, means.costs).await?;
    let finals: BTreeMap<ChunkId, Finals> = rows.iter().filter_map(Row::finals).collect();
    let settlements = ledger::settle::finals(connection, &finals).await?;
    chunk_state::update(connection, &rows).await?;
    receipt_poll::store(connection, &rows, heard, means).await?;
    finished::insert(connection, &rows).await?;
    decided.stored.events = webhook_event::insert(connection, &rows).await?;
    for row in &rows {
        decided.stored.count(row, settlements.get(&row.chunk));
        decided.hours.moved(row);
        decided.campaigns.moved(row, settlements.get(&row.chunk));
    }
    for (chunk, foreign) in &moved.foreign {
        decided.stored.foreign(*chunk, foreign);
    }
    decided.stored.late += moved.late;
    decided.unmatched = Unmatched::new(unknown, &rows);
    decided.moved = moved.chunks;
    Ok(decided)
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
    fn foreign(&mut self, chunk: ChunkId, foreign: &[Arc<str>]) {
        for connector in foreign {
            *self.foreign.entry(Arc::clone(connector)).or_default() += 1;
        }
        if !foreign.is_empty() {
            tracing::error!(
                %chunk,
                receipts = foreign.len(),
                connectors = ?foreign.iter().collect::<BTreeSet<_>>(),
                "receipts of messages that went by another connector are left out"
            );
        }
    }

    fn count(&mut self, row: &Row, settlement: Option<&Settlement>) {
        if row.made || row.ends.closed {
            self.ready.push(row.chunk);
        }
        self.foreign(row.chunk, &row.foreign);
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
        let missing = row.ends.settle.minus(movement.settle).len() + row.ends.void.minus(movement.void).len();
        if missing > 0 {
            tracing::error!(chunk = %row.chunk, messages = missing, "status and money disagree");
            self.disagreements += missing as u64;
        }
        // For figures only: what does not fit is not shown.
        self.settled = self.settled.checked_add(settlement.settled).unwrap_or(self.settled);
        self.refunded = self.refunded.checked_add(settlement.refunded).unwrap_or(self.refunded);
    }
}
