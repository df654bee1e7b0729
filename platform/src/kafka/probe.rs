//! The one client of a process that only asks: does a broker answer, where do topics end.

use super::edges::{Offsets, edges};
use super::{KafkaProblem, KafkaSettings};
use crate::health::Check;
use crate::lifecycle::Stop;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// How often it is looked whether a broker answers.
const EVERY: Duration = Duration::from_secs(2);
/// How long one broker is waited for. (The one that was asked may have vanished a moment
/// ago: another is asked then.)
const PATIENCE: Duration = Duration::from_millis(1_500);
const TRIES: u32 = 2;
/// How long ends are waited for.
const ENDS: Duration = Duration::from_secs(5);
/// A client that reads nothing.
pub struct Probe {
    consumer: BaseConsumer<Quiet>,
    bootstrap: String,
    topic: String,
}

struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka probe");
    }
}

impl ConsumerContext for Quiet {}

impl Probe {
    /// A report of [`Probe::watch`] that is so late means that the runtime itself stands still.
    pub const STALE_AFTER: Duration = Duration::from_secs(20);

    /// A client of its own, that asks brokers about `topic` (any of ours: the answer about
    /// all topics of a cluster may be long).
    pub fn new(settings: &KafkaSettings, topic: String) -> Result<Self, KafkaProblem> {
        let consumer = settings
            .client()
            .set("socket.connection.setup.timeout.ms", "5000")
            .set("socket.timeout.ms", "5000")
            .create_with_context(Quiet)?;
        Ok(Probe { consumer, bootstrap: settings.bootstrap.clone(), topic })
    }

    /// Whether a broker answers now. Blocks, for 3 s at most.
    pub fn answers(&self) -> Result<(), KafkaProblem> {
        self.drain();
        let mut last = Ok(());
        for _ in 0..TRIES {
            last = self.consumer.fetch_metadata(Some(&self.topic), PATIENCE).map(drop);
            if last.is_ok() {
                break;
            }
        }
        Ok(last?)
    }

    /// The offset behind the last record of partitions (topic and number). What one of them
    /// could not be asked for is left out. Blocks, for 5 s at most.
    pub fn ends(&self, partitions: &[(&str, i32)]) -> Result<Offsets, KafkaProblem> {
        self.drain();
        Ok(edges(&self.consumer, partitions, Offset::End, ENDS)?)
    }

    /// What the client has to say waits in a queue without a bound.
    fn drain(&self) {
        while self.consumer.poll(Duration::ZERO).is_some() {}
    }

    /// Keeps the check `kafka` until asked to stop.
    ///
    /// # Errors
    /// When the blocking thread ends, which is a defect.
    pub async fn watch(self: Arc<Self>, check: Check, stop: Stop) -> anyhow::Result<()> {
        let mut every = interval(EVERY);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut answered = true;
        loop {
            tokio::select! {
                () = stop.requested() => return Ok(()),
                _ = every.tick() => {}
            }
            let probe = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || probe.answers());
            let looked = tokio::select! {
                () = stop.requested() => return Ok(()),
                looked = looked => looked?,
            };
            match &looked {
                Ok(()) => check.ok(),
                Err(error) => {
                    check.fail(format!("no broker of {} answers: {error}", self.bootstrap));
                    check.progress();
                }
            }
            if looked.is_ok() != answered {
                answered = looked.is_ok();
                let bootstrap = &self.bootstrap;
                match looked {
                    Ok(()) => tracing::info!(bootstrap, "kafka answers again"),
                    Err(error) => tracing::warn!(bootstrap, %error, "kafka does not answer"),
                }
            }
        }
    }
}
