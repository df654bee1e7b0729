//! Settings of sending.

use domain::lane::Lane;
use platform::config::{Secret, Violation, Violations, check_range};
use platform::kafka::consumer::ConsumerLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings of the sender.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What one lane's consumer may have in hand.
    pub consumer: ConsumerLimits,
    /// Calls under way at the same time, for each lane by itself.
    pub calls_at_once: usize,
    /// Look-ups of unknown outcomes and polls under way at the same time, for each lane.
    pub questions_at_once: usize,
    /// How long after an unknown outcome the operator is asked, in milliseconds.
    pub look_up_after_ms: u64,
    /// How often a look-up that fails is tried before the message is left to its receipt.
    pub look_ups_max: u8,
    /// The first pause before a message is tried again, in milliseconds; doubled each time.
    pub retry_first_ms: u64,
    /// The longest pause before a message is tried again, in milliseconds.
    pub retry_longest_ms: u64,
    /// How often the positions are stored, in milliseconds.
    pub store_every_ms: u64,
    /// How often due receipts are looked for, in milliseconds.
    pub poll_look_ms: u64,
    /// Due chunks read at once, at most.
    pub poll_chunks: u32,
    /// A chunk that was asked about is asked about again only after its answer was taken
    /// in, or after so long, in milliseconds.
    pub poll_again_after_ms: u64,
    /// How long an express record waits for company before it is sent to Kafka, in
    /// milliseconds.
    pub linger_express_ms: u64,
    /// The same for standard.
    pub linger_standard_ms: u64,
    /// The same for bulk.
    pub linger_bulk_ms: u64,
    /// A lane that makes no progress for so long is not ready, in milliseconds.
    pub stale_after_ms: u64,
    /// The connector that each lane goes by.
    pub routes: Routes,
    /// The configured links to operators, by name.
    pub connectors: BTreeMap<String, MagfaSettings>,
}

/// The static table of routes: lane → connector.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// The connector of express messages.
    pub express: String,
    /// The connector of standard messages.
    pub standard: String,
    /// The connector of bulk messages.
    pub bulk: String,
}

impl Routes {
    /// The connector's name of a lane.
    pub fn of(&self, lane: Lane) -> &str {
        match lane {
            Lane::Express => &self.express,
            Lane::Standard => &self.standard,
            Lane::Bulk => &self.bulk,
        }
    }
}

/// A link to Magfa's HTTP API, version 2.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MagfaSettings {
    /// The address before `/send`, without a slash at its end.
    pub base_url: String,
    /// User name and domain, as `user/domain`.
    pub user: String,
    /// The password of the service (not of the panel).
    pub password: Secret,
    /// How long one call may take, in milliseconds, from first octet to last.
    pub call_timeout_ms: u64,
    /// Messages in one call at most: the operator takes 100.
    pub call_messages: usize,
}

impl Settings {
    /// How long a record of this lane waits for company.
    pub fn linger_ms(&self, lane: Lane) -> u64 {
        match lane {
            Lane::Express => self.linger_express_ms,
            Lane::Standard => self.linger_standard_ms,
            Lane::Bulk => self.linger_bulk_ms,
        }
    }

    /// Collects what is out of range, and routes that lead nowhere.
    pub fn check(&self, violations: &mut Violations) {
        violations.check(check_range("sender.calls_at_once", self.calls_at_once, 1..=256));
        violations.check(check_range("sender.questions_at_once", self.questions_at_once, 1..=64));
        violations.check(check_range("sender.poll_chunks", self.poll_chunks, 1..=5_000));
        violations.check(check_range("sender.store_every_ms", self.store_every_ms, 20..=5_000));
        for lane in Lane::ALL {
            let connector = self.routes.of(lane);
            if !self.connectors.contains_key(connector) {
                let known = self.connectors.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                let expected = format!("one of the connectors ({known}), is {connector}");
                violations.check(Err(Violation::new(format!("sender.routes.{lane}"), expected)));
            }
        }
        for (name, connector) in &self.connectors {
            let key = |setting: &str| format!("sender.connectors.{name}.{setting}");
            violations.check(check_range(&key("call_messages"), connector.call_messages, 1..=100));
            violations.check(check_range(&key("call_timeout_ms"), connector.call_timeout_ms, 100..=60_000));
            if !connector.base_url.starts_with("http://") && !connector.base_url.starts_with("https://") {
                violations.check(Err(Violation::new(key("base_url"), "an http or https address")));
            }
        }
    }
}
