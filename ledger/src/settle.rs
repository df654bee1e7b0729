//! Settling and voiding: held → revenue for what is paid for in the end, held → balance for
//! what is refunded.

use crate::LedgerError;
use crate::entries::{self, Entry};
use crate::hold::{COLUMNS, HoldRow, StoredHold};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::money::Money;
use domain::settle::Movement;
use sqlx::PgConnection;
use std::collections::BTreeMap;

/// Messages of a chunk that became final, by what that costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Finals {
    /// Their hold is settled.
    pub settle: Bits,
    /// Their hold is voided.
    pub void: Bits,
}

/// What that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The customer.
    pub account: i64,
    /// The newly decided messages.
    pub movement: Movement,
    /// What became revenue.
    pub settled: Money,
    /// What came back to the balance.
    pub refunded: Money,
}

/// Takes final outcomes into the books, inside the caller's transaction.
///
/// Locks the chunks' rows in the order of their ids, then the accounts in the order of
/// theirs. Decisions made before stand: only what is new moves money, so a repetition
/// changes nothing.
pub async fn finals(
    connection: &mut PgConnection,
    finals: &BTreeMap<ChunkId, Finals>,
) -> Result<BTreeMap<ChunkId, Settlement>, LedgerError> {
    if finals.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut rows = lock(connection, finals).await?;
    let mut settlements = BTreeMap::new();
    let mut moved = Vec::new();
    for (chunk, ends) in finals {
        let row = rows.get_mut(chunk).ok_or(LedgerError::NoHold(*chunk))?;
        let movement = row.decided.decide(ends.settle, ends.void);
        let (settled, refunded) = movement.amounts(&row.prices);
        settlements.insert(*chunk, Settlement { account: row.account, movement, settled, refunded });
        if !movement.is_empty() {
            moved.push(*chunk);
        }
    }
    let moved: Vec<&HoldRow> = moved.iter().filter_map(|chunk| rows.get(chunk)).collect();
    lock_accounts(connection, &settlements).await?;
    store_maps(connection, &moved).await?;
    move_balances(connection, &settlements).await?;
    entries::insert(connection, &entries_of(&settlements)).await?;
    Ok(settlements)
}

async fn lock(
    connection: &mut PgConnection,
    finals: &BTreeMap<ChunkId, Finals>,
) -> Result<BTreeMap<ChunkId, HoldRow>, LedgerError> {
    let ids: Vec<i64> = finals.keys().map(|chunk| chunk.get()).collect();
    let statement =
        format!("select {COLUMNS} from hold where chunk_id = any($1) order by chunk_id for update");
    let rows: Vec<StoredHold> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(ids).fetch_all(connection).await?;
    rows.into_iter().map(|row| HoldRow::try_from(row).map(|row| (row.chunk, row))).collect()
}

async fn lock_accounts(
    connection: &mut PgConnection,
    settlements: &BTreeMap<ChunkId, Settlement>,
) -> Result<(), sqlx::Error> {
    let accounts: Vec<i64> = settlements.values().map(|settlement| settlement.account).collect();
    sqlx::query("select from account where id = any($1) order by id for update")
        .bind(accounts)
        .execute(connection)
        .await?;
    Ok(())
}

async fn store_maps(connection: &mut PgConnection, rows: &[&HoldRow]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update hold h set settled = n.settled::bit(256), voided = n.voided::bit(256)
         from unnest($1::bigint[], $2::text[], $3::text[]) as n (chunk, settled, voided)
         where h.chunk_id = n.chunk",
    )
    .bind(rows.iter().map(|row| row.chunk.get()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.decided.settled().to_bit_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|row| row.decided.voided().to_bit_string()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn move_balances(
    connection: &mut PgConnection,
    settlements: &BTreeMap<ChunkId, Settlement>,
) -> Result<(), LedgerError> {
    let mut sums: BTreeMap<i64, (Money, Money)> = BTreeMap::new();
    for settlement in settlements.values() {
        let (released, refunded) = sums.entry(settlement.account).or_default();
        let both = settlement.settled.checked_add(settlement.refunded);
        *released = both
            .and_then(|both| released.checked_add(both))
            .ok_or(LedgerError::TooMuch(settlement.account))?;
        *refunded =
            refunded.checked_add(settlement.refunded).ok_or(LedgerError::TooMuch(settlement.account))?;
    }
    let sums: Vec<_> = sums.into_iter().filter(|(_, (released, _))| *released > Money::ZERO).collect();
    if sums.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update account a set held = held - s.released, balance = balance + s.refunded
         from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as s (id, released, refunded)
         where a.id = s.id",
    )
    .bind(sums.iter().map(|(account, _)| *account).collect::<Vec<_>>())
    .bind(sums.iter().map(|(_, (released, _))| released.get()).collect::<Vec<_>>())
    .bind(sums.iter().map(|(_, (_, refunded))| refunded.get()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

fn entries_of(settlements: &BTreeMap<ChunkId, Settlement>) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (chunk, settlement) in settlements {
        let Settlement { account, movement, settled, refunded } = *settlement;
        for (kind, amount, bits) in [("settle", settled, movement.settle), ("void", refunded, movement.void)]
        {
            if !bits.is_empty() {
                entries.push(Entry { account, kind, amount, chunk: *chunk, bits });
            }
        }
    }
    entries
}
