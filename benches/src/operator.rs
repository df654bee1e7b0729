//! The simulated operator's control endpoint: what it counted, and the faults it is to make.

use crate::client::Gateway;
use anyhow::{Context, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// The control endpoint of one simulator.
pub(crate) struct Operator {
    client: reqwest::Client,
    url: String,
}

/// What an operator has seen: since it began, or in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Seen {
    /// Calls, or messages, that met a fault, by fault.
    faults: BTreeMap<String, u64>,
    /// Questions whether it knows a message.
    pub(crate) mid_calls: u64,
    /// Those that it answered with no.
    pub(crate) mids_unknown: u64,
    /// Messages that it was given again.
    pub(crate) repeated_uids: u64,
}

impl Operator {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Operator { client: Gateway::plain_client()?, url: url.trim_end_matches('/').to_owned() })
    }

    /// What it has counted so far.
    pub(crate) async fn seen(&self) -> anyhow::Result<Seen> {
        let response = self.client.get(format!("{}/control/stats", self.url)).send().await;
        let body = response.context("the operator's counters")?.error_for_status()?.bytes().await?;
        serde_json::from_slice(&body).context("the operator's counters are not what was expected")
    }

    /// Sets these fault rules (a JSON array) in place of all that are in force.
    pub(crate) async fn set_faults(&self, rules: &str) -> anyhow::Result<()> {
        let request = self.client.put(format!("{}/control/faults", self.url)).body(rules.to_owned());
        let response = request.send().await.context("the operator's faults")?;
        let (status, body) = (response.status(), response.text().await.unwrap_or_default());
        ensure!(status.is_success(), "the operator does not take these faults: {body}");
        Ok(())
    }
}

impl Seen {
    /// How often a fault was applied.
    pub(crate) fn faulted(&self) -> u64 {
        self.faults.values().sum()
    }

    /// What came since.
    pub(crate) fn since(&self, before: &Seen) -> Seen {
        let less = |now: u64, before: u64| now.saturating_sub(before);
        let faults = self.faults.iter().map(|(fault, count)| {
            (fault.clone(), less(*count, before.faults.get(fault).copied().unwrap_or(0)))
        });
        Seen {
            faults: faults.collect(),
            mid_calls: less(self.mid_calls, before.mid_calls),
            mids_unknown: less(self.mids_unknown, before.mids_unknown),
            repeated_uids: less(self.repeated_uids, before.repeated_uids),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_came_in_between() {
        let read = |json| serde_json::from_str::<Seen>(json).unwrap();
        // Of a simulator, with counters that are nothing to us.
        let before = read(
            r#"{"calls":9,"faults":{"error_500_after":3},"mid_calls":10,"mids_unknown":1,"repeated_uids":2}"#,
        );
        let after = read(
            r#"{"calls":99,"faults":{"error_500_after":5,"throttle":4},"mid_calls":30,"mids_unknown":1,"repeated_uids":5}"#,
        );
        let between = after.since(&before);
        assert_eq!(between.faulted(), 6);
        assert_eq!((between.mid_calls, between.mids_unknown, between.repeated_uids), (20, 0, 3));
    }
}
