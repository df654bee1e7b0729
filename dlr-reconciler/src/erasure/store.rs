//! The transactions that erase, and the place they came to.

use super::{Batch, KEPT_DAYS_MIN};
use bytes::Bytes;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use sqlx::{Connection, PgConnection};
use wire::Version;
use wire::billed::{Billed, Verdict};

/// Erases a batch of what was minted before `before`: at most `count` chunks of history from the
/// place on, and as many parked records. Does nothing where another process is at it.
pub(super) async fn erase(
    connection: &mut PgConnection,
    before: UnixMillis,
    count: u32,
    version: Version,
) -> Result<Batch, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let place = "select chunk_id from erased_below for update skip locked";
    let Some(from): Option<i64> = sqlx::query_scalar(place).fetch_optional(&mut *transaction).await? else {
        return Ok(Batch::default());
    };
    let end = ChunkId::floor(before);
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select chunk_id, record from history_chunk where chunk_id >= $1 and chunk_id < $2
         order by chunk_id limit $3 for update",
    )
    .bind(from)
    .bind(end)
    .bind(i64::from(count))
    .fetch_all(&mut *transaction)
    .await?;
    let more = rows.len() == usize::try_from(count).unwrap_or(usize::MAX);
    // What is behind the last of a full batch is the next one's.
    let next = rows.last().filter(|_| more).map_or(end.max(from), |(chunk, _)| chunk + 1);
    let erased: Vec<(i64, Bytes)> = rows
        .into_iter()
        .filter_map(|(chunk, record)| Some((chunk, blank(chunk, record, version)?)))
        .collect();
    write(&mut transaction, &erased).await?;
    let parked = parked(&mut transaction, before, count).await?;
    sqlx::query("update erased_below set chunk_id = $1").bind(next).execute(&mut *transaction).await?;
    transaction.commit().await?;
    let minted_at = ChunkId::new(next & !255).map_or(before, ChunkId::minted_at);
    let behind_ms = if more { before.0.saturating_sub(minted_at.0).max(0) } else { 0 };
    let more = more || parked == u64::from(count);
    Ok(Batch { chunks: erased.len(), parked, more, behind_ms })
}

/// The record without texts and numbers; nothing where it is so already. What cannot be read can
/// tell nobody anything but what is to be forgotten: nothing is left of it.
fn blank(chunk_id: i64, record: Vec<u8>, version: Version) -> Option<Bytes> {
    if record.is_empty() {
        return None;
    }
    let billed = match Billed::decode(&record.into()) {
        Ok(billed) => billed,
        Err(error) => {
            tracing::error!(chunk = chunk_id, %error, "a record of history cannot be read, and is erased");
            return Some(Bytes::new());
        }
    };
    let verdict = match billed.verdict {
        Verdict::Paid { paid, chunk } if chunk != chunk.erased() => {
            Verdict::Paid { paid, chunk: chunk.erased() }
        }
        Verdict::Refused { chunk } if chunk != chunk.erased() => Verdict::Refused { chunk: chunk.erased() },
        Verdict::Paid { .. } | Verdict::Refused { .. } | Verdict::Noop => return None,
    };
    Some(Billed { source: billed.source, verdict }.encode(version))
}

/// Writes records over, and what they were found by.
async fn write(connection: &mut PgConnection, erased: &[(i64, Bytes)]) -> Result<(), sqlx::Error> {
    if erased.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update history_chunk h set record = n.record, recipient_key = null, reference_key = null, sought = ''
         from unnest($1::bigint[], $2::bytea[]) as n (chunk, record) where h.chunk_id = n.chunk",
    )
    .bind(erased.iter().map(|(chunk, _)| *chunk).collect::<Vec<_>>())
    .bind(erased.iter().map(|(_, record)| record.as_ref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Erases what was parked and is old, for whatever reason it was.
async fn parked(connection: &mut PgConnection, before: UnixMillis, count: u32) -> Result<u64, sqlx::Error> {
    let erased = sqlx::query(
        "update parked set record = '' where id in
             (select id from parked where at < to_timestamp($1 / 1000.0) and record <> '' order by id limit $2)",
    )
    .bind(before.0)
    .bind(i64::from(count))
    .execute(connection)
    .await?;
    Ok(erased.rows_affected())
}

/// Chunks come to history. Where one of them is so old that erasing may have passed it, it goes
/// back there: whoever erases in this moment is waited for, or begins after us.
pub(crate) async fn reopen(connection: &mut PgConnection, chunks: &[i64]) -> Result<(), sqlx::Error> {
    let Some(lowest) = chunks.iter().copied().filter_map(ChunkId::new).min() else { return Ok(()) };
    sqlx::query(
        "update erased_below set chunk_id = least(chunk_id, $1)
         where to_timestamp($2 / 1000.0) < clock_timestamp() - make_interval(days => $3)",
    )
    .bind(lowest.get())
    .bind(lowest.minted_at().0)
    .bind(KEPT_DAYS_MIN)
    .execute(connection)
    .await?;
    Ok(())
}
