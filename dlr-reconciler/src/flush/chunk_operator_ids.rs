//! The table `chunk_operator_ids`: operators' ids of the messages of one call, written once.

use crate::merge::{Batch, OperatorIds};
use sqlx::PgConnection;

/// Stores what is not stored yet (an outcome may come twice).
pub(super) async fn insert<'a>(
    connection: &mut PgConnection,
    batches: impl Iterator<Item = &'a Batch>,
) -> Result<(), sqlx::Error> {
    let rows: Vec<&OperatorIds> = batches.flat_map(|batch| &batch.operator_ids).collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into chunk_operator_ids (chunk_id, attempt, first_position, connector, positions, operator_ids)
         select * from unnest($1::bigint[], $2::smallint[], $3::smallint[], $4::text[], $5::bytea[], $6::text[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| i16::from(row.attempt)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.positions.first().copied().map_or(0, i16::from)).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.connector.as_ref()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.positions.as_slice()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.ids.as_str()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
