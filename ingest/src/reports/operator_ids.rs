//! Under which id, and where, an operator knows a message.

use std::collections::HashMap;

use domain::id::{ChunkId, MessageId};
use sqlx::PgConnection;

/// What is known of a message at an operator.
#[derive(Debug, Default)]
pub(super) struct AtOperator {
    pub(super) connector: Option<String>,
    pub(super) id: Option<String>,
}

/// The rows of some chunks, by chunk; of each the last attempt first.
pub(super) struct OperatorIds(HashMap<i64, Vec<Row>>);

#[derive(sqlx::FromRow)]
struct Row {
    chunk_id: i64,
    attempt: i16,
    connector: String,
    positions: Vec<u8>,
    operator_ids: String,
}

impl OperatorIds {
    pub(super) async fn read(connection: &mut PgConnection, chunks: &[ChunkId]) -> Result<Self, sqlx::Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "select chunk_id, attempt, connector, positions, operator_ids from all_chunk_operator_ids
             where chunk_id = any($1) order by chunk_id, attempt desc, first_position",
        )
        .bind(chunks.iter().map(|chunk| chunk.get()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
        let mut chunks: HashMap<i64, Vec<Row>> = HashMap::new();
        for row in rows {
            chunks.entry(row.chunk_id).or_default().push(row);
        }
        Ok(OperatorIds(chunks))
    }

    /// Of the attempt that closed the message, else of the last.
    pub(super) fn find(&self, message: MessageId, closed_attempt: Option<u8>) -> AtOperator {
        let rows = self.0.get(&message.chunk().get()).map(Vec::as_slice).unwrap_or_default();
        let mut rows = rows.iter().filter(|row| closed_attempt.is_none_or(|of| i16::from(of) == row.attempt));
        rows.find_map(|row| of(row, message.index())).unwrap_or_default()
    }
}

fn of(row: &Row, index: u8) -> Option<AtOperator> {
    let position = row.positions.iter().position(|position| *position == index)?;
    let id = row.operator_ids.lines().nth(position).filter(|id| !id.is_empty()).map(str::to_owned);
    Some(AtOperator { connector: Some(row.connector.clone()), id })
}
