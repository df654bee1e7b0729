//! How long each phase may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Phase;
use crate::config::Violations;

/// The settings of the shutdown: the longest time of each phase, in milliseconds. Their sum should be less
/// than what the supervisor waits before SIGKILL.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    /// Requests in flight are answered.
    pub stop_accepting_ms: u64,
    /// Consumers finish what they hold.
    pub drain_ms: u64,
    /// Producers deliver what they hold.
    pub flush_ms: u64,
    /// Partitions and node number are given back.
    pub release_ms: u64,
    /// Connections and the management port close.
    pub close_ms: u64,
}

impl Budgets {
    /// The longest time of `phase`.
    pub fn of(&self, phase: Phase) -> Duration {
        Duration::from_millis(match phase {
            Phase::StopAccepting => self.stop_accepting_ms,
            Phase::Drain => self.drain_ms,
            Phase::Flush => self.flush_ms,
            Phase::Release => self.release_ms,
            Phase::Close => self.close_ms,
        })
    }

    /// Each budget is from 10 ms to 10 minutes. `section` is the name of the section, for the messages.
    pub fn check(&self, section: &str, violations: &mut Violations) {
        for phase in Phase::ALL {
            let budget_ms = u64::try_from(self.of(phase).as_millis()).unwrap_or(u64::MAX);
            violations.range(&format!("{section}.{phase}_ms"), budget_ms, 10..=600_000);
        }
    }
}
