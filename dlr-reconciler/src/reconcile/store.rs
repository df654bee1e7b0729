//! Storing what is due, and what becomes of it when that fails.

use super::{FOREIGN, Failure, PAUSE, Worker};
use crate::flush::{Flushed, Stored, flush};
use tokio::time::Instant;

impl Worker {
    pub(super) async fn store_what_is_due(&mut self) {
        for topic in 0..self.hand.topics.len() {
            let now = Instant::now();
            let waits = self.not_before.is_some_and(|not_before| now < not_before);
            if !waits && self.hand.due(topic, self.hurries()).is_some_and(|due| due <= now) {
                self.store(topic).await;
            }
        }
    }

    pub(super) async fn store(&mut self, topic: usize) {
        let held = self.hand.held(topic);
        if held.is_empty() {
            return;
        }
        let meters = &self.hand.topics[topic].meters;
        meters.chunks.record(held.iter().map(|held| held.batch.size()).sum::<usize>() as f64);
        let started = Instant::now();
        let outcome = self.alive(flush(&self.with.pool, &held, &self.means())).await;
        meters.transaction.record(started.elapsed());
        let outcome = match outcome {
            Ok(Flushed::Stored(stored)) => {
                self.hand.stored(topic);
                self.done(&stored);
                self.match_ready(&stored.ready).await;
                self.match_named(&stored.named).await;
                Ok(())
            }
            Ok(Flushed::Moved) => self.realign(topic).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = outcome {
            self.hand.topics[topic].meters.failed.increment(1);
            self.failed(&failure);
        }
    }

    fn done(&mut self, stored: &Stored) {
        self.counted(stored);
        self.with.meters.in_hand.set(self.with.budget.in_hand().1 as f64);
        self.recovered();
    }

    /// Counts what was committed. Receipts of another connector are somebody's mistake, or worse.
    pub(super) fn counted(&mut self, stored: &Stored) {
        self.with.meters.stored(stored);
        for connector in stored.foreign.keys() {
            let detail = "receipts of messages that went by another connector were left out";
            self.alarms.raise(FOREIGN, connector, detail, Instant::now());
        }
    }

    pub(super) fn recovered(&mut self) {
        self.with.check.ok();
        (self.failures, self.not_before) = (0, None);
    }

    /// Everything stays in hand; the budget stops the reading when there is too much of it.
    fn failed(&mut self, failure: &Failure) {
        self.failures = self.failures.saturating_add(1);
        let pause =
            if failure.is_race() { PAUSE } else { PAUSE * 2_u32.saturating_pow(self.failures.min(16)) };
        self.not_before = Some(Instant::now() + pause.min(self.with.retry_longest));
        if !failure.is_race() {
            tracing::warn!(error = %failure, failures = self.failures, "nothing could be stored");
            self.with.check.fail(failure.to_string());
        }
    }
}
