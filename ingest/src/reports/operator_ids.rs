//! Under which id, and where, an operator knows a message.

use domain::id::MessageId;
use sqlx::PgConnection;

/// What is known of a message at an operator.
#[derive(Debug, Default)]
pub(super) struct AtOperator {
    pub(super) connector: Option<String>,
    pub(super) id: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    connector: String,
    positions: Vec<u8>,
    operator_ids: String,
}

/// Of the attempt that closed the message, else of the last.
pub(super) async fn find(
    connection: &mut PgConnection,
    message: MessageId,
    closed_attempt: Option<u8>,
) -> Result<AtOperator, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "select connector, positions, operator_ids from all_chunk_operator_ids
         where chunk_id = $1 and ($2::smallint is null or attempt = $2) order by attempt desc, first_position",
    )
    .bind(message.chunk().get())
    .bind(closed_attempt.map(i16::from))
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().find_map(|row| of(row, message.index())).unwrap_or_default())
}

fn of(row: Row, index: u8) -> Option<AtOperator> {
    let position = row.positions.iter().position(|position| *position == index)?;
    let id = row.operator_ids.lines().nth(position).filter(|id| !id.is_empty()).map(str::to_owned);
    Some(AtOperator { connector: Some(row.connector), id })
}
