//! Reading what is due.

use super::places::Place;
use domain::bits::Bits;
use domain::lane::Lane;
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A row of `receipt_poll` that is due.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    pub(super) place: Place,
    /// The messages that await a receipt.
    pub(super) open: Bits,
}

/// An operator's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OperatorId {
    pub(super) id: String,
    /// Whose id it is.
    pub(super) connector: Arc<str>,
    pub(super) attempt: u8,
    pub(super) position: u8,
}

/// For each partition the first rows behind its place, `$5` at most: each a walk along the
/// index. The time is that of the statement and not `clock_timestamp()`, which is another for
/// every row and so cannot end the walk.
const PAGE: &str = "
    select w.partition, p.due, p.chunk_id, p.open::text
    from unnest($2::integer[], $3::timestamptz[], $4::bigint[]) as w (partition, due, chunk_id),
         lateral (select due, chunk_id, open from receipt_poll
                  where lane = $1 and partition = w.partition and due <= statement_timestamp()
                    and connector = any($6)
                    and (due, chunk_id) > (w.due, w.chunk_id)
                  order by due, chunk_id limit $5) as p
    order by w.partition, p.due, p.chunk_id";

/// The next due rows of partitions, for each those behind a place and `most` at most, in
/// their order; only those of connectors that may be asked now.
pub(super) async fn page(
    connection: &mut PgConnection,
    lane: Lane,
    behind: &[(i32, Place)],
    most: usize,
    answering: &[String],
) -> Result<BTreeMap<i32, Vec<Due>>, sqlx::Error> {
    let rows: Vec<(i32, DateTime<Utc>, i64, String)> = sqlx::query_as(PAGE)
        .bind(lane.as_str())
        .bind(behind.iter().map(|(partition, _)| *partition).collect::<Vec<_>>())
        .bind(behind.iter().map(|(_, place)| place.due).collect::<Vec<_>>())
        .bind(behind.iter().map(|(_, place)| place.chunk).collect::<Vec<_>>())
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .bind(answering)
        .fetch_all(connection)
        .await?;
    let mut pages: BTreeMap<i32, Vec<Due>> = BTreeMap::new();
    for (partition, due, chunk, open) in rows {
        let open = Bits::from_bit_string(&open).map_err(|error| sqlx::Error::Decode(error.into()))?;
        pages.entry(partition).or_default().push(Due { place: Place { due, chunk }, open });
    }
    Ok(pages)
}

/// The operators' ids of chunks.
pub(super) async fn operator_ids(
    connection: &mut PgConnection,
    chunks: Vec<i64>,
) -> Result<HashMap<i64, Vec<OperatorId>>, sqlx::Error> {
    let rows: Vec<(i64, i16, String, Vec<u8>, String)> = sqlx::query_as(
        "select chunk_id, attempt, connector, positions, operator_ids from chunk_operator_ids where chunk_id = any($1)",
    )
    .bind(chunks)
    .fetch_all(connection)
    .await?;
    let mut of_chunk: HashMap<i64, Vec<OperatorId>> = HashMap::new();
    for (chunk, attempt, connector, positions, ids) in rows {
        let attempt = u8::try_from(attempt).unwrap_or(u8::MAX);
        let connector: Arc<str> = Arc::from(connector);
        let ids = ids.split('\n').zip(positions).filter(|(id, _)| !id.is_empty());
        let ids = ids.map(|(id, position)| {
            let connector = Arc::clone(&connector);
            OperatorId { id: id.to_owned(), connector, attempt, position }
        });
        of_chunk.entry(chunk).or_default().extend(ids);
    }
    Ok(of_chunk)
}

#[cfg(test)]
mod tests;
