//! Writing to sms.attempts and sms.receipts, with the acknowledgement waited for.

use domain::lane::Lane;
use platform::kafka::KafkaSettings;
use platform::kafka::producer::{Producer, SendError};
use platform::kafka::topics::{Stage, Topics};
use platform::ownership::{Standing, clock};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;
use wire::attempt::{Attempt, AttemptKind};
use wire::receipts::Receipts;

/// The pause before a full producer is tried again.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(5);

/// The producer broke: what was handed over may or may not be in the topic.
#[derive(Debug, thiserror::Error)]
#[error("the producer broke: {0}")]
pub(crate) struct Broken(String);

/// One lane's way to Kafka.
pub(crate) struct Writer {
    kafka: KafkaSettings,
    linger_ms: u64,
    attempts: String,
    receipts: String,
    standing: Arc<Standing>,
    producer: Mutex<(Generation, Arc<Producer>)>,
}

/// Which of the lane's producers. What was begun with one must not write with a later one:
/// in between the partition began again, and its scan did not see the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u64);

impl Writer {
    pub(crate) fn new(
        kafka: &KafkaSettings,
        linger_ms: u64,
        topics: &Topics,
        lane: Lane,
        standing: Arc<Standing>,
    ) -> anyhow::Result<Self> {
        Ok(Writer {
            kafka: kafka.clone(),
            linger_ms,
            attempts: topics.of(Stage::Attempts, lane),
            receipts: topics.receipts(),
            standing,
            producer: Mutex::new((Generation(0), Arc::new(Producer::new(kafka, linger_ms)?))),
        })
    }

    /// The producer in use now.
    pub(crate) fn generation(&self) -> Generation {
        self.current().0
    }

    /// Writes a record of sms.attempts with the producer of `generation`. Returns its offset
    /// when it is acknowledged.
    pub(crate) async fn attempt(
        &self,
        generation: Generation,
        partition: i32,
        epoch: i64,
        kind: AttemptKind,
    ) -> Result<i64, Broken> {
        let record = Attempt { epoch, at: clock::unix_now(), kind }.encode(self.standing.write_version());
        self.write(generation, &self.attempts, partition, &record).await
    }

    /// Writes a record of sms.receipts.
    pub(crate) async fn receipts(&self, partition: i32, receipts: &Receipts) -> Result<i64, Broken> {
        let record = receipts.encode(self.standing.write_version());
        self.write(self.generation(), &self.receipts, partition, &record).await
    }

    async fn write(
        &self,
        generation: Generation,
        topic: &str,
        partition: i32,
        record: &[u8],
    ) -> Result<i64, Broken> {
        let acknowledged = loop {
            let (current, producer) = self.current();
            if current != generation {
                return Err(Broken("it was replaced".into()));
            }
            let (sender, acknowledged) = oneshot::channel();
            let delivered = Box::new(move |result| {
                // Whoever waited may be gone with its partition.
                let _ = sender.send(result);
            });
            match producer.send(topic, partition, record, delivered) {
                Ok(()) => break acknowledged,
                Err(SendError::QueueFull) => tokio::time::sleep(QUEUE_FULL_PAUSE).await,
                Err(error) => return Err(Broken(error.to_string())),
            }
        };
        match acknowledged.await {
            Ok(Ok(offset)) => Ok(offset),
            Ok(Err(error)) => Err(Broken(error.to_string())),
            Err(_) => Err(Broken("it was discarded".into())),
        }
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.current().1.has_failed()
    }

    /// Discards the producer and makes a new one.
    pub(crate) fn renew(&self) -> anyhow::Result<()> {
        let new = Arc::new(Producer::new(&self.kafka, self.linger_ms)?);
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        current.1.purge();
        *current = (Generation(current.0.0 + 1), new);
        Ok(())
    }

    fn current(&self) -> (Generation, Arc<Producer>) {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
