//! The table `pending_receipt`: receipts that came before anything else was known of their
//! chunk. They wait here until a state row is made, whichever of the two comes first.

use super::{Held, Means, Stored, chunk_state, decide};
use crate::merge::{Batch, Slice, by_chunk};
use crate::read::{Stream, read};
use bytes::Bytes;
use domain::id::ChunkId;
use ledger::LedgerError;
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use wire::Version;
use wire::receipts::Receipts;

/// Rows matched in one transaction at most.
const MATCHED_MAX: i64 = 2_000;
/// Chunks matched in one transaction at most.
const CHUNKS_MAX: i64 = 500;
/// Rows looked through for matches at a time.
const LOOKED_THROUGH_MAX: i64 = 5_000;
/// Pending rows are counted up to here.
const COUNTED_MAX: i64 = 100_000;

/// Keeps the receipts of chunks that have no state row. Returns how many rows.
pub(super) async fn insert(
    connection: &mut PgConnection,
    batches: &[Held<'_>],
    unknown: &[ChunkId],
    version: Version,
) -> Result<u64, sqlx::Error> {
    let unknown: BTreeSet<ChunkId> = unknown.iter().copied().collect();
    let mut rows: Vec<(i64, &str, i32, Bytes)> = Vec::new();
    for held in batches {
        let unmatched = held.batch.chunks.iter().filter(|(chunk, _)| unknown.contains(chunk));
        // A poll that learnt nothing tells nothing later either.
        for (chunk, heard) in unmatched.filter(|(_, heard)| !heard.facts.is_empty()) {
            let records = heard.slices.iter().map(|slice| record(slice, version));
            rows.extend(records.map(|record| (chunk.get(), held.topic, held.partition, record)));
        }
    }
    if rows.is_empty() {
        return Ok(0);
    }
    sqlx::query(
        "insert into pending_receipt (chunk_id, topic, partition, record)
         select * from unnest($1::bigint[], $2::text[], $3::integer[], $4::bytea[])",
    )
    .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.2).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.3.as_ref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(rows.len() as u64)
}

/// The record that holds this slice alone.
fn record(slice: &Slice, version: Version) -> Bytes {
    let record = Receipts {
        connector: slice.connector.to_string(),
        at: slice.at,
        polled: slice.polled,
        slices: vec![slice.slice.clone()],
    };
    record.encode(version)
}

/// Matches what waits for chunks of which a state row was made just now.
pub(crate) async fn match_chunks(
    pool: &Pool,
    chunks: &[ChunkId],
    means: &Means<'_>,
) -> Result<Stored, LedgerError> {
    let waiting = sqlx::query_as("select distinct chunk_id from pending_receipt where chunk_id = any($1)");
    let waiting = waiting.bind(chunks.iter().map(|chunk| chunk.get()).collect::<Vec<_>>());
    let matching = async |connection: &mut PgConnection| {
        let waiting: Vec<(i64,)> = waiting.fetch_all(&mut *connection).await?;
        matched(connection, waiting, means).await
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
    let waiting: Vec<(i64,)> = sqlx::query_as(
        "select distinct p.chunk_id from pending_receipt p join chunk_state s using (chunk_id)
         where p.id > $1 and p.id <= $2 limit $3",
    )
    .bind(after)
    .bind(last)
    .bind(CHUNKS_MAX)
    .fetch_all(&mut *connection)
    .await?;
    let more = seen == LOOKED_THROUGH_MAX;
    Ok((matched(connection, waiting, means).await?, more.then_some(last)))
}

/// How many rows wait, up to a bound.
pub(crate) async fn count(pool: &Pool) -> Result<i64, sqlx::Error> {
    let count = sqlx::query_as("select count(*) from (select from pending_receipt limit $1) p");
    let count = count.bind(COUNTED_MAX);
    let (count,) = pool.within(async |connection| count.fetch_one(connection).await).await?;
    Ok(count)
}

/// One transaction: the state rows' locks, then the pending rows of their chunks are deleted
/// and applied. Whoever else wants them waits for the same locks, and finds them gone.
async fn matched(
    connection: &mut PgConnection,
    chunks: Vec<(i64,)>,
    means: &Means<'_>,
) -> Result<Stored, LedgerError> {
    if chunks.is_empty() {
        return Ok(Stored::default());
    }
    let chunks: Vec<i64> = chunks.into_iter().map(|(chunk,)| chunk).collect();
    let mut transaction = connection.begin().await?;
    let known = chunk_state::lock_only(&mut transaction, &chunks).await?;
    let rows: Vec<(i64, i32, Vec<u8>)> = sqlx::query_as(
        "select id, partition, record from pending_receipt where chunk_id = any($1) order by id limit $2",
    )
    .bind(known)
    .bind(MATCHED_MAX)
    .fetch_all(&mut *transaction)
    .await?;
    let (mut batch, mut applied) = (Batch::new(0), Vec::with_capacity(rows.len()));
    for (id, partition, record) in rows {
        let record = Bytes::from(record);
        // One that this version cannot read stays where it is, and is counted.
        if let Ok(understood) = read(Stream::Receipts, partition, &record) {
            batch.absorb(understood);
            applied.push(id);
        }
    }
    sqlx::query("delete from pending_receipt where id = any($1)")
        .bind(applied)
        .execute(&mut *transaction)
        .await?;
    let heard = by_chunk([&batch]);
    let (stored, _, days) = decide(&mut transaction, &heard, means).await?;
    days.add(&mut transaction).await?;
    transaction.commit().await?;
    Ok(stored)
}
