//! Settings of billing.

use platform::config::{Violations, check_range};
use platform::kafka::consumer::ConsumerLimits;
use serde::{Deserialize, Serialize};

/// Settings of billing, the same for every lane.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What one lane's consumer may have in hand.
    pub consumer: ConsumerLimits,
    /// Chunks in one transaction at most.
    pub batch_chunks: usize,
    /// Records of a partition that are billed but not yet acknowledged in sms.billed, at
    /// most: billing of the partition waits there.
    pub unacknowledged_records: usize,
    /// How long an express record waits for company before it is sent to Kafka, in
    /// milliseconds.
    pub linger_express_ms: u64,
    /// The same for standard.
    pub linger_standard_ms: u64,
    /// The same for bulk.
    pub linger_bulk_ms: u64,
    /// For how many days ahead the ledger has ranges.
    pub ledger_days_ahead: u16,
    /// A lane that makes no progress for so long is not ready, in milliseconds.
    pub stale_after_ms: u64,
}

impl Settings {
    /// Collects what is out of range.
    pub fn check(&self, violations: &mut Violations) {
        violations.check(check_range("billing_consumer.batch_chunks", self.batch_chunks, 1..=2_000));
        violations.check(check_range(
            "billing_consumer.unacknowledged_records",
            self.unacknowledged_records,
            1..=1_000,
        ));
        violations.check(check_range("billing_consumer.ledger_days_ahead", self.ledger_days_ahead, 1..=60));
    }
}
