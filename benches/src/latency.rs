//! Times of requests.

use anyhow::Context;
use hdrhistogram::Histogram;
use std::time::Duration;

/// Beyond ten minutes a request has failed.
const LONGEST_US: u64 = 600_000_000;

/// A histogram of times, in microseconds, to three digits.
#[derive(Clone)]
pub(crate) struct Latency(Histogram<u64>);

impl Latency {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Latency(Histogram::new_with_bounds(1, LONGEST_US, 3).context("histogram")?))
    }

    pub(crate) fn record(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(LONGEST_US));
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time that this share (0 to 1) of the requests did not exceed, in milliseconds.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        Duration::from_micros(self.0.value_at_quantile(share)).as_secs_f64() * 1_000.0
    }
}
