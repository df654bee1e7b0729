//! An account's transactions, newest first: what was paid in and what was refunded stands in
//! the books by the time it was booked; what was spent stands where its chunk was submitted, as
//! its messages do, one for each chunk.

use domain::id::ChunkId;
use domain::money::Money;
use domain::status::Status;
use domain::time::UnixMillis;
use ledger::hold;
use ledger::statement::{EntryKind, Part, StatementEntry};
use sqlx::PgConnection;

use super::list::{Filter, StatusSet, newest_chunks};
use super::rows::{corrupt, load_campaigns, snapshot};
use super::{Reader, ReportError};

/// What a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Charge,
    Deduction,
    Refund,
}

/// The place of a transaction among an account's: by time in microseconds; of one moment what
/// was spent stands behind what was booked, each by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) at_us: i64,
    pub(crate) booked: bool,
    pub(crate) number: i64,
}

/// One transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) place: Place,
    pub(crate) kind: Kind,
    /// Negative where it was spent.
    pub(crate) amount: Money,
    /// Messages it is about.
    pub(crate) messages: u64,
    /// The first message it is about.
    pub(crate) first_id: Option<i64>,
    pub(crate) campaign: Option<i64>,
}

/// Which transactions are listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) account: i64,
    pub(crate) kind: Option<Kind>,
    pub(crate) from: UnixMillis,
    pub(crate) to: UnixMillis,
    /// Only those before this one.
    pub(crate) before: Option<Place>,
}

/// Up to `limit` transactions, and whether there are more.
pub(crate) async fn statement(
    reader: &Reader,
    asked: Asked,
    limit: usize,
) -> Result<(Vec<Transaction>, bool), ReportError> {
    reader
        .pool()
        .within(async |connection| {
            let mut snapshot = snapshot(connection).await?;
            let mut all = Vec::new();
            if asked.kind.is_none_or(|kind| kind != Kind::Deduction) {
                all.extend(entries(&mut snapshot, asked, limit + 1).await?);
            }
            if asked.kind.is_none_or(|kind| kind == Kind::Deduction) {
                all.extend(deductions(&mut snapshot, asked, limit + 1).await?);
            }
            all.sort_unstable_by_key(|one| std::cmp::Reverse(one.place));
            let more = all.len() > limit;
            all.truncate(limit);
            with_campaigns(&mut snapshot, asked.account, &mut all).await?;
            snapshot.commit().await?;
            Ok((all, more))
        })
        .await
}

async fn entries(
    connection: &mut PgConnection,
    asked: Asked,
    most: usize,
) -> Result<Vec<Transaction>, ReportError> {
    let end = (asked.to.0.saturating_mul(1_000), i64::MIN);
    let before = match asked.before {
        Some(Place { at_us, booked: true, number }) => (at_us, number),
        // What was spent in a moment stands behind what was booked in it.
        Some(Place { at_us, .. }) => (at_us, i64::MIN),
        None => end,
    };
    let part = Part {
        account: asked.account,
        kind: match asked.kind {
            Some(Kind::Charge) => Some(EntryKind::Charge),
            Some(Kind::Refund) => Some(EntryKind::Refund),
            Some(Kind::Deduction) | None => None,
        },
        from_us: asked.from.0.saturating_mul(1_000),
        before: before.min(end),
        limit: i64::try_from(most).unwrap_or(i64::MAX),
    };
    let entries = ledger::statement::read(connection, part).await?;
    Ok(entries.into_iter().map(Transaction::from).collect())
}

impl From<StatementEntry> for Transaction {
    fn from(entry: StatementEntry) -> Self {
        let first = entry.chunk.zip(entry.messages.iter().next());
        Transaction {
            place: Place { at_us: entry.at_us, booked: true, number: entry.id },
            kind: match entry.kind {
                EntryKind::Charge => Kind::Charge,
                EntryKind::Refund => Kind::Refund,
            },
            amount: entry.amount,
            messages: entry.messages.len() as u64,
            first_id: first.map(|(chunk, index)| chunk.message(index).get()),
            campaign: None,
        }
    }
}

/// What the chunks cost that were submitted in that time, and of which anything was paid for.
async fn deductions(
    connection: &mut PgConnection,
    asked: Asked,
    most: usize,
) -> Result<Vec<Transaction>, ReportError> {
    let mut filter = Filter::of(asked.account, asked.from, asked.to);
    filter.statuses = StatusSet::of(Status::ALL.into_iter().filter(|status| *status != Status::Refused));
    let before = asked.before.map(|place| match place {
        Place { booked: false, number, .. } => number,
        // Of the same moment too.
        Place { at_us, .. } => ChunkId::floor(UnixMillis(at_us.div_euclid(1_000).saturating_add(1))),
    });
    let chunks = newest_chunks(connection, &filter, before, most).await?;
    let chunks: Vec<ChunkId> = chunks.into_iter().filter_map(ChunkId::new).collect();
    let mut spent = Vec::with_capacity(chunks.len());
    for row in hold::read(connection, &chunks).await? {
        let amount = Money::ZERO.checked_sub(row.cost);
        spent.push(Transaction {
            place: Place {
                at_us: row.chunk.minted_at().0.saturating_mul(1_000),
                booked: false,
                number: row.chunk.get(),
            },
            kind: Kind::Deduction,
            amount: amount.ok_or_else(|| corrupt(row.chunk, "its cost is beyond 63 bits"))?,
            messages: row.paid.into(),
            first_id: Some(row.chunk.get()),
            campaign: None,
        });
    }
    Ok(spent)
}

async fn with_campaigns(
    connection: &mut PgConnection,
    account: i64,
    transactions: &mut [Transaction],
) -> Result<(), ReportError> {
    let chunks = transactions.iter().filter_map(|transaction| transaction.first_id.map(|id| id & !0xFF));
    let campaigns = load_campaigns(connection, account, &chunks.collect::<Vec<_>>()).await?;
    for transaction in transactions {
        let chunk = transaction.first_id.map(|id| id & !0xFF);
        transaction.campaign = chunk.and_then(|chunk| campaigns.get(&chunk).copied());
    }
    Ok(())
}
