//! An account's statement: what it paid in, and what came back to it.

use crate::LedgerError;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::money::Money;
use sqlx::PgConnection;

/// What an entry of a statement says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A top-up.
    Charge,
    /// Of messages that came to nothing: held → balance.
    Refund,
}

/// An entry of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementEntry {
    /// Its number, rising with time, but not strictly.
    pub id: i64,
    /// What it says.
    pub kind: EntryKind,
    /// Not negative.
    pub amount: Money,
    /// Of a refund: the chunk.
    pub chunk: Option<ChunkId>,
    /// Of a refund: the messages.
    pub messages: Bits,
    /// When it was booked, in microseconds since 1970.
    pub at_us: i64,
}

/// A part of a statement, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// The customer.
    pub account: i64,
    /// Only entries of this kind.
    pub kind: Option<EntryKind>,
    /// The earliest time, in microseconds since 1970.
    pub from_us: i64,
    /// Only what stands before this time and number. Years end at 9999.
    pub before: (i64, i64),
    /// Entries at most.
    pub limit: i64,
}

/// The end of the year 9999.
const LATEST_US: i64 = 253_402_300_800_000_000;

#[derive(sqlx::FromRow)]
struct Stored {
    id: i64,
    kind: String,
    amount: i64,
    chunk_id: Option<i64>,
    bits: Option<String>,
    at_us: i64,
}

impl EntryKind {
    const fn as_str(self) -> &'static str {
        match self {
            EntryKind::Charge => "charge",
            EntryKind::Refund => "void",
        }
    }
}

/// Reads entries by time and number, newest first.
pub async fn read(connection: &mut PgConnection, part: Part) -> Result<Vec<StatementEntry>, LedgerError> {
    let rows: Vec<Stored> = sqlx::query_as(
        "select id, kind, amount, chunk_id, bits::text as bits,
                (extract(epoch from at) * 1000000)::bigint as at_us
         from entry
         where account_id = $1 and kind <> 'settle' and ($2::text is null or kind = $2)
           and at >= timestamptz 'epoch' + $3::bigint * interval '1 microsecond'
           and (at, id) < (timestamptz 'epoch' + $4::bigint * interval '1 microsecond', $5)
         order by at desc, id desc limit $6",
    )
    .bind(part.account)
    .bind(part.kind.map(EntryKind::as_str))
    .bind(part.from_us.min(LATEST_US))
    .bind(part.before.0.min(LATEST_US))
    .bind(part.before.1)
    .bind(part.limit)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(StatementEntry::try_from).collect()
}

impl TryFrom<Stored> for StatementEntry {
    type Error = LedgerError;

    fn try_from(stored: Stored) -> Result<Self, Self::Error> {
        let number = stored.chunk_id.unwrap_or_default();
        let bits = stored.bits.as_deref().map(Bits::from_bit_string).transpose();
        Ok(StatementEntry {
            id: stored.id,
            kind: if stored.kind == "charge" { EntryKind::Charge } else { EntryKind::Refund },
            amount: Money::new(stored.amount),
            chunk: stored.chunk_id.and_then(ChunkId::new),
            messages: bits.map_err(|error| LedgerError::corrupt(number, error))?.unwrap_or(Bits::EMPTY),
            at_us: stored.at_us,
        })
    }
}
