//! Settings of the reconciler.

use crate::schedule::Schedule;
use domain::lane::Lane;
use domain::status::Costs;
use platform::config::Violations;
use platform::kafka::consumer::ConsumerLimits;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// Chunks in one transaction at most, whatever is set: a longer one holds accounts too long.
const CHUNKS_MAX: usize = 500;

/// Settings of the reconciler.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What one worker's consumer may have in hand (there is one a lane, and one for
    /// receipts). At half of it everything is stored at once.
    pub consumer: ConsumerLimits,
    /// Chunks in one transaction at most. (A single record of more chunks is stored alone.)
    pub chunks_per_transaction: usize,
    /// How long a billed record waits for company before its content is stored, in
    /// milliseconds: messages are shown to customers from then on.
    pub content_flush_ms: u64,
    /// How long outcomes of express messages are merged in memory before they are stored,
    /// in milliseconds.
    pub express_flush_ms: u64,
    /// The same for standard.
    pub standard_flush_ms: u64,
    /// The same for bulk.
    pub bulk_flush_ms: u64,
    /// The same for receipts, of whatever lane.
    pub receipts_flush_ms: u64,
    /// How often receipts that came before their chunk are looked at again, in milliseconds.
    pub pending_every_ms: u64,
    /// How long receipts wait that match nothing, in hours: then they are deleted.
    pub pending_keep_hours: u32,
    /// The connectors of which each message is kept under the operator's own id, for receipts that
    /// come with that id alone.
    pub operator_ids: BTreeSet<String>,
    /// When an operator is asked for receipts: seconds after it took the first message of a
    /// chunk that is still open, rising. After the last, the last is repeated as an interval.
    pub poll_schedule_s: Vec<u32>,
    /// An operator is not asked later than so many seconds after it took the message, and its
    /// answers are waited for so long after the time by which a message had to be sent.
    pub poll_window_s: u32,
    /// The longest pause after a transaction that failed, in milliseconds.
    pub retry_longest_ms: u64,
    /// A worker that makes no progress for so long is not ready, in milliseconds.
    pub stale_after_ms: u64,
    /// What each final status costs.
    pub costs: Costs,
    /// How what nobody answers comes to an end.
    pub sweep: SweepSettings,
    /// How finished chunks go to history.
    pub history: HistorySettings,
    /// How customers' endpoints are told what became of messages.
    pub webhooks: WebhookDelivery,
}

/// How what nobody answers comes to an end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepSettings {
    /// How often the next chunks that await receipts are looked at, in milliseconds.
    pub every_ms: u64,
    /// How many are looked at together, at most.
    pub look_chunks: u32,
    /// How long after `send_by` and `poll_window_s` messages end although it cannot be known
    /// whether the operator would have answered, in seconds.
    pub hard_cap_s: u32,
}

/// How finished chunks go to history.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistorySettings {
    /// How long chunks stay open after their last message ended, in seconds.
    pub after_s: u32,
    /// How often finished ones are looked for, in milliseconds.
    pub every_ms: u64,
    /// How many are moved together, at most.
    pub chunks: u32,
}

/// How customers' endpoints are told what became of messages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookDelivery {
    /// How often endpoints that have something to be told are looked for, in milliseconds.
    pub every_ms: u64,
    /// How many are looked at together, at most.
    pub look_endpoints: u32,
    /// Endpoints called at once, those that are quick.
    pub calls_at_once: usize,
    /// Endpoints called at once besides, those whose last call failed or was slow.
    pub slow_calls_at_once: usize,
    /// A call that takes so long is a slow one, in milliseconds.
    pub slow_ms: u32,
    /// Calls to an endpoint before what came of them is stored, at most.
    pub turn_calls: usize,
    /// And no further one is begun after so long, in milliseconds.
    pub turn_ms: u64,
    /// When a call that failed is made again: seconds after the first, the second, … failure.
    /// After the last, the last is repeated.
    pub retry_schedule_s: Vec<u32>,
    /// A delivery is given up so long after its first call, and an endpoint is disabled that
    /// took nothing for so long, in hours.
    pub give_up_hours: u32,
    /// The longest pause of an endpoint whose calls fail, in seconds.
    pub pause_longest_s: u32,
    /// Deliveries of one endpoint that are tried again and again; above it nothing new is begun.
    pub pending_deliveries: u32,
    /// Rows of events that may wait for one endpoint (one for each chunk and transaction); above
    /// it the endpoint is disabled.
    pub backlog_rows: u32,
    /// Deliveries that the log of one endpoint holds.
    pub log_rows: u32,
    /// How often backlogs and logs are looked at, in milliseconds.
    pub tidy_every_ms: u64,
}

impl Settings {
    /// Collects what is out of range.
    pub fn check(&self, violations: &mut Violations) {
        let mut range = |key: &str, value: u64, from: u64, to: u64| {
            violations.range(&format!("dlr_reconciler.{key}"), value, from..=to);
        };
        range("consumer.in_hand_records", self.consumer.in_hand_records.into(), 2, 1_000_000);
        range("consumer.in_hand_bytes", self.consumer.in_hand_bytes, 1 << 20, 4 << 30);
        range("consumer.ahead_records", self.consumer.ahead_records.into(), 2, 1_000_000);
        range("content_flush_ms", self.content_flush_ms, 1, 1_000);
        range("express_flush_ms", self.express_flush_ms, 1, 1_000);
        range("standard_flush_ms", self.standard_flush_ms, 1, 5_000);
        range("bulk_flush_ms", self.bulk_flush_ms, 1, 30_000);
        range("receipts_flush_ms", self.receipts_flush_ms, 1, 1_000);
        range("pending_every_ms", self.pending_every_ms, 100, 60_000);
        range("pending_keep_hours", self.pending_keep_hours.into(), 1, 8_760);
        range("retry_longest_ms", self.retry_longest_ms, 100, 60_000);
        range("stale_after_ms", self.stale_after_ms, 1_000, 600_000);
        range("poll_window_s", self.poll_window_s.into(), 1, 30 * 86_400);
        range("sweep.every_ms", self.sweep.every_ms, 20, 600_000);
        range("sweep.look_chunks", self.sweep.look_chunks.into(), 1, 100_000);
        range("sweep.hard_cap_s", self.sweep.hard_cap_s.into(), 1, 30 * 86_400);
        range("history.after_s", self.history.after_s.into(), 0, 30 * 86_400);
        range("history.every_ms", self.history.every_ms, 20, 600_000);
        range("history.chunks", self.history.chunks.into(), 1, 2_000);
        self.webhooks.check(violations);
        violations.range(
            "dlr_reconciler.chunks_per_transaction",
            self.chunks_per_transaction,
            1..=CHUNKS_MAX,
        );
        violations.require(
            Schedule::new(&self.poll_schedule_s, self.poll_window_s).is_some(),
            "dlr_reconciler.poll_schedule_s",
            "1 to 32 numbers of seconds, from 1, rising",
        );
    }

    /// How long outcomes of a lane are merged in memory.
    pub(crate) fn lane_flush(&self, lane: Lane) -> Duration {
        Duration::from_millis(match lane {
            Lane::Express => self.express_flush_ms,
            Lane::Standard => self.standard_flush_ms,
            Lane::Bulk => self.bulk_flush_ms,
        })
    }
}

impl WebhookDelivery {
    fn check(&self, violations: &mut Violations) {
        let mut range = |key: &str, value: u64, from: u64, to: u64| {
            violations.range(&format!("dlr_reconciler.webhooks.{key}"), value, from..=to);
        };
        range("every_ms", self.every_ms, 20, 60_000);
        range("look_endpoints", self.look_endpoints.into(), 1, 10_000);
        range("calls_at_once", self.calls_at_once as u64, 1, 1_000);
        range("slow_calls_at_once", self.slow_calls_at_once as u64, 1, 1_000);
        range("slow_ms", self.slow_ms.into(), 10, 60_000);
        range("turn_calls", self.turn_calls as u64, 1, 500);
        range("turn_ms", self.turn_ms, 0, 60_000);
        range("give_up_hours", self.give_up_hours.into(), 1, 720);
        range("pause_longest_s", self.pause_longest_s.into(), 1, 3_600);
        range("pending_deliveries", self.pending_deliveries.into(), 1, 100_000);
        range("backlog_rows", self.backlog_rows.into(), 1, 10_000_000);
        range("log_rows", self.log_rows.into(), 1, 100_000);
        range("tidy_every_ms", self.tidy_every_ms, 100, 3_600_000);
        let retries = &self.retry_schedule_s;
        let fits = (1..=32).contains(&retries.len()) && retries.iter().all(|s| (1..=86_400).contains(s));
        violations.require(fits, "dlr_reconciler.webhooks.retry_schedule_s", "1 to 32 numbers of seconds");
    }
}
