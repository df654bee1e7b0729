//! Checking the books: L1 to L5, O2 and S1, in one snapshot of a live system.
//!
//! Each check computes from the immutable rows what the changing rows must say, with the
//! same pure functions that decided when the rows were written.

mod chunks;

use crate::LedgerError;
use chunks::ChunkAudit;
use domain::invariant::Invariant;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;

/// Violations named one by one at most; beyond that they are only counted.
const NAMED_MAX: usize = 20;

/// What was found about one invariant.
#[derive(Clone, Debug, Default)]
pub struct Finding {
    /// How many rows, offsets or accounts were looked at.
    pub checked: u64,
    /// How many of them break the invariant.
    pub violations: u64,
    /// How many could not be looked at, because what they are judged by is not kept any more.
    pub unchecked: u64,
    /// The first of them, in words.
    pub named: Vec<String>,
}

/// What an audit found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By invariant.
    pub findings: BTreeMap<Invariant, Finding>,
    /// Messages paid for that are not final yet.
    pub in_flight: u64,
    /// Records that wait for a person.
    pub parked: u64,
}

impl Report {
    /// Counts what was looked at.
    pub fn checked(&mut self, invariant: Invariant, count: u64) {
        self.findings.entry(invariant).or_default().checked += count;
    }

    /// Counts what could not be looked at.
    pub fn unchecked(&mut self, invariant: Invariant, count: u64) {
        self.findings.entry(invariant).or_default().unchecked += count;
    }

    /// Takes a violation in.
    pub fn violation(&mut self, invariant: Invariant, what: impl FnOnce() -> String) {
        let finding = self.findings.entry(invariant).or_default();
        finding.violations += 1;
        if finding.named.len() < NAMED_MAX {
            finding.named.push(what());
        }
    }

    /// Whether nothing is broken.
    pub fn is_clean(&self) -> bool {
        self.findings.values().all(|finding| finding.violations == 0)
    }
}

/// What must hold now for S1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Messages may be in flight: they are counted.
    Traffic,
    /// Nothing is in flight any more: what is paid for is settled or voided.
    Quiescence,
}

/// Audits the books in one snapshot. Reads every row: takes time on large books, and
/// disturbs nobody.
pub async fn run(connection: &mut PgConnection, expect: Expect) -> Result<Report, LedgerError> {
    let mut transaction = connection.begin_with("begin isolation level repeatable read read only").await?;
    sqlx::raw_sql("set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0")
        .execute(&mut *transaction)
        .await?;
    let mut report = Report::default();
    ChunkAudit::run(&mut transaction, &mut report, expect).await?;
    accounts(&mut transaction, &mut report).await?;
    totals(&mut transaction, &mut report).await?;
    sources(&mut transaction, &mut report).await?;
    positions(&mut transaction, &mut report).await?;
    let (parked,): (i64,) =
        sqlx::query_as("select count(*) from parked").fetch_one(&mut *transaction).await?;
    report.parked = parked.unsigned_abs();
    transaction.rollback().await?;
    Ok(report)
}

/// L2 and L5: every account row is what its entries say, and never negative. A hold or an
/// entry of an account that does not exist is a difference too.
async fn accounts(connection: &mut PgConnection, report: &mut Report) -> Result<(), LedgerError> {
    // Sums over the years may pass 63 bits: they stay numeric and are compared as text.
    let rows: Vec<(i64, i64, i64, String, String)> = sqlx::query_as(
        "select coalesce(a.id, h.account_id, e.account_id), coalesce(a.balance, 0), coalesce(a.held, 0),
                (coalesce(e.charged, 0) - coalesce(h.cost, 0) + coalesce(e.voided, 0))::text,
                (coalesce(h.cost, 0) - coalesce(e.settled, 0) - coalesce(e.voided, 0))::text
         from account a
         full join (select account_id, sum(cost) as cost from hold group by 1) h on h.account_id = a.id
         full join (select account_id,
                           sum(amount) filter (where kind = 'charge') as charged,
                           sum(amount) filter (where kind = 'settle') as settled,
                           sum(amount) filter (where kind = 'void') as voided
                    from entry group by 1) e on e.account_id = coalesce(a.id, h.account_id)",
    )
    .fetch_all(connection)
    .await?;
    for (id, balance, held, balance_due, held_due) in rows {
        report.checked(Invariant::L2, 1);
        report.checked(Invariant::L5, 1);
        if (balance.to_string(), held.to_string()) != (balance_due.clone(), held_due.clone()) {
            report.violation(Invariant::L2, || {
                format!("account {id} has balance {balance} held {held}; its entries say {balance_due} and {held_due}")
            });
        }
        if balance < 0 || held < 0 {
            report.violation(Invariant::L5, || format!("account {id} has balance {balance} held {held}"));
        }
    }
    Ok(())
}

/// L1: what is in all accounts, revenue included, is what was charged.
async fn totals(connection: &mut PgConnection, report: &mut Report) -> Result<(), LedgerError> {
    let (inside, charged): (String, String) = sqlx::query_as(
        "select ((select coalesce(sum(balance) + sum(held), 0) from account)
                 + (select coalesce(sum(amount), 0) from entry where kind = 'settle'))::text,
                (select coalesce(sum(amount), 0) from entry where kind = 'charge')::text",
    )
    .fetch_one(connection)
    .await?;
    report.checked(Invariant::L1, 1);
    if inside != charged {
        report.violation(Invariant::L1, || format!("all accounts hold {inside}, charged were {charged}"));
    }
    Ok(())
}

/// L3: no record was billed twice, and none came with the id of another.
async fn sources(connection: &mut PgConnection, report: &mut Report) -> Result<(), LedgerError> {
    let twice: Vec<(String, i32, i64, i64)> = sqlx::query_as(
        "select topic, partition, source_offset, count(*) from hold
         group by 1, 2, 3 having count(*) > 1 limit 1000",
    )
    .fetch_all(&mut *connection)
    .await?;
    for (topic, partition, offset, count) in twice {
        report.violation(Invariant::L3, || format!("{topic}/{partition}@{offset} was billed {count} times"));
    }
    let collisions: Vec<(Option<i64>, String, i32, i64)> = sqlx::query_as(
        "select chunk_id, topic, partition, source_offset from parked where reason = 'collision' limit 1000",
    )
    .fetch_all(connection)
    .await?;
    for (chunk, topic, partition, offset) in collisions {
        let chunk = chunk.unwrap_or_default();
        report.violation(Invariant::L3, || {
            format!("chunk {chunk} came again with another content at {topic}/{partition}@{offset}")
        });
    }
    Ok(())
}

/// O2: nothing is published that is not billed.
async fn positions(connection: &mut PgConnection, report: &mut Report) -> Result<(), LedgerError> {
    let rows: Vec<(String, i32, i64, i64)> = sqlx::query_as(
        "select topic, partition, next_offset, published from position where role = 'billing-consumer'",
    )
    .fetch_all(connection)
    .await?;
    for (topic, partition, next_offset, published) in rows {
        report.checked(Invariant::O2, 1);
        if published > next_offset {
            report.violation(Invariant::O2, || {
                format!("{topic}/{partition}: published {published}, billed only below {next_offset}")
            });
        }
    }
    Ok(())
}
