//! A figure counts only if what was measured happened: every message of every call is
//! final, and the customers' books agree with what they were told.

use crate::bulk::Batch;
use crate::client::{Balance, Gateway};
use anyhow::{Context, ensure};
use std::collections::BTreeMap;

/// What became of the messages of the bulk calls.
pub(crate) struct Ends {
    /// How many have each status, those that nobody has left out.
    pub(crate) counts: BTreeMap<String, u64>,
    /// What was paid for them, without what came back.
    paid: i64,
}

/// Reads all reports.
pub(crate) async fn ends(gateway: &Gateway, keys: &[String], batches: &[Batch]) -> anyhow::Result<Ends> {
    let mut ends = Ends { counts: BTreeMap::new(), paid: 0 };
    for batch in batches {
        let (id, told) = (&batch.accepted.batch_id, &batch.accepted);
        let report = gateway.batch(&keys[batch.account], id).await?;
        let report = report.with_context(|| format!("the call {id} is not known"))?;
        ensure!(
            report.open() == 0 && report.messages == told.accepted && report.price == told.price,
            "the call {id} had {} messages for {} rial, now it has {} for {}, {} of them open",
            told.accepted,
            told.price,
            report.messages,
            report.price,
            report.open(),
        );
        ends.paid += report.price - report.refunded;
        for (status, count) in report.counts.into_iter().filter(|(_, count)| *count > 0) {
            *ends.counts.entry(status).or_default() += count;
        }
    }
    Ok(ends)
}

impl Ends {
    /// Checks that the accounts paid exactly that.
    pub(crate) fn check_paid(&self, before: &[Balance], after: &[Balance]) -> anyhow::Result<()> {
        let sum = |balances: &[Balance]| balances.iter().map(|balance| balance.balance).sum::<i64>();
        let paid = sum(before) - sum(after);
        ensure!(paid == self.paid, "the accounts paid {paid} rial, their messages cost {}", self.paid);
        Ok(())
    }
}
