//! The immutable rows of what was settled and voided.

use domain::bits::Bits;
use domain::id::ChunkId;
use domain::money::Money;
use sqlx::PgConnection;

/// One movement out of a hold.
pub(crate) struct Entry {
    pub(crate) account: i64,
    pub(crate) kind: &'static str,
    pub(crate) amount: Money,
    pub(crate) chunk: ChunkId,
    pub(crate) bits: Bits,
}

pub(crate) async fn insert(connection: &mut PgConnection, entries: &[Entry]) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into entry (account_id, kind, amount, chunk_id, bits)
         select account, kind, amount, chunk, bits::bit(256)
         from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
              as n (account, kind, amount, chunk, bits)",
    )
    .bind(entries.iter().map(|entry| entry.account).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.kind).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.amount.get()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.chunk.get()).collect::<Vec<_>>())
    .bind(entries.iter().map(|entry| entry.bits.to_bit_string()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
