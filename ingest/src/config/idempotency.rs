//! How requests with an `Idempotency-Key` are remembered.

use platform::config::Violations;
use serde::{Deserialize, Serialize};

/// How requests with an `Idempotency-Key` are remembered: section `ingest.idempotency`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IdempotencySettings {
    /// How long a key is kept, in hours.
    pub keep_hours: u16,
    /// Requests with a key that may be under way at once, of each lane; above it: 503.
    pub under_way: usize,
    /// Keys stored in one transaction at most.
    pub batch_keys: usize,
    /// How often old keys are looked for, in milliseconds.
    pub delete_every_ms: u64,
    /// How many of them are deleted each time at most: with `delete_every_ms`, the keys that may
    /// come in a second for long.
    pub delete_rows: u32,
    /// When stopping: how long it may take to store how the last requests ended, in milliseconds.
    /// Less than the budget of the phase flush.
    pub flush_ms: u64,
}

impl IdempotencySettings {
    pub(super) fn check(&self, violations: &mut Violations) {
        violations.range("ingest.idempotency.keep_hours", self.keep_hours, 1..=168);
        violations.range("ingest.idempotency.under_way", self.under_way, 1..=100_000);
        violations.range("ingest.idempotency.batch_keys", self.batch_keys, 1..=1_000);
        violations.range("ingest.idempotency.delete_every_ms", self.delete_every_ms, 100..=60_000);
        violations.range("ingest.idempotency.delete_rows", self.delete_rows, 1..=100_000);
        violations.range("ingest.idempotency.flush_ms", self.flush_ms, 10..=600_000);
    }
}
