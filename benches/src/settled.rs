//! The end of a run: every message is final.
//!
//! An account's `held` is zero exactly when everything that was billed is settled or voided.
//! That is one cheap question an account; whether everything was billed is asked, of the
//! youngest calls, only where it is zero.

use crate::bulk::Batch;
use crate::client::{Balance, Gateway};
use anyhow::bail;
use std::io::Write;
use std::time::Duration;
use tokio::time::{Instant, interval};

/// How often accounts are asked.
const EVERY: Duration = Duration::from_millis(250);
/// How many of the youngest calls are asked about: more than may be under way at once.
const YOUNGEST: usize = 16;
/// A line of progress comes with every so many questions.
const LINE_EVERY: u32 = 20;

/// The balances of all accounts.
pub(crate) async fn balances(gateway: &Gateway, keys: &[String]) -> anyhow::Result<Vec<Balance>> {
    let mut balances = Vec::with_capacity(keys.len());
    for key in keys {
        balances.push(gateway.balance(key).await?);
    }
    Ok(balances)
}

/// Waits until nothing is held any more, and all of these calls were billed; returns when
/// that was seen.
pub(crate) async fn wait(
    gateway: &Gateway,
    keys: &[String],
    batches: &[Batch],
    start: Instant,
    within: Duration,
) -> anyhow::Result<Instant> {
    let mut youngest: Vec<&Batch> = batches.iter().collect();
    // The ids rise with time and have the same length.
    youngest.sort_unstable_by(|a, b| b.accepted.batch_id.cmp(&a.accepted.batch_id));
    youngest.truncate(YOUNGEST);
    let mut ticks = interval(EVERY);
    for question in 1_u32.. {
        ticks.tick().await;
        let held: i64 = balances(gateway, keys).await?.iter().map(|balance| balance.held).sum();
        let now = Instant::now();
        if held == 0 && all_final(gateway, keys, &youngest).await? {
            return Ok(now);
        }
        if now - start > within {
            bail!("{held} rial are still held {} s after the first request", (now - start).as_secs());
        }
        if question.is_multiple_of(LINE_EVERY) {
            progress(&format!("{} s: {held} rial held", (now - start).as_secs()));
        }
    }
    bail!("never settled")
}

async fn all_final(gateway: &Gateway, keys: &[String], batches: &[&Batch]) -> anyhow::Result<bool> {
    for batch in batches {
        match gateway.batch(&keys[batch.account], &batch.accepted.batch_id).await? {
            Some(report) if report.open() == 0 => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// A line on stderr for who waits.
pub(crate) fn progress(line: &str) {
    let _ = writeln!(std::io::stderr(), "  {line}");
}
