//! The median rates of a scenario, kept for another one to be compared with.

use super::number::{Spread, per_second, thousands};
use crate::run::{BulkRun, MOST_PERCENT, Run};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Medians of the bulk calls' rates, in messages a second.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rates {
    /// The heading of the scenario.
    pub(super) title: String,
    /// From the first request to the last settled receipt.
    pub(super) settled: f64,
    /// Of the first part alone, see [`MOST_PERCENT`].
    pub(super) most_settled: f64,
}

impl Rates {
    /// Those of these runs.
    pub(crate) fn of(title: &str, runs: &[Run]) -> Self {
        let median = |rate: fn(&BulkRun) -> f64| {
            let rates = runs.iter().filter_map(|run| run.bulk.as_ref()).map(rate).collect();
            Spread::new(rates, thousands).median()
        };
        Rates {
            title: title.to_owned(),
            settled: median(BulkRun::settled_per_second),
            most_settled: median(BulkRun::most_settled_per_second),
        }
    }

    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        std::fs::write(path, serde_json::to_vec(self)?)
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let json = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_slice(&json).with_context(|| format!("{} holds no rates", path.display()))
    }
}

impl BulkRun {
    /// All messages, by the time until all of them were settled.
    pub(super) fn settled_per_second(&self) -> f64 {
        per_second(self.messages, self.settled)
    }

    /// The first [`MOST_PERCENT`] of them, by the time until those were settled.
    pub(super) fn most_settled_per_second(&self) -> f64 {
        per_second(self.messages * MOST_PERCENT.unsigned_abs() / 100, self.most_settled)
    }
}
