//! The table `pending_receipt`: receipts that came before anything else was known of their
//! chunk, or, where they do not say which attempt they belong to, before that was known. They
//! wait here, whichever of the two comes first. What matches nothing is kept until its time
//! is over.

use super::{Decided, Held, Means, Stored, Unmatched, chunk_state, decide};
use crate::merge::{Batch, Slice, by_chunk};
use crate::read::{Stream, read};
use bytes::Bytes;
use domain::id::ChunkId;
use ledger::LedgerError;
use platform::postgres::Pool;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::time::Duration;
use wire::Version;
use wire::receipts::Receipts;

/// Rows matched in one transaction at most.
const MATCHED_MAX: i64 = 2_000;
/// Rows of chunks with a state row that are tried at a time, so chunks at most.
const TRIED_MAX: i64 = 500;
/// Rows looked through for matches at a time.
const LOOKED_THROUGH_MAX: i64 = 5_000;
/// Rows of a table whose time is over that are deleted at a time.
const DROPPED_MAX: i64 = 5_000;
/// Pending rows are counted up to here.
const COUNTED_MAX: i64 = 100_000;

/// Keeps the receipts that came too early. Returns how many rows.
pub(super) async fn insert(
    connection: &mut PgConnection,
    batches: &[Held<'_>],
    unmatched: &Unmatched,
    version: Version,
) -> Result<u64, sqlx::Error> {
    let mut rows = Vec::new();
    for held in batches {
        for (chunk, heard) in &held.batch.chunks {
            let left = heard.slices.iter().filter_map(|slice| unmatched.left(slice));
            let records = left.map(|slice| record(&slice, version));
            rows.extend(records.map(|record| {
                let (topic, partition) = (held.topic.to_owned(), held.partition);
                Waiting { chunk: *chunk, topic, partition, record }
            }));
        }
    }
    insert_rows(connection, &rows).await?;
    Ok(rows.len() as u64)
}

/// One row.
pub(super) struct Waiting {
    pub(super) chunk: ChunkId,
    /// Of the topic the receipt came by.
    pub(super) topic: String,
    pub(super) partition: i32,
    /// A record with one slice.
    pub(super) record: Bytes,
}

pub(super) async fn insert_rows(connection: &mut PgConnection, rows: &[Waiting]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into pending_receipt (chunk_id, topic, partition, record)
         select * from unnest($1::bigint[], $2::text[], $3::integer[], $4::bytea[])",
    )
    .bind(rows.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.topic.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.partition).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.record.as_ref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// The record that holds this slice alone.
pub(super) fn record(slice: &Slice, version: Version) -> Bytes {
    let record = Receipts {
        connector: slice.connector.to_string(),
        at: slice.at,
        polled: slice.polled,
        slices: vec![slice.slice.clone()],
        named: vec![],
    };
    record.encode(version)
}

/// Matches what waits for chunks of which a state row was made just now, or messages closed.
pub(crate) async fn match_chunks(
    pool: &Pool,
    chunks: &[ChunkId],
    means: &Means<'_>,
) -> Result<Stored, LedgerError> {
    let waiting = sqlx::query_as("select distinct chunk_id from pending_receipt where chunk_id = any($1)");
    let waiting = waiting.bind(chunks.iter().map(|chunk| chunk.get()).collect::<Vec<_>>());
    let matching = async |connection: &mut PgConnection| {
        let waiting: Vec<(i64,)> = waiting.fetch_all(&mut *connection).await?;
        matched(connection, waiting, 0, means).await
    };
    pool.within(matching).await
}

/// Looks through the next rows after `after` for what can be matched, whoever missed it.
/// Returns also where to go on, nothing at the end.
pub(crate) async fn match_all(
    pool: &Pool,
    after: i64,
    means: &Means<'_>,
) -> Result<(Stored, Option<i64>), LedgerError> {
    pool.within(async |connection| match_next(connection, after, means).await).await
}

async fn match_next(
    connection: &mut PgConnection,
    after: i64,
    means: &Means<'_>,
) -> Result<(Stored, Option<i64>), LedgerError> {
    let (last, seen): (Option<i64>, i64) = sqlx::query_as(
        "select max(id), count(*) from (select id from pending_receipt where id > $1 order by id limit $2) p",
    )
    .bind(after)
    .bind(LOOKED_THROUGH_MAX)
    .fetch_one(&mut *connection)
    .await?;
    let Some(last) = last else { return Ok((Stored::default(), None)) };
    let tried: Vec<(i64, i64)> = sqlx::query_as(
        "select p.id, p.chunk_id from pending_receipt p join all_chunk_state s using (chunk_id)
         where p.id > $1 and p.id <= $2 order by p.id limit $3",
    )
    .bind(after)
    .bind(last)
    .bind(TRIED_MAX)
    .fetch_all(&mut *connection)
    .await?;
    // Some may go on waiting: whatever is found, the next look begins behind it.
    let next = match tried.last() {
        Some((id, _)) if tried.len() as i64 == TRIED_MAX => Some(*id),
        _ => (seen == LOOKED_THROUGH_MAX).then_some(last),
    };
    let chunks = tried.into_iter().map(|(_, chunk)| (chunk,)).collect();
    Ok((matched(connection, chunks, after, means).await?, next))
}

/// Deletes the oldest receipts that have waited for longer than `keep`: for their chunk or
/// attempt, or for a message of their operator's id. Returns how many.
pub(crate) async fn drop_old(pool: &Pool, keep: Duration) -> Result<u64, sqlx::Error> {
    let delete = async |connection: &mut PgConnection| {
        let mut dropped = 0;
        for table in ["pending_receipt", "named_receipt"] {
            // The oldest have the lowest ids: no more than these are read.
            let delete = sqlx::query(AssertSqlSafe(format!(
                "with oldest as (select id, at from {table} order by id limit $1)
                 delete from {table} where id in
                     (select id from oldest where at < clock_timestamp() - make_interval(secs => $2))",
            )));
            let delete = delete.bind(DROPPED_MAX).bind(keep.as_secs_f64());
            dropped += delete.execute(&mut *connection).await?.rows_affected();
        }
        Ok(dropped)
    };
    pool.within(delete).await
}

/// How many rows wait, up to a bound.
pub(crate) async fn count(pool: &Pool) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_as(
        "select (select count(*) from (select from pending_receipt limit $1) p)
              + (select count(*) from (select from named_receipt limit $1) n)",
    );
    let count = count.bind(COUNTED_MAX);
    let (count,) = pool.within(async |connection| count.fetch_one(connection).await).await?;
    Ok(count)
}

/// One transaction: the state rows' locks, then the pending rows of their chunks are applied
/// and deleted. Whoever else wants them waits for the same locks, and finds them gone. A row
/// of which some messages still wait keeps these. Rows up to `after` had their turn.
async fn matched(
    connection: &mut PgConnection,
    chunks: Vec<(i64,)>,
    after: i64,
    means: &Means<'_>,
) -> Result<Stored, LedgerError> {
    if chunks.is_empty() {
        return Ok(Stored::default());
    }
    let chunks: Vec<i64> = chunks.into_iter().map(|(chunk,)| chunk).collect();
    let mut transaction = connection.begin().await?;
    let known = chunk_state::lock_only(&mut transaction, &chunks).await?;
    let rows: Vec<(i64, i32, Vec<u8>)> = sqlx::query_as(
        "select id, partition, record from pending_receipt
         where chunk_id = any($1) and id > $2 order by id limit $3",
    )
    .bind(known)
    .bind(after)
    .bind(MATCHED_MAX)
    .fetch_all(&mut *transaction)
    .await?;
    let (mut batch, mut read_now) = (Batch::new(0), Vec::with_capacity(rows.len()));
    for (id, partition, record) in rows {
        let record = Bytes::from(record);
        // One that this version cannot read stays where it is, and is counted.
        let understood = read(Stream::Receipts, partition, &record).ok();
        if let Some(understood) = understood.filter(|understood| understood.unreadable.is_none()) {
            let slices = understood.chunks.iter().flat_map(|(_, heard)| heard.slices.iter().cloned());
            read_now.push((id, slices.collect::<Vec<_>>()));
            batch.absorb(understood);
        }
    }
    let heard = by_chunk([&batch]);
    let Decided { stored, unmatched, hours, campaigns, .. } = decide(&mut transaction, &heard, means).await?;
    keep_what_waits(&mut transaction, &read_now, &unmatched, means.version).await?;
    hours.add(&mut transaction).await?;
    campaigns.add(&mut transaction).await?;
    transaction.commit().await?;
    Ok(stored)
}

/// Rows of which nothing waits any more are deleted, those of which a part does are narrowed
/// to it. The others stay as they are.
async fn keep_what_waits(
    connection: &mut PgConnection,
    rows: &[(i64, Vec<Slice>)],
    unmatched: &Unmatched,
    version: Version,
) -> Result<(), sqlx::Error> {
    let (mut done, mut narrowed) = (Vec::new(), Vec::new());
    for (id, slices) in rows {
        // There is one in each row.
        let left = slices.iter().find_map(|slice| Some((slice, unmatched.left(slice)?)));
        match left {
            None => done.push(*id),
            Some((slice, left)) if left.slice != slice.slice => narrowed.push((*id, record(&left, version))),
            Some(_) => {}
        }
    }
    if !narrowed.is_empty() {
        sqlx::query(
            "update pending_receipt p set record = n.record
             from unnest($1::bigint[], $2::bytea[]) as n (id, record) where p.id = n.id",
        )
        .bind(narrowed.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(narrowed.iter().map(|(_, record)| record.as_ref()).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    if !done.is_empty() {
        sqlx::query("delete from pending_receipt where id = any($1)").bind(done).execute(connection).await?;
    }
    Ok(())
}
