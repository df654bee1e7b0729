//! The table `parked`: records of receipts that nobody can read wait for a person.

use super::Held;
use sqlx::PgConnection;

/// Why they are parked.
const REASON: &str = "undecodable";

pub(super) async fn insert(connection: &mut PgConnection, batches: &[Held<'_>]) -> Result<(), sqlx::Error> {
    let rows = batches.iter().flat_map(|held| held.batch.unreadable.iter().map(move |record| (held, record)));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into parked (topic, partition, source_offset, reason, record)
         select topic, partition, source, $5, record
         from unnest($1::text[], $2::integer[], $3::bigint[], $4::bytea[]) as n (topic, partition, source, record)
         on conflict do nothing",
    )
    .bind(rows.iter().map(|(held, _)| held.topic).collect::<Vec<_>>())
    .bind(rows.iter().map(|(held, _)| held.partition).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, record)| record.offset).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, record)| record.record.as_ref()).collect::<Vec<_>>())
    .bind(REASON)
    .execute(connection)
    .await?;
    Ok(())
}
