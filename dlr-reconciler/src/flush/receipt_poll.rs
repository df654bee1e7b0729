//! The table `receipt_poll`: which messages await a receipt, and when the operator is asked
//! next. What stands in a row follows from the state row under whose lock it is written.

use super::Means;
use super::chunk_state::{Row, corrupt};
use crate::merge::Heard;
use crate::states::awaiting;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use ledger::LedgerError;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Messages that an operator took.
struct Taken<'a> {
    row: &'a Row,
    connector: &'a str,
    open: Bits,
    first_at: UnixMillis,
}

/// Fewer messages await a receipt, or the operator was asked.
struct Narrowed {
    chunk: ChunkId,
    open: Bits,
    /// Nothing: not asked now.
    asked: Option<Next>,
}

/// When to ask again; nothing: never.
type Next = Option<UnixMillis>;

/// Makes, extends, moves on and deletes rows, for the chunks that something was heard of.
pub(super) async fn store(
    connection: &mut PgConnection,
    rows: &[Row],
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
    means: &Means<'_>,
) -> Result<(), LedgerError> {
    let (mut taken, mut narrowed, mut done) = (Vec::new(), Vec::new(), Vec::new());
    for row in rows {
        let heard = heard.get(&row.chunk).map(Vec::as_slice).unwrap_or_default();
        let polled = heard.iter().any(|heard| heard.polled);
        if !row.ends.changed && !polled {
            continue;
        }
        let (open, first) = awaiting(&row.states).map_err(|error| corrupt(row.chunk.get(), error))?;
        let first_at = row.chunk.minted_at().plus(first.into());
        if open.is_empty() {
            // A row that was made now and awaits nothing never had one.
            done.extend((!row.made).then_some(row.chunk.get()));
        } else if let Some(connector) = heard.iter().find_map(|heard| heard.sent_by.as_deref()) {
            taken.push(Taken { row, connector, open, first_at });
        } else {
            let asked = polled.then(|| means.schedule.next(first_at, means.now));
            narrowed.push(Narrowed { chunk: row.chunk, open, asked });
        }
    }
    insert(connection, &taken, means).await?;
    update(connection, &narrowed).await?;
    delete(connection, done).await?;
    Ok(())
}

/// A chunk whose messages were taken in several calls keeps the connector of the first, and
/// is asked for at the earliest of their times.
async fn insert(
    connection: &mut PgConnection,
    taken: &[Taken<'_>],
    means: &Means<'_>,
) -> Result<(), sqlx::Error> {
    if taken.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into receipt_poll (chunk_id, lane, partition, connector, open, first_at, due)
         select chunk, lane, partition, connector, open::bit(256),
                to_timestamp(first_ms / 1000.0), to_timestamp($7 / 1000.0)
         from unnest($1::bigint[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::bigint[])
              as n (chunk, lane, partition, connector, open, first_ms)
         on conflict (chunk_id) do update
         set open = excluded.open, first_at = least(receipt_poll.first_at, excluded.first_at),
             due = least(receipt_poll.due, excluded.due)",
    )
    .bind(taken.iter().map(|taken| taken.row.chunk.get()).collect::<Vec<_>>())
    .bind(taken.iter().map(|taken| taken.row.lane.as_str()).collect::<Vec<_>>())
    .bind(taken.iter().map(|taken| taken.row.partition).collect::<Vec<_>>())
    .bind(taken.iter().map(|taken| taken.connector).collect::<Vec<_>>())
    .bind(taken.iter().map(|taken| taken.open.to_bit_string()).collect::<Vec<_>>())
    .bind(taken.iter().map(|taken| taken.first_at.0).collect::<Vec<_>>())
    .bind(means.schedule.first(means.now).0)
    .execute(connection)
    .await?;
    Ok(())
}

async fn update(connection: &mut PgConnection, narrowed: &[Narrowed]) -> Result<(), sqlx::Error> {
    if narrowed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update receipt_poll p
         set open = n.open::bit(256),
             due = case when n.asked then coalesce(to_timestamp(n.due_ms / 1000.0), 'infinity') else p.due end
         from unnest($1::bigint[], $2::text[], $3::boolean[], $4::bigint[]) as n (chunk, open, asked, due_ms)
         where p.chunk_id = n.chunk",
    )
    .bind(narrowed.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(narrowed.iter().map(|row| row.open.to_bit_string()).collect::<Vec<_>>())
    .bind(narrowed.iter().map(|row| row.asked.is_some()).collect::<Vec<_>>())
    .bind(narrowed.iter().map(|row| row.asked.flatten().map(|due| due.0)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn delete(connection: &mut PgConnection, done: Vec<i64>) -> Result<(), sqlx::Error> {
    if !done.is_empty() {
        sqlx::query("delete from receipt_poll where chunk_id = any($1)")
            .bind(done)
            .execute(connection)
            .await?;
    }
    Ok(())
}
