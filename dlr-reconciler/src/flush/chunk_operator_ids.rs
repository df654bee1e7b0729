//! The table `chunk_operator_ids`: which messages went by which connector, so that an operator
//! has them or may have them, with the ids that it gave. Written once: one row for the messages
//! of a call that got an id, and one for those that got none (a receipt of theirs must find its
//! connector, too).

use crate::history::store as history;
use crate::merge::{Batch, OperatorIds};
use domain::id::ChunkId;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeSet;

/// That of chunks that are not in history.
pub(crate) const OPEN: &str = "chunk_operator_ids";

/// Added to the first position in the key of rows without ids: neither row of an attempt stands
/// in the other's way, whichever comes first.
const WITHOUT_IDS: i16 = 256;

/// Stores what is not stored yet (an outcome may come twice), beside the chunk: in history
/// where it is there already.
pub(super) async fn insert<'a>(
    connection: &mut PgConnection,
    batches: impl Iterator<Item = &'a Batch>,
    moved: &BTreeSet<ChunkId>,
) -> Result<(), sqlx::Error> {
    let rows = batches.flat_map(|batch| &batch.operator_ids);
    let (late, rows): (Vec<_>, Vec<_>) = rows.partition(|row| moved.contains(&row.chunk));
    insert_into(connection, OPEN, &rows).await?;
    insert_into(connection, history::OPERATOR_IDS, &late).await
}

async fn insert_into(
    connection: &mut PgConnection,
    table: &'static str,
    rows: &[&OperatorIds],
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(AssertSqlSafe(format!(
        "insert into {table} (chunk_id, attempt, first_position, connector, positions, operator_ids)
         select * from unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::bytea[], $6::text[])
         on conflict do nothing"
    )))
    .bind(rows.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i16::from(row.attempt)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| key(row)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.connector.as_ref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.positions.as_slice()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.ids.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

fn key(row: &OperatorIds) -> i16 {
    let first = row.positions.first().copied().map_or(0, i16::from);
    if row.ids.is_empty() { WITHOUT_IDS + first } else { first }
}
