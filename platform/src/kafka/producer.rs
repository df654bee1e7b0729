//! Producing: idempotent, acknowledged by all in-sync copies, in order.
//!
//! A record is never given up by the client (`message.timeout.ms=0`), so a failed delivery
//! means that the producer itself is broken: its owner discards it and makes a new one.

use super::{KafkaProblem, KafkaSettings};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::oneshot;

/// Records are at most this long: librdkafka's own limit is 1,000,000 with its overhead.
pub const RECORD_BYTES_MAX: usize = 900_000;

/// Called once for each record, on the producer's thread: with the record's offset when it
/// is acknowledged, or with the reason why it never will be.
pub type Delivered = Box<dyn FnOnce(Result<i64, KafkaError>) + Send + Sync>;

/// Why a record was not taken by the producer. Its [`Delivered`] is not called.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The producer holds as much as it may: try again later.
    #[error("the producer's queue is full")]
    QueueFull,
    /// The record is longer than [`RECORD_BYTES_MAX`].
    #[error("a record of {0} bytes is longer than 900,000")]
    TooLong(usize),
    /// The producer is broken.
    #[error("the producer failed: {0}")]
    Failed(KafkaError),
}

/// How long the thread of a producer waits for something to tell. It is woken when there is;
/// the client library spins through the last millisecond of each wait, so they are long.
const POLL: Duration = Duration::from_secs(1);

/// A producer of one lane and role, with a thread that tells of deliveries.
pub struct Producer {
    inner: Arc<BaseProducer<Context>>,
    stop: Arc<AtomicBool>,
}

struct Context {
    failed: AtomicBool,
}

impl ClientContext for Context {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka producer");
        if matches!(error, KafkaError::Global(RDKafkaErrorCode::Fatal)) {
            self.failed.store(true, Ordering::Release);
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Delivered>;

    fn delivery(&self, result: &DeliveryResult<'_>, delivered: Box<Delivered>) {
        match result {
            Ok(message) => delivered(Ok(message.offset())),
            Err((error, _)) => {
                self.failed.store(true, Ordering::Release);
                delivered(Err(error.clone()));
            }
        }
    }
}

impl Producer {
    /// A producer that waits `linger_ms` for company of a record.
    pub fn new(settings: &KafkaSettings, linger_ms: u64) -> Result<Self, KafkaProblem> {
        let inner = settings
            .client()
            .set("enable.idempotence", "true")
            // A gap in the sequence would be a lost record: break instead.
            .set("enable.gapless.guarantee", "true")
            .set("acks", "all")
            .set("message.timeout.ms", "0")
            .set("linger.ms", linger_ms.to_string())
            .set("compression.type", "lz4")
            .set("queue.buffering.max.kbytes", (settings.producer_queue_bytes / 1024).to_string())
            .create_with_context(Context { failed: AtomicBool::new(false) })?;
        let producer = Producer { inner: Arc::new(inner), stop: Arc::default() };
        let (polled, stop) = (Arc::clone(&producer.inner), Arc::clone(&producer.stop));
        let poll = move || {
            while !stop.load(Ordering::Acquire) {
                polled.poll(POLL);
            }
        };
        let thread = std::thread::Builder::new().name("producer polling".into()).spawn(poll);
        thread
            .map_err(|error| KafkaProblem::Admin { doing: "starting a producer", why: error.to_string() })?;
        Ok(producer)
    }

    /// Hands over a record. `delivered` is called once unless this returns an error.
    pub fn send(
        &self,
        topic: &str,
        partition: i32,
        record: &[u8],
        delivered: Delivered,
    ) -> Result<(), SendError> {
        if record.len() > RECORD_BYTES_MAX {
            return Err(SendError::TooLong(record.len()));
        }
        let record = BaseRecord::<'_, (), [u8], _>::with_opaque_to(topic, Box::new(delivered))
            .partition(partition)
            .payload(record);
        self.inner.send(record).map_err(|(error, _)| match error {
            KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) => SendError::QueueFull,
            other => {
                self.inner.context().failed.store(true, Ordering::Release);
                SendError::Failed(other)
            }
        })
    }

    /// Whether a record failed: discard this producer, and start over from what is stored.
    pub fn has_failed(&self) -> bool {
        self.inner.context().failed.load(Ordering::Acquire)
    }

    /// Waits until everything handed over is acknowledged, at most `limit`. Blocks.
    pub fn flush(&self, limit: Duration) -> Result<(), KafkaProblem> {
        Ok(self.inner.flush(limit)?)
    }

    /// Gives up everything that is not acknowledged: their [`Delivered`] get errors.
    pub fn purge(&self) {
        self.inner.purge(rdkafka::producer::PurgeConfig::default().queue().inflight());
    }
}

impl Drop for Producer {
    /// The thread ends within its wait, and the client with it.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// One completion for the several records of one request.
pub struct Acks {
    left: AtomicUsize,
    first_error: std::sync::Mutex<Option<KafkaError>>,
    done: std::sync::Mutex<Option<oneshot::Sender<Result<(), KafkaError>>>>,
}

impl Acks {
    /// A completion after `count` deliveries (at least one), and where to wait for it.
    pub fn new(count: usize) -> (Arc<Self>, oneshot::Receiver<Result<(), KafkaError>>) {
        let (sender, receiver) = oneshot::channel();
        let acks = Acks {
            left: AtomicUsize::new(count.max(1)),
            first_error: std::sync::Mutex::new(None),
            done: std::sync::Mutex::new(Some(sender)),
        };
        (Arc::new(acks), receiver)
    }

    /// What to hand to [`Producer::send`] for one of the records.
    pub fn delivered(self: &Arc<Self>) -> Delivered {
        let acks = Arc::clone(self);
        Box::new(move |result| acks.count(result.err()))
    }

    fn count(&self, error: Option<KafkaError>) {
        if let (Some(error), Ok(mut first)) = (error, self.first_error.lock()) {
            first.get_or_insert(error);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) != 1 {
            return;
        }
        let error = self.first_error.lock().ok().and_then(|mut first| first.take());
        if let Some(done) = self.done.lock().ok().and_then(|mut done| done.take()) {
            // Nobody waiting any more is fine: the request was given up.
            let _ = done.send(error.map_or(Ok(()), Err));
        }
    }
}
