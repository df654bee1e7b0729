//! The table `chunk_finished`: chunks of which every message is final wait here for history.

use super::chunk_state::{Row, corrupt};
use crate::states::are_finished;
use ledger::LedgerError;
use sqlx::PgConnection;

/// Notes the chunks whose last message ended by this transaction.
pub(super) async fn insert(connection: &mut PgConnection, rows: &[Row]) -> Result<(), LedgerError> {
    let mut finished = Vec::new();
    for row in rows.iter().filter(|row| row.ends.any()) {
        if are_finished(&row.states).map_err(|error| corrupt(row.chunk.get(), error))? {
            finished.push(row);
        }
    }
    if finished.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into chunk_finished (chunk_id, partition)
         select * from unnest($1::bigint[], $2::integer[]) on conflict do nothing",
    )
    .bind(finished.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(finished.iter().map(|row| row.partition).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
