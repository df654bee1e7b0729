//! Holding: balance → held, for the longest prefix of a chunk that the balance covers.

use crate::LedgerError;
use domain::bits::Bits;
use domain::hold::{self, Hold, Prices};
use domain::id::ChunkId;
use domain::money::Money;
use domain::settle::Decided;
use sqlx::PgConnection;
use std::collections::{BTreeMap, HashMap};

/// A chunk that asks to be billed, in the order in which it stands in its partition.
#[derive(Clone, Debug)]
pub struct Request {
    /// The chunk.
    pub chunk: ChunkId,
    /// The customer.
    pub account: i64,
    /// The topic of the record that asks.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub source: i64,
    /// What the customer asked for.
    pub request_hash: u64,
    /// What each message costs.
    pub prices: Prices,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booked {
    /// The first so many messages are held for.
    Paid(u16),
    /// The balance covered none of it; that is stored too, or a replay after a charge would
    /// send what was reported as refused.
    Refused,
    /// The same request was booked before, from another record.
    Repetition,
    /// Another request was booked under this id (L3): parked, alarmed.
    Collision,
    /// There is no such account: parked.
    NoAccount,
}

/// A chunk's row.
#[derive(Clone, Debug)]
pub struct HoldRow {
    /// The chunk.
    pub chunk: ChunkId,
    /// The customer.
    pub account: i64,
    /// The topic, partition and offset of the record that was booked.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub source: i64,
    /// What the customer asked for.
    pub request_hash: u64,
    /// What each message costs.
    pub prices: Prices,
    /// The length of the prefix that was paid for.
    pub paid: u16,
    /// What was held for it.
    pub cost: Money,
    /// What is final.
    pub decided: Decided,
    /// When it was booked, in milliseconds since 1970.
    pub billed_at_ms: i64,
}

#[derive(sqlx::FromRow)]
pub(crate) struct StoredHold {
    pub(crate) chunk_id: i64,
    account_id: i64,
    topic: String,
    partition: i32,
    source_offset: i64,
    request_hash: i64,
    size: i16,
    prices: Vec<i64>,
    price_index: Vec<u8>,
    paid: i16,
    cost: i64,
    settled: String,
    voided: String,
    billed_at_ms: i64,
}

pub(crate) const COLUMNS: &str = "chunk_id, account_id, topic, partition, source_offset, request_hash, size, \
     prices, price_index, paid, cost, settled::text as settled, voided::text as voided, \
     (extract(epoch from billed_at) * 1000)::bigint as billed_at_ms";

impl TryFrom<StoredHold> for HoldRow {
    type Error = LedgerError;

    fn try_from(stored: StoredHold) -> Result<Self, Self::Error> {
        let number = stored.chunk_id;
        let corrupt = |why: &str| LedgerError::corrupt(number, why);
        let size = usize::try_from(stored.size).map_err(|_| corrupt("size"))?;
        let paid = u16::try_from(stored.paid).map_err(|_| corrupt("paid"))?;
        let distinct = stored.prices.into_iter().map(Money::new).collect();
        let prices = Prices::new(distinct, stored.price_index, size).map_err(LedgerError::prices(number))?;
        let bits =
            |text: &str| Bits::from_bit_string(text).map_err(|error| LedgerError::corrupt(number, error));
        let decided = Decided::new(paid, bits(&stored.settled)?, bits(&stored.voided)?);
        Ok(HoldRow {
            chunk: ChunkId::new(number).ok_or(corrupt("chunk_id"))?,
            account: stored.account_id,
            topic: stored.topic,
            partition: stored.partition,
            source: stored.source_offset,
            request_hash: stored.request_hash.cast_unsigned(),
            prices,
            paid,
            cost: Money::new(stored.cost),
            decided: decided.map_err(LedgerError::l4(number))?,
            billed_at_ms: stored.billed_at_ms,
        })
    }
}

/// Books requests, in their order, inside the caller's transaction, whose positions have
/// moved already. One answer each.
///
/// Locks: ledger rows are only read (a chunk id that another partition books at this very
/// moment ends in a unique violation, and in the next try is a collision), then the
/// accounts in the order of their ids, until the transaction ends.
pub async fn book(connection: &mut PgConnection, requests: &[Request]) -> Result<Vec<Booked>, LedgerError> {
    let mut known = known(connection, requests).await?;
    let mut balances = lock_balances(connection, requests, &known).await?;
    let mut new: Vec<(&Request, Hold)> = Vec::with_capacity(requests.len());
    let mut taken: BTreeMap<i64, Money> = BTreeMap::new();
    let mut answers = Vec::with_capacity(requests.len());
    for request in requests {
        if let Some(hash) = known.get(&request.chunk) {
            let same = *hash == request.request_hash;
            answers.push(if same { Booked::Repetition } else { Booked::Collision });
            continue;
        }
        let Some(balance) = balances.get_mut(&request.account) else {
            answers.push(Booked::NoAccount);
            continue;
        };
        let hold = hold::decide(*balance, &request.prices);
        // Neither can fail: the cost is at most the balance, which fits.
        *balance = balance.checked_sub(hold.cost).unwrap_or(Money::ZERO);
        let sum = taken.entry(request.account).or_default();
        *sum = sum.checked_add(hold.cost).ok_or(LedgerError::TooMuch(request.account))?;
        known.insert(request.chunk, request.request_hash);
        answers.push(if hold.paid == 0 { Booked::Refused } else { Booked::Paid(hold.paid) });
        new.push((request, hold));
    }
    take_from_balances(connection, &taken).await?;
    insert(connection, &new).await?;
    Ok(answers)
}

/// Rows by chunk id, in the order of the ids; ids without a row are absent.
pub async fn read(connection: &mut PgConnection, chunks: &[ChunkId]) -> Result<Vec<HoldRow>, LedgerError> {
    let ids: Vec<i64> = chunks.iter().map(|chunk| chunk.get()).collect();
    let statement = format!("select {COLUMNS} from hold where chunk_id = any($1) order by chunk_id");
    let rows: Vec<StoredHold> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(ids).fetch_all(connection).await?;
    rows.into_iter().map(HoldRow::try_from).collect()
}

async fn known(
    connection: &mut PgConnection,
    requests: &[Request],
) -> Result<HashMap<ChunkId, u64>, LedgerError> {
    let ids: Vec<i64> = requests.iter().map(|request| request.chunk.get()).collect();
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("select chunk_id, request_hash from hold where chunk_id = any($1)")
            .bind(ids)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().filter_map(|(id, hash)| Some((ChunkId::new(id)?, hash.cast_unsigned()))).collect())
}

async fn lock_balances(
    connection: &mut PgConnection,
    requests: &[Request],
    known: &HashMap<ChunkId, u64>,
) -> Result<HashMap<i64, Money>, LedgerError> {
    let mut accounts: Vec<i64> = requests
        .iter()
        .filter(|request| !known.contains_key(&request.chunk))
        .map(|request| request.account)
        .collect();
    accounts.sort_unstable();
    accounts.dedup();
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("select id, balance from account where id = any($1) order by id for update")
            .bind(accounts)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(id, balance)| (id, Money::new(balance))).collect())
}

async fn take_from_balances(
    connection: &mut PgConnection,
    taken: &BTreeMap<i64, Money>,
) -> Result<(), LedgerError> {
    let taken: Vec<_> = taken.iter().filter(|(_, sum)| **sum > Money::ZERO).collect();
    if taken.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update account a set balance = balance - t.cost, held = held + t.cost
         from unnest($1::bigint[], $2::bigint[]) as t (id, cost) where a.id = t.id",
    )
    .bind(taken.iter().map(|(account, _)| **account).collect::<Vec<_>>())
    .bind(taken.iter().map(|(_, sum)| sum.get()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(connection: &mut PgConnection, new: &[(&Request, Hold)]) -> Result<(), LedgerError> {
    if new.is_empty() {
        return Ok(());
    }
    let numbers = |of: &dyn Fn(&Request, &Hold) -> i64| -> Vec<i64> {
        new.iter().map(|(request, hold)| of(request, hold)).collect()
    };
    // unnest would flatten arrays of arrays: prices travel as text and are cast.
    let prices: Vec<String> =
        new.iter().map(|(request, _)| array_literal(request.prices.distinct())).collect();
    sqlx::query(
        "insert into hold (chunk_id, account_id, topic, partition, source_offset, request_hash, size,
                           prices, price_index, paid, cost)
         select chunk, account, topic, partition, source, hash, size, prices::bigint[], price_index, paid, cost
         from unnest($1::bigint[], $2::bigint[], $3::text[], $4::integer[], $5::bigint[], $6::bigint[],
                     $7::smallint[], $8::text[], $9::bytea[], $10::smallint[], $11::bigint[])
              as n (chunk, account, topic, partition, source, hash, size, prices, price_index, paid, cost)",
    )
    .bind(numbers(&|request, _| request.chunk.get()))
    .bind(numbers(&|request, _| request.account))
    .bind(new.iter().map(|(request, _)| request.topic.as_str()).collect::<Vec<_>>())
    .bind(new.iter().map(|(request, _)| request.partition).collect::<Vec<_>>())
    .bind(numbers(&|request, _| request.source))
    .bind(numbers(&|request, _| request.request_hash.cast_signed()))
    .bind(new.iter().map(|(request, _)| small(request.prices.count())).collect::<Vec<_>>())
    .bind(prices)
    .bind(new.iter().map(|(request, _)| request.prices.index()).collect::<Vec<_>>())
    .bind(new.iter().map(|(_, hold)| small(usize::from(hold.paid))).collect::<Vec<_>>())
    .bind(numbers(&|_, hold| hold.cost.get()))
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts of messages end at 256.
fn small(count: usize) -> i16 {
    i16::try_from(count).unwrap_or(i16::MAX)
}

fn array_literal(prices: &[Money]) -> String {
    let units: Vec<String> = prices.iter().map(ToString::to_string).collect();
    format!("{{{}}}", units.join(","))
}
