//! Settings of sending.

use crate::courtesy::CourtesySettings;
use domain::lane::Lane;
use platform::config::{Secret, Violation, Violations, check_range};
use platform::kafka::consumer::ConsumerLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Octets of a connector's name at most.
const NAME_OCTETS_MAX: usize = 32;

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
    /// Tries in vain after which a message is a dead letter. An operator's "too much" is none.
    pub tries_max: u8,
    /// A chunk that only waits, and longer than this, is kept in the table `deferred`, in
    /// milliseconds.
    pub defer_after_ms: u64,
    /// How often that table is looked into for what is due, in milliseconds.
    pub deferred_look_ms: u64,
    /// Chunks of it in hand at most, for each lane.
    pub deferred_in_hand: usize,
    /// Rows of it at most, for each partition of a lane: then the partition waits.
    pub deferred_rows_max: u32,
    /// Octets of their records at most, for each partition of a lane.
    pub deferred_octets_max: u64,
    /// How often the positions are stored, in milliseconds.
    pub store_every_ms: u64,
    /// How often due receipts are looked for, in milliseconds.
    pub poll_look_ms: u64,
    /// Due chunks read at once, at most.
    pub poll_chunks: u32,
    /// A chunk that was asked about is asked about again only after its answer was taken
    /// in, or after so long, in milliseconds.
    pub poll_again_after_ms: u64,
    /// A chunk about which the operator could not be asked is asked about again after so long,
    /// in milliseconds.
    pub poll_failed_again_ms: u64,
    /// How long after its `send_by` an operator is asked about a message at most, in seconds:
    /// then only a receipt can tell.
    pub look_up_longest_s: u32,
    /// How long an express record waits for company before it is sent to Kafka, in
    /// milliseconds.
    pub linger_express_ms: u64,
    /// The same for standard.
    pub linger_standard_ms: u64,
    /// The same for bulk.
    pub linger_bulk_ms: u64,
    /// A lane that makes no progress for so long is not ready, in milliseconds.
    pub stale_after_ms: u64,
    /// What is asked before a message is sent.
    pub courtesy: CourtesySettings,
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
    /// How fast it is fed, and when it is left alone.
    #[serde(default)]
    pub limits: ConnectorLimits,
}

/// How fast an operator is fed, and when it is left alone. All processes together keep its
/// rate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConnectorLimits {
    /// Messages a second, of all processes and lanes together; 0: as many as it takes.
    pub messages_per_second: u32,
    /// Look-ups of unknown outcomes a second, for each process.
    pub look_ups_per_second: u32,
    /// How long after it took a message the operator can be asked about it, in seconds.
    pub remembers_s: u32,
    /// Calls in a row without an answer before it is only probed.
    pub breaker_failures: u32,
    /// How long it is left alone before the first probe, in milliseconds; doubled each time
    /// that one fails.
    pub breaker_first_ms: u64,
    /// How long it is left alone at most, in milliseconds.
    pub breaker_longest_ms: u64,
}

impl Default for ConnectorLimits {
    fn default() -> Self {
        ConnectorLimits {
            messages_per_second: 0,
            look_ups_per_second: 50,
            remembers_s: 86_400,
            breaker_failures: 5,
            breaker_first_ms: 1_000,
            breaker_longest_ms: 30_000,
        }
    }
}

impl ConnectorLimits {
    /// Messages a second; nothing: as many as it takes.
    pub fn permitted(&self) -> Option<f64> {
        (self.messages_per_second > 0).then_some(f64::from(self.messages_per_second))
    }

    fn check(&self, key: &impl Fn(&str) -> String, violations: &mut Violations) {
        let key = |setting: &str| key(&format!("limits.{setting}"));
        violations.check(check_range(&key("messages_per_second"), self.messages_per_second, 0..=1_000_000));
        violations.check(check_range(&key("look_ups_per_second"), self.look_ups_per_second, 1..=10_000));
        violations.check(check_range(&key("remembers_s"), self.remembers_s, 60..=2_592_000));
        violations.check(check_range(&key("breaker_failures"), self.breaker_failures, 1..=1_000));
        violations.check(check_range(&key("breaker_first_ms"), self.breaker_first_ms, 50..=60_000));
        let longest = self.breaker_first_ms..=3_600_000;
        violations.check(check_range(&key("breaker_longest_ms"), self.breaker_longest_ms, longest));
    }
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
        violations.check(check_range("sender.look_up_longest_s", self.look_up_longest_s, 60..=604_800));
        violations.check(check_range(
            "sender.poll_failed_again_ms",
            self.poll_failed_again_ms,
            100..=600_000,
        ));
        for (lane, linger_ms) in Lane::ALL.map(|lane| (lane, self.linger_ms(lane))) {
            violations.check(check_range(&format!("sender.linger_{lane}_ms"), linger_ms, 0..=5_000));
        }
        violations.check(check_range("sender.poll_chunks", self.poll_chunks, 1..=5_000));
        violations.check(check_range("sender.store_every_ms", self.store_every_ms, 20..=5_000));
        violations.check(check_range("sender.tries_max", self.tries_max, 1..=100));
        violations.check(check_range("sender.defer_after_ms", self.defer_after_ms, 100..=600_000));
        violations.check(check_range("sender.deferred_look_ms", self.deferred_look_ms, 50..=60_000));
        violations.check(check_range("sender.deferred_in_hand", self.deferred_in_hand, 1..=10_000));
        violations.check(check_range("sender.deferred_rows_max", self.deferred_rows_max, 1..=10_000_000));
        violations.check(check_range(
            "sender.deferred_octets_max",
            self.deferred_octets_max,
            1 << 20..=1 << 40,
        ));
        self.courtesy.check(violations);
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
            // It stands in records and rows.
            let plain = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_';
            if !(1..=NAME_OCTETS_MAX).contains(&name.len()) || !name.bytes().all(plain) {
                let expected = "a name of 1 to 32 small letters, digits and underscores";
                violations.check(Err(Violation::new(format!("sender.connectors.{name}"), expected)));
            }
            violations.check(check_range(&key("call_messages"), connector.call_messages, 1..=100));
            violations.check(check_range(&key("call_timeout_ms"), connector.call_timeout_ms, 100..=60_000));
            connector.limits.check(&key, violations);
            if !connector.base_url.starts_with("http://") && !connector.base_url.starts_with("https://") {
                violations.check(Err(Violation::new(key("base_url"), "an http or https address")));
            }
        }
    }
}
