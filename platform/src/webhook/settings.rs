//! Settings of calls to customers' endpoints.

use super::Networks;
use crate::config::Violations;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How customers' endpoints are called: section `webhooks`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    /// Networks that may be called besides the public internet, as CIDR; these also without TLS.
    pub allow: Vec<String>,
    /// How long making a connection may take, TLS included, in milliseconds.
    pub connect_timeout_ms: u64,
    /// How long a call may take in all, in milliseconds.
    pub call_timeout_ms: u64,
    /// Names resolved at once, each on a thread.
    pub look_ups: usize,
}

impl WebhookSettings {
    /// Collects what is out of range.
    pub fn check(&self, violations: &mut Violations) {
        violations.range("webhooks.call_timeout_ms", self.call_timeout_ms, 100..=60_000);
        violations.range("webhooks.connect_timeout_ms", self.connect_timeout_ms, 50..=self.call_timeout_ms);
        violations.range("webhooks.look_ups", self.look_ups, 1..=256);
        let networks = self.allow.iter().all(|network| network.parse::<IpNet>().is_ok());
        violations.require(
            networks,
            "webhooks.allow",
            "networks such as \"10.20.0.0/16\" or \"fd00:1::/64\"",
        );
    }

    /// What may be called.
    pub fn networks(&self) -> Networks {
        let allowed: Vec<IpNet> = self.allow.iter().filter_map(|network| network.parse().ok()).collect();
        Networks::new(&allowed)
    }

    /// How long a call may take in all.
    pub fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }
}
