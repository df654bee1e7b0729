//! Settings of how files of campaigns are taken in.

use platform::config::Violations;
use serde::{Deserialize, Serialize};

use super::Limits;

/// How files of campaigns are taken in: section `ingest.campaigns`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignSettings {
    /// Uploads at once; above it: 503.
    pub uploads: usize,
    /// Rows that are handed to Kafka together, at most; the next come when these are billed.
    pub segment_rows: usize,
    /// How long rows wait for so many others, in milliseconds.
    pub segment_wait_ms: u64,
    /// How long an upload waits for room in the lane's queue, in milliseconds; then 503.
    pub room_timeout_ms: u64,
    /// How long an upload waits until rows are billed, in milliseconds; then 503.
    pub verdict_timeout_ms: u64,
    /// How many times larger a compressed file may become (the first 4 MiB are free).
    pub gzip_times: u32,
}

impl CampaignSettings {
    pub(super) fn check(&self, limits: &Limits, violations: &mut Violations) {
        violations.range("ingest.campaigns.uploads", self.uploads, 1..=1_000);
        // So that they fit into the lane's queue: that is checked against this limit.
        violations.range("ingest.campaigns.segment_rows", self.segment_rows, 1..=limits.bulk_messages);
        for (key, value) in [
            ("segment_wait_ms", self.segment_wait_ms),
            ("room_timeout_ms", self.room_timeout_ms),
            ("verdict_timeout_ms", self.verdict_timeout_ms),
        ] {
            violations.range(&format!("ingest.campaigns.{key}"), value, 10..=600_000);
        }
        violations.range("ingest.campaigns.gzip_times", self.gzip_times, 10..=1_032);
    }
}
