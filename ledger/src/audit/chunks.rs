//! The checks of every chunk's row against its entries: L1, L3, L4 and S1.

use super::{Expect, Report};
use crate::LedgerError;
use crate::hold::{COLUMNS, HoldRow, StoredHold};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::invariant::Invariant;
use domain::money::Money;
use sqlx::PgConnection;
use std::collections::HashMap;

/// Chunks looked at together.
const PAGE: i64 = 2_000;

/// What the entries of one chunk add up to.
#[derive(Default)]
struct OfEntries {
    settled: Bits,
    voided: Bits,
    overlap: bool,
    wrong_amount: Option<String>,
}

pub(super) struct ChunkAudit<'a> {
    report: &'a mut Report,
    expect: Expect,
}

impl ChunkAudit<'_> {
    pub(super) async fn run(
        connection: &mut PgConnection,
        report: &mut Report,
        expect: Expect,
    ) -> Result<(), LedgerError> {
        let mut audit = ChunkAudit { report, expect };
        let mut after = 0_i64;
        loop {
            let statement =
                format!("select {COLUMNS} from hold where chunk_id > $1 order by chunk_id limit {PAGE}");
            let page: Vec<StoredHold> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
                .bind(after)
                .fetch_all(&mut *connection)
                .await?;
            // The last of the page, readable or not: nothing is passed over or read twice.
            let Some(last) = page.last() else { break };
            after = last.chunk_id;
            let rows = page.into_iter().map(HoldRow::try_from);
            let rows = rows.filter_map(|row| audit.readable(row)).collect::<Result<Vec<_>, _>>()?;
            let entries = entries(connection, &rows).await?;
            for row in &rows {
                audit.chunk(row, entries.get(&row.chunk));
            }
            audit.left_behind(connection, &rows).await?;
        }
        audit.orphans(connection).await
    }

    /// A row that breaks its rule is a violation and not the end of the audit.
    fn readable(&mut self, row: Result<HoldRow, LedgerError>) -> Option<Result<HoldRow, LedgerError>> {
        match row {
            Err(LedgerError::Corrupt { chunk, why }) => {
                self.report.violation(Invariant::L4, || format!("chunk {chunk}: {why}"));
                None
            }
            other => Some(other),
        }
    }

    fn chunk(&mut self, row: &HoldRow, entries: Option<&OfEntries>) {
        let chunk = row.chunk;
        for invariant in [Invariant::L1, Invariant::L3, Invariant::L4, Invariant::S1] {
            self.report.checked(invariant, 1);
        }
        let due = row.prices.cost_of(&Bits::prefix(usize::from(row.paid)));
        if due != row.cost {
            self.report.violation(Invariant::L1, || {
                format!("chunk {chunk} holds {}, its paid prefix costs {due}", row.cost)
            });
        }
        let empty = OfEntries::default();
        let entries = entries.unwrap_or(&empty);
        if let Some(what) = &entries.wrong_amount {
            self.report.violation(Invariant::L1, || format!("chunk {chunk}: {what}"));
        }
        if entries.overlap {
            self.report.violation(Invariant::L4, || format!("chunk {chunk}: a message is in two entries"));
        }
        if (row.decided.settled(), row.decided.voided()) != (entries.settled, entries.voided) {
            self.report
                .violation(Invariant::L4, || format!("chunk {chunk}: its maps are not those of its entries"));
        }
        let open = row.decided.undecided().len() as u64;
        self.report.in_flight += open;
        if open > 0 && self.expect == Expect::Quiescence {
            self.report.violation(Invariant::S1, || {
                format!("chunk {chunk}: {open} messages are neither settled nor voided")
            });
        }
    }

    /// Only what is final goes to history: its money must have ended, at any time.
    async fn left_behind(
        &mut self,
        connection: &mut PgConnection,
        rows: &[HoldRow],
    ) -> Result<(), LedgerError> {
        let open = rows.iter().filter(|row| !row.decided.undecided().is_empty());
        let open: Vec<i64> = open.map(|row| row.chunk.get()).collect();
        if open.is_empty() {
            return Ok(());
        }
        let moved: Vec<(i64,)> =
            sqlx::query_as("select chunk_id from history_chunk where chunk_id = any($1)")
                .bind(open)
                .fetch_all(connection)
                .await?;
        for (chunk,) in moved {
            self.report.violation(Invariant::S1, || {
                format!("chunk {chunk} is in history, and not all of its messages are settled or voided")
            });
        }
        Ok(())
    }

    /// Entries without a hold have no transfer that they could end.
    async fn orphans(&mut self, connection: &mut PgConnection) -> Result<(), LedgerError> {
        let orphans: Vec<(i64, i64)> = sqlx::query_as(
            "select id, chunk_id from entry e where chunk_id is not null
             and not exists (select from hold h where h.chunk_id = e.chunk_id) limit 1000",
        )
        .fetch_all(connection)
        .await?;
        for (id, chunk) in orphans {
            self.report
                .violation(Invariant::L4, || format!("entry {id} is of chunk {chunk}, which has no hold"));
        }
        Ok(())
    }
}

async fn entries(
    connection: &mut PgConnection,
    rows: &[HoldRow],
) -> Result<HashMap<ChunkId, OfEntries>, LedgerError> {
    let by_id: HashMap<i64, &HoldRow> = rows.iter().map(|row| (row.chunk.get(), row)).collect();
    let stored: Vec<(i64, i64, i64, String, i64, String)> = sqlx::query_as(
        "select id, chunk_id, account_id, kind, amount, bits::text from entry where chunk_id = any($1)",
    )
    .bind(by_id.keys().copied().collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut sums: HashMap<ChunkId, OfEntries> = HashMap::new();
    for (id, chunk, account, kind, amount, bits) in stored {
        let Some(row) = by_id.get(&chunk) else { continue };
        let bits = Bits::from_bit_string(&bits).map_err(|error| LedgerError::corrupt(chunk, error))?;
        let sum = sums.entry(row.chunk).or_default();
        sum.overlap |= !sum.settled.union(sum.voided).intersection(bits).is_empty();
        let map = if kind == "settle" { &mut sum.settled } else { &mut sum.voided };
        *map = map.union(bits);
        let due = row.prices.cost_of(&bits);
        if due != Money::new(amount) || account != row.account {
            sum.wrong_amount =
                Some(format!("entry {id} moves {amount} of account {account}; its messages cost {due}"));
        }
    }
    Ok(sums)
}
