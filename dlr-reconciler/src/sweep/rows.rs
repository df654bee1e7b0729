//! What the sweep reads of the tables, and the one thing that it writes by itself.

use super::rules::{By, Candidate};
use super::seen::Key;
use crate::flush::{OPEN_OPERATOR_IDS, carriers_of};
use crate::holding;
use crate::pushed::Carriers;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use ledger::LedgerError;
use platform::ownership::Role;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::HashMap;

/// The database's clock, and the partitions that `process` holds.
pub(super) async fn clock_and_held(
    connection: &mut PgConnection,
    process: Uuid,
) -> Result<(UnixMillis, Vec<i32>), sqlx::Error> {
    let (clock,): (i64,) = sqlx::query_as("select (extract(epoch from clock_timestamp()) * 1000)::bigint")
        .fetch_one(&mut *connection)
        .await?;
    Ok((UnixMillis(clock), holding::all(connection, process).await?))
}

/// The stored positions of the reconciler, whoever holds the partitions.
pub(super) async fn positions(
    connection: &mut PgConnection,
    topics: &[&str],
) -> Result<HashMap<Key, i64>, sqlx::Error> {
    let rows: Vec<(String, i32, i64)> = sqlx::query_as(
        "select topic, partition, next_offset from position where role = $1 and topic = any($2)",
    )
    .bind(Role::DlrReconciler.as_str())
    .bind(topics)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|(topic, partition, next)| ((topic, partition), next)).collect())
}

/// The next stretch of chunks that await receipts.
pub(super) struct Page {
    /// Behind this chunk id.
    pub(super) after: i64,
    /// Chunks looked at in it at most.
    pub(super) look: i64,
    /// Candidates taken of it at most.
    pub(super) take: i64,
    /// Not later than this: neither the chunk's id nor its `send_by`.
    pub(super) latest: UnixMillis,
}

#[derive(sqlx::FromRow)]
struct Row {
    chunk_id: i64,
    partition: i32,
    open: String,
    content: bool,
    send_by_ms: Option<i64>,
    due_ms: Option<i64>,
}

/// Reads the candidates of a page, ascending, and where the next page begins: nothing at the
/// end. Looks at so many rows by their key, from the oldest on; needs no index of its own.
/// A chunk with receipts that were not taken in yet waits.
pub(super) async fn page(
    connection: &mut PgConnection,
    page: &Page,
    partitions: &[i32],
) -> Result<(Vec<Candidate>, Option<i64>), LedgerError> {
    let (last, looked): (Option<i64>, i64) = sqlx::query_as(
        "select max(chunk_id), count(*) from
            (select chunk_id from receipt_poll where chunk_id > $1 and chunk_id < $2 order by chunk_id limit $3) p",
    )
    .bind(page.after)
    .bind(ChunkId::floor(page.latest))
    .bind(page.look)
    .fetch_one(&mut *connection)
    .await?;
    let Some(last) = last else { return Ok((vec![], None)) };
    let rows: Vec<Row> = sqlx::query_as(
        "select p.chunk_id, p.partition, p.open::text, c.chunk_id is not null as content,
                (extract(epoch from c.send_by) * 1000)::bigint as send_by_ms,
                (extract(epoch from nullif(p.due, 'infinity')) * 1000)::bigint as due_ms
         from receipt_poll p left join chunk_content c using (chunk_id)
         where p.chunk_id > $1 and p.chunk_id <= $2 and p.partition = any($3)
           and (c.send_by is null or c.send_by < to_timestamp($4 / 1000.0))
           and not exists (select from pending_receipt r where r.chunk_id = p.chunk_id)
         order by p.chunk_id limit $5",
    )
    .bind(page.after)
    .bind(last)
    .bind(partitions)
    .bind(page.latest.0)
    .bind(page.take)
    .fetch_all(&mut *connection)
    .await?;
    let next = if rows.len() as i64 == page.take {
        rows.last().map(|row| row.chunk_id)
    } else {
        (looked == page.look).then_some(last)
    };
    let chunks = rows.iter().map(|row| row.chunk_id).collect();
    let carriers = carriers_of(connection, OPEN_OPERATOR_IDS, chunks).await?;
    let heard = heard_at(connection).await?;
    let none = Carriers::default();
    let candidate = |row: Row| candidate(&row, carriers.get(&row.chunk_id).unwrap_or(&none), &heard);
    let candidates = rows.into_iter().map(candidate).collect::<Result<_, _>>()?;
    Ok((candidates, next))
}

/// When operators were last heard of, by connector.
async fn heard_at(connection: &mut PgConnection) -> Result<HashMap<String, UnixMillis>, sqlx::Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("select connector, (extract(epoch from last_at) * 1000)::bigint from connector_heard")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(connector, at)| (connector, UnixMillis(at))).collect())
}

fn candidate(
    row: &Row,
    carriers: &Carriers,
    heard: &HashMap<String, UnixMillis>,
) -> Result<Candidate, LedgerError> {
    let corrupt = |why: &str| LedgerError::Corrupt { chunk: row.chunk_id, why: why.to_owned() };
    let open = Bits::from_bit_string(&row.open).map_err(|_| corrupt("open"))?;
    let by = carriers.awaited(open).into_iter().map(|(connector, ids)| {
        let heard_at = heard.get(&*connector).copied();
        By { connector, heard_at, ids }
    });
    Ok(Candidate {
        chunk: ChunkId::new(row.chunk_id).ok_or_else(|| corrupt("chunk_id"))?,
        partition: row.partition,
        open,
        send_by: row.send_by_ms.map(UnixMillis),
        content: row.content,
        due: row.due_ms.map(UnixMillis),
        by: by.collect(),
    })
}

/// Asks once more about these chunks: where nothing else is to be asked, only an answer about
/// one of them can show that the operator answers. Returns about how many it was not going to
/// be asked anyway.
pub(super) async fn ask_once_more(connection: &mut PgConnection, chunks: &[i64]) -> Result<u64, sqlx::Error> {
    let asked = sqlx::query(
        "update receipt_poll set due = clock_timestamp() where due = 'infinity' and chunk_id = any($1)",
    )
    .bind(chunks)
    .execute(connection)
    .await?;
    Ok(asked.rows_affected())
}
