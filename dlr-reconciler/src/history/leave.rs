//! The two transactions by which finished chunks leave the open tables: they are copied to
//! history, and by a later one deleted. Whatever happens in between, a chunk is in one of the
//! two, and where it is in both the open tables count.

use super::store;
use crate::erasure;
use crate::holding;
use crate::states::are_finished;
use ledger::LedgerError;
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};

/// A finished chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Finished {
    pub(super) chunk_id: i64,
    pub(super) partition: i32,
    /// Whether history has it.
    pub(super) copied: bool,
}

/// Up to `count` chunks of the partitions that `process` holds, finished `after_s` seconds ago
/// or earlier. Those wait whose content was not recorded yet, and those with receipts that were
/// not taken in yet.
pub(super) async fn next(
    connection: &mut PgConnection,
    process: Uuid,
    after_s: f64,
    count: i64,
) -> Result<Vec<Finished>, sqlx::Error> {
    let partitions = holding::all(connection, process).await?;
    sqlx::query_as(
        "select chunk_id, partition,
                exists (select from history_chunk h where h.chunk_id = f.chunk_id) as copied
         from chunk_finished f
         where partition = any($1) and at <= clock_timestamp() - make_interval(secs => $2)
           and exists (select from chunk_content c where c.chunk_id = f.chunk_id)
           and not exists (select from pending_receipt r where r.chunk_id = f.chunk_id)
         limit $3",
    )
    .bind(partitions)
    .bind(after_s)
    .bind(count)
    .fetch_all(connection)
    .await
}

/// Copies chunks to history. Returns how many.
pub(super) async fn copy(
    connection: &mut PgConnection,
    process: Uuid,
    finished: &[Finished],
) -> Result<usize, LedgerError> {
    let mut transaction = connection.begin().await?;
    let chunks = lock(&mut transaction, process, finished).await?;
    store::copy(&mut transaction, &chunks).await?;
    erasure::reopen(&mut transaction, &chunks).await?;
    transaction.commit().await?;
    Ok(chunks.len())
}

/// Deletes chunks from the open tables that an earlier transaction has copied. Returns how many.
pub(super) async fn delete(
    connection: &mut PgConnection,
    process: Uuid,
    finished: &[Finished],
) -> Result<usize, LedgerError> {
    let mut transaction = connection.begin().await?;
    let chunks = lock(&mut transaction, process, finished).await?;
    store::copy(&mut transaction, &chunks).await?;
    // Nothing goes that is not there.
    let chunks = store::among(&mut transaction, &chunks).await?;
    for statement in [
        "delete from chunk_state where chunk_id = any($1)",
        "delete from chunk_content where chunk_id = any($1)",
        "delete from chunk_operator_ids where chunk_id = any($1)",
        "delete from chunk_finished where chunk_id = any($1)",
    ] {
        sqlx::query(statement).bind(&chunks).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(chunks.len())
}

/// Locks the state rows of what `process` still holds, ascending. A flush that has them waits,
/// or is waited for.
async fn lock(
    connection: &mut PgConnection,
    process: Uuid,
    finished: &[Finished],
) -> Result<Vec<i64>, LedgerError> {
    let partitions: Vec<i32> = finished.iter().map(|of| of.partition).collect();
    let held = holding::keep(connection, process, &partitions).await?;
    let ours = finished.iter().filter(|of| held.contains(&of.partition));
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select chunk_id, states from chunk_state where chunk_id = any($1) order by chunk_id for update",
    )
    .bind(ours.map(|of| of.chunk_id).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut chunks = Vec::with_capacity(rows.len());
    for (chunk, states) in rows {
        let finished =
            are_finished(&states).map_err(|error| LedgerError::Corrupt { chunk, why: error.to_string() })?;
        if finished {
            chunks.push(chunk);
        } else {
            tracing::error!(chunk, "noted as finished, and not all of its messages are final");
        }
    }
    Ok(chunks)
}
