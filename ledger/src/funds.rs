//! What the books say to those who take messages: balances, what of the submitted records is
//! already taken from them, and what became of single chunks. Reading only, no locks.

use crate::LedgerError;
use domain::id::ChunkId;
use domain::money::Money;
use sqlx::PgConnection;

/// Balances, and how far billing had come when they were so: one snapshot of both, so a record
/// below the position is taken from the balance, and one from it on is not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The accounts that exist, of those asked for.
    pub balances: Vec<(i64, Money)>,
    /// Topic, partition, and the offset that billing judges next. What billing never held is
    /// not here: nothing of it is judged.
    pub positions: Vec<(String, i32, i64)>,
}

/// What the ledger says of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The chunk.
    pub chunk: ChunkId,
    /// How many of its messages are paid for, the first ones.
    pub paid: u16,
    /// How many it has.
    pub size: u16,
}

/// Reads balances and billing's positions in these topics, in one partition or in all.
pub async fn snapshot(
    connection: &mut PgConnection,
    accounts: &[i64],
    topics: &[String],
    partition: Option<i32>,
) -> Result<Snapshot, sqlx::Error> {
    // One statement sees one snapshot, at READ COMMITTED too.
    let rows: Vec<(Option<String>, i64, i64)> = sqlx::query_as(
        "select null::text, id, balance from account where id = any($1)
         union all
         select topic, partition, next_offset from position
         where role = 'billing-consumer' and topic = any($2) and ($3::integer is null or partition = $3)",
    )
    .bind(accounts)
    .bind(topics)
    .bind(partition)
    .fetch_all(connection)
    .await?;
    let mut snapshot = Snapshot::default();
    for (topic, number, value) in rows {
        match topic {
            None => snapshot.balances.push((number, Money::new(value))),
            Some(topic) => {
                let partition = i32::try_from(number).unwrap_or(i32::MAX);
                snapshot.positions.push((topic, partition, value));
            }
        }
    }
    Ok(snapshot)
}

/// What became of chunks; those without a row are not judged yet, or never will be (parked).
pub async fn verdicts(
    connection: &mut PgConnection,
    chunks: &[ChunkId],
) -> Result<Vec<Verdict>, LedgerError> {
    let ids: Vec<i64> = chunks.iter().map(|chunk| chunk.get()).collect();
    let Some((first, last)) = ids.iter().min().zip(ids.iter().max()) else { return Ok(Vec::new()) };
    // The bounds say which days the ids are of: the others are not looked into.
    let rows: Vec<(i64, i16, i16)> = sqlx::query_as(
        "select chunk_id, paid, size from hold
         where chunk_id = any($1) and chunk_id >= $2 and chunk_id <= $3",
    )
    .bind(&ids)
    .bind(first)
    .bind(last)
    .fetch_all(connection)
    .await?;
    let verdict = |(number, paid, size): (i64, i16, i16)| {
        let corrupt = |why: &str| LedgerError::corrupt(number, why);
        let chunk = ChunkId::new(number).ok_or(corrupt("chunk_id"))?;
        let paid = u16::try_from(paid).map_err(|_| corrupt("paid"))?;
        let size = u16::try_from(size).map_err(|_| corrupt("size"))?;
        Ok(Verdict { chunk, paid, size })
    };
    rows.into_iter().map(verdict).collect()
}
