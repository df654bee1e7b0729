//! Reading a stretch of a partition by hand: the end of what was published, or everything
//! between two offsets. With clients of their own: such requests on a consumer that is
//! fetching would queue behind its long poll. Everything here blocks.

use super::{KafkaProblem, KafkaSettings};
use bytes::Bytes;
use domain::time::UnixMillis;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use std::ops::Range;
use std::time::{Duration, Instant};

/// A record read by hand.
#[derive(Clone, Debug)]
pub struct TailRecord {
    /// Its offset.
    pub offset: i64,
    /// When the broker took it, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its value.
    pub value: Bytes,
}

/// A client for reading by hand.
pub struct Tail {
    consumer: BaseConsumer,
    timeout: Duration,
}

impl Tail {
    /// A client of its own; close it by dropping it.
    pub fn new(settings: &KafkaSettings) -> Result<Self, KafkaProblem> {
        let consumer = settings
            .client()
            .set("group.id", "smshub-tail")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            // Only what is there is read: a request that waited for more would hold up the next.
            .set("fetch.wait.max.ms", "5")
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.max.messages.kbytes", "16384")
            .create()?;
        Ok(Tail { consumer, timeout: settings.request_timeout() })
    }

    /// The offsets that a partition holds: first kept to end.
    pub fn bounds(&self, topic: &str, partition: i32) -> Result<Range<i64>, KafkaProblem> {
        let (low, high) = self.consumer.fetch_watermarks(topic, partition, self.timeout)?;
        Ok(low..high)
    }

    /// The offset of the first record that the broker took at `time` or later; the end of the
    /// partition where there is none yet.
    pub fn offset_at(&self, topic: &str, partition: i32, time: UnixMillis) -> Result<i64, KafkaProblem> {
        let mut asked = TopicPartitionList::new();
        asked.add_partition_offset(topic, partition, Offset::Offset(time.0.max(0)))?;
        let found = self.consumer.offsets_for_times(asked, self.timeout)?;
        match found.find_partition(topic, partition).map(|found| found.offset()) {
            Some(Offset::Offset(offset)) => Ok(offset),
            _ => Ok(self.bounds(topic, partition)?.end),
        }
    }

    /// The last record of a partition, where it has one.
    pub fn last(&self, topic: &str, partition: i32) -> Result<Option<TailRecord>, KafkaProblem> {
        let bounds = self.bounds(topic, partition)?;
        if bounds.is_empty() {
            return Ok(None);
        }
        let mut last = None;
        self.read(topic, partition, bounds.end - 1..bounds.end, |record| last = Some(record))?;
        Ok(last)
    }

    /// Every record with an offset in `range`, in order. The range must be kept by the topic.
    pub fn read(
        &self,
        topic: &str,
        partition: i32,
        range: Range<i64>,
        mut each: impl FnMut(TailRecord),
    ) -> Result<(), KafkaProblem> {
        if range.is_empty() {
            return Ok(());
        }
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition, Offset::Offset(range.start))?;
        self.consumer.assign(&assignment)?;
        let mut quiet_since = Instant::now();
        while quiet_since.elapsed() < self.timeout {
            let Some(message) = self.consumer.poll(Duration::from_millis(50)) else { continue };
            let message = message?;
            if message.topic() != topic || message.partition() != partition {
                // Of a stretch before, that was given up.
                continue;
            }
            if message.offset() < range.end {
                each(TailRecord {
                    offset: message.offset(),
                    at_ms: message.timestamp().to_millis().unwrap_or(0),
                    value: Bytes::copy_from_slice(message.payload().unwrap_or_default()),
                });
            }
            if message.offset() + 1 >= range.end {
                self.consumer.unassign()?;
                return Ok(());
            }
            // Behind `each`: the time that it takes is no silence of the topic.
            quiet_since = Instant::now();
        }
        self.consumer.unassign()?;
        Err(KafkaProblem::Admin {
            doing: "reading a stretch",
            why: format!("{topic}/{partition} fell silent"),
        })
    }
}
