//! The history store: the tables `history_chunk` and `history_operator_ids`. All that the
//! reconciler asks of it; another store would take the place of this file (and of the views
//! that readers ask).

use sqlx::PgConnection;

/// Where history has the operators' ids, in the columns of `chunk_operator_ids`.
pub(crate) const OPERATOR_IDS: &str = "history_operator_ids";

/// Those of `chunks` that are in history.
pub(crate) async fn among(connection: &mut PgConnection, chunks: &[i64]) -> Result<Vec<i64>, sqlx::Error> {
    if chunks.is_empty() {
        return Ok(vec![]);
    }
    let rows: Vec<(i64,)> = sqlx::query_as("select chunk_id from history_chunk where chunk_id = any($1)")
        .bind(chunks)
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|(chunk,)| chunk).collect())
}

/// The states of those of `chunks` that are in history, locked, ascending.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    chunks: &[i64],
) -> Result<Vec<(i64, Vec<u8>)>, sqlx::Error> {
    if chunks.is_empty() {
        return Ok(vec![]);
    }
    sqlx::query_as(
        "select chunk_id, states from history_chunk where chunk_id = any($1) order by chunk_id for update",
    )
    .bind(chunks)
    .fetch_all(connection)
    .await
}

/// Writes states of rows that are locked.
pub(crate) async fn update(
    connection: &mut PgConnection,
    rows: &[(i64, Vec<u8>)],
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update history_chunk h set states = n.states
         from unnest($1::bigint[], $2::bytea[]) as n (chunk, states) where h.chunk_id = n.chunk",
    )
    .bind(rows.iter().map(|row| row.0).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.1.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Copies chunks from the open tables, whose state rows the caller has locked. What was copied
/// before is brought up to date: a receipt may have come late in between.
pub(crate) async fn copy(connection: &mut PgConnection, chunks: &[i64]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into history_chunk (chunk_id, account_id, lane, partition, call_id, call_chunks,
                                    call_messages, record, states, messages, counts, campaign_id,
                                    recipient_key, reference_key, sought)
         select chunk_id, c.account_id, c.lane, s.partition, c.call_id, c.call_chunks,
                c.call_messages, c.record, s.states, c.messages, s.counts, c.campaign_id,
                c.recipient_key, c.reference_key, c.sought
         from chunk_state s join chunk_content c using (chunk_id)
         where chunk_id = any($1) order by chunk_id
         on conflict (chunk_id) do update set states = excluded.states
         where history_chunk.states <> excluded.states",
    )
    .bind(chunks)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into history_operator_ids (chunk_id, attempt, first_position, connector, positions, operator_ids)
         select chunk_id, attempt, first_position, connector, positions, operator_ids
         from chunk_operator_ids where chunk_id = any($1) order by 1, 2, 3
         on conflict do nothing",
    )
    .bind(chunks)
    .execute(connection)
    .await?;
    Ok(())
}
