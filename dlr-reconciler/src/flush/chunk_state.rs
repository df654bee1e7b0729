//! The table `chunk_state`: what is known of every message of a chunk.

use super::moved::{self, Moved};
use super::{carriers, chunk_operator_ids};
use crate::history::store as history;
use crate::merge::{Heard, NewRow};
use crate::pushed::{self, Carriers};
use crate::states::{Ends, apply, fresh};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::status::{Costs, StatusCounts};
use ledger::LedgerError;
use ledger::settle::Finals;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A state row, locked, with what was heard merged in.
pub(super) struct Row {
    pub(super) chunk: ChunkId,
    pub(super) account: i64,
    pub(super) lane: Lane,
    pub(super) partition: i32,
    pub(super) states: Vec<u8>,
    /// How many messages had and have which status.
    pub(super) before: StatusCounts,
    pub(super) after: StatusCounts,
    pub(super) ends: Ends,
    /// Of receipts that do not say which attempt they belong to: the messages of which some wait
    /// for the attempt that closes them.
    pub(super) waiting: Bits,
    /// Of such receipts, those of another connector than the message went by: the connectors.
    pub(super) foreign: Vec<Arc<str>>,
    /// Made by this transaction: it is stored as it is here.
    pub(super) made: bool,
    /// The campaign it belongs to, where it does and that is known.
    pub(super) campaign: Option<i64>,
    /// It was not known before.
    pub(super) learnt: bool,
}

/// The state rows of what was heard.
pub(super) struct Merged {
    /// Ascending.
    pub(super) rows: Vec<Row>,
    /// Chunks without a row that nothing heard now could make.
    pub(super) unknown: Vec<ChunkId>,
    /// Chunks that are in history already: what was heard of them is merged there.
    pub(super) moved: Moved,
}

#[derive(sqlx::FromRow)]
struct Stored {
    chunk_id: i64,
    account_id: i64,
    lane: String,
    partition: i32,
    states: Vec<u8>,
    campaign_id: Option<i64>,
}

impl Row {
    /// What ends in it, where that moves money.
    pub(super) fn finals(&self) -> Option<(ChunkId, Finals)> {
        let finals = Finals { settle: self.ends.settle, void: self.ends.void };
        self.ends.moves_money().then_some((self.chunk, finals))
    }
}

/// Makes missing rows, locks the others, and merges.
///
/// A row that is made has everything merged already: it is written once. Until the
/// transaction ends nobody else can make or see it, so this is as good as its lock. Only then
/// is looked whether the chunk had gone to history (a record may be repeated long after): one
/// that leaves the open tables while we insert makes us wait until it has left.
pub(super) async fn merge(
    connection: &mut PgConnection,
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
    costs: &Costs,
) -> Result<Merged, LedgerError> {
    let mut rows = make(connection, heard, costs).await?;
    let made: BTreeSet<ChunkId> = rows.iter().map(|row| row.chunk).collect();
    let others: Vec<ChunkId> = heard.keys().filter(|chunk| !made.contains(chunk)).copied().collect();
    let locked = lock(connection, &others, heard, costs).await?;
    let known: BTreeSet<ChunkId> = locked.iter().map(|row| row.chunk).collect();
    let absent: Vec<ChunkId> = heard.keys().filter(|chunk| !known.contains(chunk)).copied().collect();
    let moved = moved::merge(connection, &absent, heard, costs).await?;
    unmake(connection, made.intersection(&moved.chunks)).await?;
    rows.retain(|row| !moved.chunks.contains(&row.chunk));
    rows.extend(locked);
    rows.sort_unstable_by_key(|row| row.chunk);
    let unknown = absent.into_iter().filter(|chunk| !made.contains(chunk) && !moved.chunks.contains(chunk));
    Ok(Merged { unknown: unknown.collect(), rows, moved })
}

/// Takes back what was made of chunks that are in history.
async fn unmake<'a>(
    connection: &mut PgConnection,
    chunks: impl Iterator<Item = &'a ChunkId>,
) -> Result<(), sqlx::Error> {
    let chunks: Vec<i64> = chunks.map(|chunk| chunk.get()).collect();
    if !chunks.is_empty() {
        sqlx::query("delete from chunk_state where chunk_id = any($1)")
            .bind(chunks)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn make(
    connection: &mut PgConnection,
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
    costs: &Costs,
) -> Result<Vec<Row>, LedgerError> {
    let mut rows = Vec::new();
    for (chunk, heard) in heard {
        let Some(NewRow { account, lane, partition, size, .. }) = heard.iter().find_map(|heard| heard.row)
        else {
            continue;
        };
        let campaign = campaign(heard);
        let mut states = fresh(size);
        let before = counted(*chunk, &states)?;
        let ends = apply(&mut states, heard, &[], costs).map_err(|error| corrupt(chunk.get(), error))?;
        // The row is written as it is here; they are matched right after it.
        let waiting = pushed::positions(heard);
        let foreign = vec![];
        rows.push(Row {
            chunk: *chunk,
            account,
            lane,
            partition,
            before,
            after: counted(*chunk, &states)?,
            states,
            ends,
            waiting,
            foreign,
            made: true,
            campaign,
            learnt: campaign.is_some(),
        });
    }
    if rows.is_empty() {
        return Ok(rows);
    }
    let inserted: Vec<(i64,)> = sqlx::query_as(
        "insert into chunk_state (chunk_id, account_id, lane, partition, states, counts, campaign_id, recorded)
         -- A campaign is known from a billed record: its content is stored in this transaction.
         select n.*, n.campaign is not null or exists (select from chunk_content c where c.chunk_id = n.chunk)
         from unnest($1::bigint[], $2::bigint[], $3::text[], $4::integer[], $5::bytea[], $6::bytea[], $7::bigint[])
              as n (chunk, account, lane, partition, states, counts, campaign)
         order by n.chunk
         on conflict do nothing returning chunk_id",
    )
    .bind(rows.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.account).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.lane.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.partition).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.states.as_slice()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.after.to_bytes()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.campaign).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let inserted: BTreeSet<i64> = inserted.into_iter().map(|(chunk,)| chunk).collect();
    rows.retain(|row| inserted.contains(&row.chunk.get()));
    Ok(rows)
}

async fn lock(
    connection: &mut PgConnection,
    chunks: &[ChunkId],
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
    costs: &Costs,
) -> Result<Vec<Row>, LedgerError> {
    if chunks.is_empty() {
        return Ok(vec![]);
    }
    let stored: Vec<Stored> = sqlx::query_as(
        "select chunk_id, account_id, lane, partition, states, campaign_id from chunk_state
         where chunk_id = any($1) order by chunk_id for update",
    )
    .bind(chunks.iter().map(|chunk| chunk.get()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    let carriers = carriers::of_pushed(connection, chunk_operator_ids::OPEN, heard).await?;
    let row = |mut stored: Stored| {
        let number = stored.chunk_id;
        let chunk = ChunkId::new(number).ok_or_else(|| corrupt(number, "chunk_id"))?;
        let lane = stored.lane.parse().map_err(|error| corrupt(number, error))?;
        let before = counted(chunk, &stored.states)?;
        let heard = heard.get(&chunk).map(Vec::as_slice).unwrap_or_default();
        let none = Carriers::default();
        let carriers = carriers.get(&number).unwrap_or(&none);
        let sorted = pushed::sort(&stored.states, heard, carriers).map_err(|error| corrupt(number, error))?;
        let ends =
            apply(&mut stored.states, heard, &sorted.facts, costs).map_err(|error| corrupt(number, error))?;
        Ok(Row {
            chunk,
            account: stored.account_id,
            lane,
            partition: stored.partition,
            before,
            after: counted(chunk, &stored.states)?,
            states: stored.states,
            ends,
            waiting: sorted.waiting,
            foreign: sorted.foreign,
            made: false,
            campaign: stored.campaign_id.or_else(|| campaign(heard)),
            learnt: stored.campaign_id.is_none() && campaign(heard).is_some(),
        })
    };
    stored.into_iter().map(row).collect()
}

/// Locks the rows of chunks, ascending, and says which of them have one: a state row, or one in
/// history (a receipt may still wait when its chunk went there).
pub(super) async fn lock_only(
    connection: &mut PgConnection,
    chunks: &[i64],
) -> Result<Vec<i64>, sqlx::Error> {
    let rows: Vec<(i64,)> = sqlx::query_as(
        "select chunk_id from chunk_state where chunk_id = any($1) order by chunk_id for update",
    )
    .bind(chunks)
    .fetch_all(&mut *connection)
    .await?;
    let mut known: Vec<i64> = rows.into_iter().map(|(chunk,)| chunk).collect();
    let others: Vec<i64> = chunks.iter().filter(|chunk| !known.contains(chunk)).copied().collect();
    known.extend(history::lock(connection, &others).await?.into_iter().map(|(chunk, _)| chunk));
    Ok(known)
}

/// Writes the rows that changed; their size never does.
pub(super) async fn update(connection: &mut PgConnection, rows: &[Row]) -> Result<(), sqlx::Error> {
    let changed = rows.iter().filter(|row| (row.ends.changed || row.learnt) && !row.made);
    let changed: Vec<&Row> = changed.collect();
    if changed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update chunk_state c set states = n.states, counts = n.counts, campaign_id = n.campaign
         from unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bigint[]) as n (chunk, states, counts, campaign)
         where c.chunk_id = n.chunk",
    )
    .bind(changed.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(changed.iter().map(|row| row.states.as_slice()).collect::<Vec<_>>())
    .bind(changed.iter().map(|row| row.after.to_bytes()).collect::<Vec<_>>())
    .bind(changed.iter().map(|row| row.campaign).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// The campaign that any of it names.
fn campaign(heard: &[&Heard]) -> Option<i64> {
    heard.iter().find_map(|heard| heard.row.and_then(|row| row.campaign))
}

/// Notes that the contents of these chunks are stored. A row that another transaction is making
/// or holds now is passed over (waiting here, out of the locks' order, could be a deadlock): who
/// reads the column looks again where it says no.
pub(super) async fn recorded(
    connection: &mut PgConnection,
    chunks: &BTreeSet<i64>,
) -> Result<(), sqlx::Error> {
    if chunks.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update chunk_state set recorded = true where chunk_id in (
             select chunk_id from chunk_state where chunk_id = any($1) and not recorded
             for update skip locked)",
    )
    .bind(chunks.iter().copied().collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

fn counted(chunk: ChunkId, states: &[u8]) -> Result<StatusCounts, LedgerError> {
    StatusCounts::of(states).map_err(|error| corrupt(chunk.get(), error))
}

pub(super) fn corrupt(chunk: i64, why: impl ToString) -> LedgerError {
    LedgerError::Corrupt { chunk, why: why.to_string() }
}
