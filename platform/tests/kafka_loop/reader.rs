//! A consumer loop on its thread, as a role runs it.

use platform::kafka::budget::Budget;
use platform::kafka::consumer::{Batch, Consumer, ConsumerLimits, Record, Records};
use platform::kafka::{KafkaProblem, KafkaSettings};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

pub(crate) struct Reader {
    pub(crate) records: Records,
    pub(crate) budget: Arc<Budget>,
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), KafkaProblem>>,
}

impl Reader {
    pub(crate) fn start(settings: &KafkaSettings, limits: &ConsumerLimits, topics: Vec<String>) -> Reader {
        let (consumer, records) = Consumer::new(settings, limits, topics).unwrap();
        let (budget, stopped) = (consumer.budget(), Arc::new(AtomicBool::new(false)));
        let seen = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || consumer.run(|| seen.load(Ordering::Acquire)));
        Reader { records, budget, stopped, thread }
    }

    /// The next batch, waited for, in which everything can be read.
    pub(crate) async fn next(&mut self) -> Vec<Record> {
        let Batch { records, unreadable } = self.next_batch().await;
        assert!(unreadable.is_empty(), "{unreadable:?}");
        records
    }

    /// The next batch, waited for: the client library takes half a minute to believe that a
    /// topic is gone which it has just seen.
    pub(crate) async fn next_batch(&mut self) -> Batch {
        let next = tokio::time::timeout(Duration::from_secs(60), self.records.next()).await;
        next.expect("something comes within 60 seconds").expect("the loop runs")
    }

    /// `count` records.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<Record> {
        let mut all = Vec::new();
        while all.len() < count {
            all.extend(self.next().await);
        }
        all
    }

    /// What comes within this time: for seeing that nothing does.
    pub(crate) async fn within(&mut self, limit: Duration) -> Vec<Record> {
        let deadline = tokio::time::Instant::now() + limit;
        let mut all = Vec::new();
        while let Ok(Some(batch)) = tokio::time::timeout_at(deadline, self.records.next()).await {
            all.extend(batch.records);
        }
        all
    }

    /// Asks the loop to end, and gives its answer.
    pub(crate) fn stop(self) -> Result<(), KafkaProblem> {
        self.stopped.store(true, Ordering::Release);
        self.thread.join().expect("the loop does not panic")
    }
}

pub(crate) fn limits(in_hand_records: u32, in_hand_bytes: u64, ahead_records: u32) -> ConsumerLimits {
    ConsumerLimits { in_hand_records, in_hand_bytes, ahead_records }
}

/// Bounds that are never reached here.
pub(crate) fn wide() -> ConsumerLimits {
    limits(1_000_000, 1 << 30, 1_000_000)
}
