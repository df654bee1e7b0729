//! The table `parked`: records of receipts that nobody can read, or not all of, wait for a person.

use super::Held;
use crate::merge::Unreadable;
use sqlx::PgConnection;

/// Why they are parked: nothing of it could be read, or not all.
const UNDECODABLE: &str = "undecodable";
const IN_PART: &str = "undecodable_in_part";

pub(super) async fn insert(connection: &mut PgConnection, batches: &[Held<'_>]) -> Result<(), sqlx::Error> {
    let rows = batches.iter().flat_map(|held| held.batch.unreadable.iter().map(move |record| (held, record)));
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into parked (topic, partition, source_offset, reason, record)
         select * from unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::bytea[])
         on conflict do nothing",
    )
    .bind(rows.iter().map(|(held, _)| held.topic).collect::<Vec<_>>())
    .bind(rows.iter().map(|(held, _)| held.partition).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, record)| record.offset).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, record)| reason(record)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, record)| record.record.as_ref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

const fn reason(record: &Unreadable) -> &'static str {
    if record.in_part { IN_PART } else { UNDECODABLE }
}
