//! The table `chunk_content`: chunks as they were billed, written once.

use super::account_hour::Hours;
use super::chunk_state;
use crate::history::store as history;
use crate::merge::{Batch, Content};
use sqlx::PgConnection;
use std::collections::BTreeSet;

/// Stores contents that are not stored yet (a billed record may come twice, even after its
/// chunk went to history). Returns how many messages were newly recorded, and counts them.
pub(super) async fn insert<'a>(
    connection: &mut PgConnection,
    batches: impl Iterator<Item = &'a Batch>,
    hours: &mut Hours,
) -> Result<u64, sqlx::Error> {
    let contents: Vec<&Content> = batches.flat_map(|batch| &batch.contents).collect();
    if contents.is_empty() {
        return Ok(0);
    }
    let inserted: Vec<(i64,)> = sqlx::query_as(
        "insert into chunk_content
                (chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, send_by,
                 messages, campaign_id, recipient_key, reference_key, sought)
         select chunk, account, lane, call, chunks, call_messages, record, to_timestamp(send_by_ms / 1000.0),
                messages, campaign, recipient, reference, sought
         from unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::integer[],
                     $6::integer[], $7::bytea[], $8::bigint[], $9::smallint[], $10::bigint[],
                     $11::bigint[], $12::bigint[], $13::bytea[])
              as n (chunk, account, lane, call, chunks, call_messages, record, send_by_ms,
                    messages, campaign, recipient, reference, sought)
         on conflict do nothing returning chunk_id",
    )
    .bind(contents.iter().map(|content| content.chunk.get()).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.account).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.lane.as_str()).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.call.0.get()).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| count(content.call.1)).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| count(content.call.2)).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.record.as_ref()).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.send_by.0).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.messages.cast_signed()).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.listing.campaign).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.listing.recipient).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.listing.reference).collect::<Vec<_>>())
    .bind(contents.iter().map(|content| content.listing.sought.as_deref()).collect::<Vec<_>>())
    .fetch_all(&mut *connection)
    .await?;
    let mut inserted: BTreeSet<i64> = inserted.into_iter().map(|(chunk,)| chunk).collect();
    for repeated in take_back(connection, &inserted).await? {
        inserted.remove(&repeated);
    }
    chunk_state::recorded(connection, &inserted).await?;
    let mut recorded = 0;
    for content in contents {
        if inserted.remove(&content.chunk.get()) {
            hours.recorded(content);
            recorded += u64::from(content.messages);
        }
    }
    Ok(recorded)
}

/// Deletes what was inserted of chunks that are in history: looked for only now, as a chunk
/// that leaves the open tables while we insert makes us wait until it has left.
async fn take_back(connection: &mut PgConnection, inserted: &BTreeSet<i64>) -> Result<Vec<i64>, sqlx::Error> {
    let chunks: Vec<i64> = inserted.iter().copied().collect();
    let moved = history::among(connection, &chunks).await?;
    if !moved.is_empty() {
        sqlx::query("delete from chunk_content where chunk_id = any($1)")
            .bind(&moved)
            .execute(connection)
            .await?;
    }
    Ok(moved)
}

/// A call's chunks and messages are bounded far below this at ingest.
fn count(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
