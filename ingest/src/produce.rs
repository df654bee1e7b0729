//! Handing chunks to Kafka, one producer a lane.
//!
//! Room for all records of a call is taken before the first is produced, so a lane that is
//! full refuses a call whole. The room is given back when Kafka has acknowledged the call's
//! last record, whether or not anybody still waits for the answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use domain::lane::Lane;
use platform::http::problem::{Code, Problem};
use platform::kafka::producer::{Acks, Producer, SendError};
use platform::kafka::topics::Stage;
use platform::kafka::{KafkaProblem, KafkaSettings};
use platform::role::Common;
use platform::threads::Threads;
use rdkafka::error::KafkaError;
use tokio::sync::Semaphore;

use crate::config::ProduceSettings;
use crate::funds::Promise;
use crate::metrics;
use crate::room::{Room, room};

/// The producer of a lane, and the room it has.
pub(crate) struct LaneProducer {
    lane: Lane,
    topic: String,
    kafka: KafkaSettings,
    threads: Arc<Threads>,
    linger_ms: u64,
    ack_timeout: Duration,
    room: Arc<Semaphore>,
    producer: Mutex<Arc<Producer>>,
}

impl LaneProducer {
    /// A producer for `sms.submitted.<lane>`.
    pub(crate) fn new(lane: Lane, settings: &ProduceSettings, common: &Common) -> Result<Self, KafkaProblem> {
        let linger_ms = settings.linger_ms.of(lane);
        Ok(LaneProducer {
            lane,
            topic: common.topics.of(Stage::Submitted, lane),
            kafka: common.kafka.clone(),
            threads: Arc::clone(&common.threads),
            linger_ms,
            ack_timeout: Duration::from_millis(settings.ack_timeout_ms),
            room: room(settings.queue_bytes.of(lane)),
            producer: Mutex::new(new(&common.threads, lane, &common.kafka, linger_ms)?),
        })
    }

    /// Produces the records of a call, all or none, each with what is promised of the balance for
    /// it. Returns at once; see [`Produced::acknowledged`].
    ///
    /// # Errors
    /// 503 `overloaded` or `unavailable`, saying whether anything may have been taken.
    pub(crate) fn produce(
        &self,
        partition: i32,
        records: &[Bytes],
        promises: Vec<Promise>,
    ) -> Result<Produced, Problem> {
        let promises = promises.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let records: Vec<_> =
            records.iter().zip(promises).map(|(record, promise)| (partition, record, promise)).collect();
        self.hand_over(&self.topic, records)
    }

    /// Produces records of another topic, each to its own partition, all or none.
    ///
    /// # Errors
    /// As [`LaneProducer::produce`].
    pub(crate) fn produce_to(&self, topic: &str, records: &[(i32, Bytes)]) -> Result<Produced, Problem> {
        let records = records.iter().map(|(partition, record)| (*partition, record, None)).collect();
        self.hand_over(topic, records)
    }

    fn hand_over(
        &self,
        topic: &str,
        records: Vec<(i32, &Bytes, Option<Promise>)>,
    ) -> Result<Produced, Problem> {
        let lengths = records.iter().map(|(_, record, _)| record.len());
        let room = Room::take(&self.room, self.lane, lengths).ok_or_else(full)?;
        let room = Arc::new(room);
        let producer = self.producer().map_err(|error| {
            tracing::error!(%error, lane = %self.lane, "no producer could be made");
            Problem::new(Code::Unavailable).detail("records cannot be stored now; nothing was taken")
        })?;
        let (acks, acknowledged) = Acks::new(records.len());
        for (position, (partition, record, promise)) in records.into_iter().enumerate() {
            let (delivered, room) = (acks.delivered(), Arc::clone(&room));
            // A record that the producer does not take drops this uncalled, and its promise ends.
            let delivered = Box::new(move |result: Result<i64, KafkaError>| {
                drop(room);
                if let Some(promise) = promise {
                    promise.delivered(result.as_ref().ok().copied());
                }
                delivered(result);
            });
            let sent = producer.send(topic, partition, record, delivered);
            sent.map_err(|error| self.not_sent(&error, position))?;
        }
        Ok(Produced { lane: self.lane, acknowledged, timeout: self.ack_timeout, since: Instant::now() })
    }

    /// Waits until everything produced is acknowledged, at most `limit`. Blocks.
    pub(crate) fn flush(&self, limit: Duration) -> Result<(), KafkaProblem> {
        let producer = Arc::clone(&self.producer.lock().unwrap_or_else(PoisonError::into_inner));
        producer.flush(limit)
    }

    /// The producer; a new one where the last is broken.
    fn producer(&self) -> Result<Arc<Producer>, KafkaProblem> {
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if current.has_failed() {
            let new = new(&self.threads, self.lane, &self.kafka, self.linger_ms)?;
            let broken = std::mem::replace(&mut *current, new);
            metrics::producer_replaced(self.lane);
            tracing::warn!(lane = %self.lane, "a broken producer was replaced");
            // Its records get errors, and their requests an answer. Ending it can take a while.
            broken.purge();
            tokio::task::spawn_blocking(move || drop(broken));
        }
        Ok(Arc::clone(&current))
    }

    fn not_sent(&self, error: &SendError, position: usize) -> Problem {
        tracing::warn!(%error, lane = %self.lane, position, "a chunk was not taken by the producer");
        match error {
            _ if position > 0 => outcome_unknown(),
            SendError::QueueFull => full(),
            SendError::Failed(_) => {
                Problem::new(Code::Unavailable).detail("records cannot be stored now; nothing was taken")
            }
            SendError::TooLong(_) => Problem::new(Code::InternalError),
        }
    }
}

/// A producer whose threads have the priority of its lane.
fn new(
    threads: &Threads,
    lane: Lane,
    kafka: &KafkaSettings,
    linger_ms: u64,
) -> Result<Arc<Producer>, KafkaProblem> {
    let started = threads.start(lane, || Producer::new(kafka, linger_ms));
    let no_thread =
        |error: std::io::Error| KafkaProblem::Admin { doing: "starting a producer", why: error.to_string() };
    Ok(Arc::new(started.map_err(no_thread)??))
}

/// A call whose records are on their way.
pub(crate) struct Produced {
    lane: Lane,
    acknowledged: tokio::sync::oneshot::Receiver<Result<(), KafkaError>>,
    timeout: Duration,
    since: Instant,
}

impl Produced {
    /// Waits until Kafka has all records of the call.
    ///
    /// # Errors
    /// 503 `unavailable`, outcome unknown.
    pub(crate) async fn acknowledged(self) -> Result<(), Problem> {
        let answer = tokio::time::timeout(self.timeout, self.acknowledged).await;
        metrics::acknowledged(self.lane, self.since.elapsed());
        if let Ok(Ok(Ok(()))) = answer {
            return Ok(());
        }
        tracing::warn!(lane = %self.lane, ?answer, "no acknowledgement from kafka");
        Err(outcome_unknown())
    }
}

fn full() -> Problem {
    Problem::new(Code::Overloaded).detail("too much is waiting to be stored; nothing was taken")
}

fn outcome_unknown() -> Problem {
    Problem::new(Code::Unavailable)
        .detail("the outcome is unknown: storing was not confirmed in time, so messages may be sent or not")
}
