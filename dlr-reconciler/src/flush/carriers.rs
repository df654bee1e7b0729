//! By which connectors the messages of chunks went, as `chunk_operator_ids` and
//! `receipt_poll` have it. Read under the locks of the state rows, under which both are
//! written.

use crate::merge::Heard;
use crate::pushed::{Carried, Carriers, positions};
use domain::id::ChunkId;
use sqlx::{AssertSqlSafe, PgConnection};
use std::collections::BTreeMap;

/// The attempt number of rows that do not tell one.
const NO_ATTEMPT: i16 = 0;

type Row = (i64, i16, String, Vec<u8>, bool);

/// Reads it of the chunks of which receipts came that do not say their attempt; `table` has
/// their operators' ids.
pub(super) async fn of_pushed(
    connection: &mut PgConnection,
    table: &'static str,
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
) -> Result<BTreeMap<i64, Carriers>, sqlx::Error> {
    let silent = heard.iter().filter(|(_, heard)| !positions(heard).is_empty());
    read(connection, table, silent.map(|(chunk, _)| chunk.get()).collect()).await
}

/// Reads it of chunks.
pub(crate) async fn read(
    connection: &mut PgConnection,
    table: &'static str,
    chunks: Vec<i64>,
) -> Result<BTreeMap<i64, Carriers>, sqlx::Error> {
    if chunks.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<Row> = sqlx::query_as(AssertSqlSafe(format!(
        "select chunk_id, attempt, connector, positions, operator_ids <> '' from {table}
         where chunk_id = any($1)
         union all
         select chunk_id, $2, connector, ''::bytea, false from receipt_poll where chunk_id = any($1)"
    )))
    .bind(chunks)
    .bind(NO_ATTEMPT)
    .fetch_all(connection)
    .await?;
    let mut carriers: BTreeMap<i64, Carriers> = BTreeMap::new();
    for (chunk, attempt, connector, positions, ids) in rows {
        let of_chunk = carriers.entry(chunk).or_default();
        match u8::try_from(attempt) {
            Ok(attempt) if i16::from(attempt) != NO_ATTEMPT => {
                let (messages, connector) = (positions.into_iter().collect(), connector.into());
                of_chunk.add(Carried { attempt, messages, connector, ids });
            }
            _ => of_chunk.other(connector.into()),
        }
    }
    Ok(carriers)
}
