//! Settings of whether the balance covers a call.

use domain::lane::Lane;
use platform::config::Violations;
use serde::{Deserialize, Serialize};

use super::ByLane;

/// Whether the balance covers a call: section `ingest.funds`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FundsSettings {
    /// How often the balances of accounts seen lately are read, in milliseconds.
    pub refresh_ms: u64,
    /// Accounts whose balances are kept, at most; above it, where none of them is idle: 503.
    pub accounts: usize,
    /// An account that asked for nothing for so long is forgotten, in milliseconds: its next call
    /// costs one query.
    pub idle_ms: u64,
    /// Chunks promised and not yet billed, at most; above it: 503.
    pub promised_chunks: usize,
    /// How often the ledger is asked for verdicts while calls wait for them, in milliseconds.
    pub verdict_look_ms: u64,
    /// How long a call waits for its verdict, in milliseconds; then it is accepted, and may still
    /// be refused.
    pub verdict_ms: u64,
    /// Chunks that wait for a verdict, at most; above it: 503.
    pub waiting_chunks: usize,
    /// While Postgres does not answer: how long express goes on with what was read last, in
    /// milliseconds. After that no call waits for a query either.
    pub stale_ms: u64,
    /// How long what was sent before may wait for billing, in milliseconds; above it: 503.
    pub behind_ms: ByLane<u64>,
}

impl FundsSettings {
    pub(super) fn check(&self, violations: &mut Violations) {
        violations.range("ingest.funds.refresh_ms", self.refresh_ms, 20..=5_000);
        violations.range("ingest.funds.accounts", self.accounts, 10..=1_000_000);
        violations.range("ingest.funds.idle_ms", self.idle_ms, self.refresh_ms..=600_000);
        violations.range("ingest.funds.promised_chunks", self.promised_chunks, 1_000..=10_000_000);
        violations.range("ingest.funds.verdict_look_ms", self.verdict_look_ms, 1..=1_000);
        violations.range("ingest.funds.verdict_ms", self.verdict_ms, self.verdict_look_ms..=30_000);
        violations.range("ingest.funds.waiting_chunks", self.waiting_chunks, 1..=100_000);
        violations.range("ingest.funds.stale_ms", self.stale_ms, self.refresh_ms + 1..=60_000);
        for lane in Lane::ALL {
            let key = format!("ingest.funds.behind_ms.{lane}");
            violations.range(&key, self.behind_ms.of(lane), 500..=86_400_000);
        }
    }
}
