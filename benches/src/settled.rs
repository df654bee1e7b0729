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

/// When everything was seen to be settled, and what was seen on the way.
pub(crate) struct Settled {
    pub(crate) at: Instant,
    /// What the accounts had at each look, held or not: settling alone makes it less.
    looks: Vec<(Instant, i64)>,
}

impl Settled {
    /// The look at which so many percent of all that was paid in the end had been settled;
    /// `before` is what the accounts had at first.
    pub(crate) fn percent_at(&self, percent: i64, before: i64) -> Instant {
        let paid = self.looks.last().map_or(0, |(_, have)| before - have);
        let mut enough = self.looks.iter().filter(|(_, have)| (before - have) * 100 >= paid * percent);
        enough.next().map_or(self.at, |(at, _)| *at)
    }
}

/// The balances of all accounts.
pub(crate) async fn balances(gateway: &Gateway, keys: &[String]) -> anyhow::Result<Vec<Balance>> {
    let mut balances = Vec::with_capacity(keys.len());
    for key in keys {
        balances.push(gateway.balance(key).await?);
    }
    Ok(balances)
}

/// Waits until nothing is held any more, and all of these calls were billed.
pub(crate) async fn wait(
    gateway: &Gateway,
    keys: &[String],
    batches: &[Batch],
    start: Instant,
    within: Duration,
) -> anyhow::Result<Settled> {
    let mut youngest: Vec<&Batch> = batches.iter().collect();
    // The ids rise with time and have the same length.
    youngest.sort_unstable_by(|a, b| b.accepted.batch_id.cmp(&a.accepted.batch_id));
    youngest.truncate(YOUNGEST);
    let mut looks = Vec::new();
    let mut ticks = interval(EVERY);
    for question in 1_u32.. {
        ticks.tick().await;
        let balances = balances(gateway, keys).await?;
        let held: i64 = balances.iter().map(|balance| balance.held).sum();
        let now = Instant::now();
        looks.push((now, held + balances.iter().map(|balance| balance.balance).sum::<i64>()));
        if held == 0 && all_final(gateway, keys, &youngest).await? {
            return Ok(Settled { at: now, looks });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_settled_before_all() {
        let start = Instant::now();
        let at = |quarter: u32| start + EVERY * quarter;
        // Of 1,000 rial 100 are paid in the end; the last two of them after a second's pause.
        let looks = [1_000, 960, 903, 902, 902, 900].into_iter().enumerate();
        let looks = looks.map(|(quarter, have)| (at(u32::try_from(quarter).unwrap_or(0)), have)).collect();
        let settled = Settled { at: at(5), looks };
        assert_eq!(
            [0, 40, 97, 98, 99, 100].map(|percent| settled.percent_at(percent, 1_000)),
            [0, 1, 2, 3, 5, 5].map(at)
        );
        // Everything was refunded: at no time was more paid than in the end.
        assert_eq!(Settled { at: at(1), looks: vec![(at(0), 7), (at(1), 7)] }.percent_at(98, 7), at(0));
        assert_eq!(Settled { at: at(1), looks: vec![] }.percent_at(98, 7), at(1));
    }
}
