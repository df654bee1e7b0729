//! Answering in sms.billed: in order, once each, and starting over when the producer breaks.

use crate::part::Part;
use anyhow::Context;
use platform::kafka::KafkaSettings;
use platform::kafka::producer::{Producer, SendError};
use platform::kafka::tails::Tails;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use wire::billed::Billed;

/// The end of one answer's way to Kafka.
pub(crate) struct Ack {
    /// The producer's number: answers of a discarded producer do not count.
    pub(crate) producer: u64,
    pub(crate) partition: i32,
    pub(crate) source: i64,
    pub(crate) ok: bool,
}

/// The lane's producer, made anew whenever it breaks.
pub(crate) struct Publisher {
    kafka: KafkaSettings,
    linger_ms: u64,
    topic: String,
    producer: Producer,
    number: u64,
    sender: UnboundedSender<Ack>,
    /// Bounded by the bound on unacknowledged answers.
    pub(crate) acks: UnboundedReceiver<Ack>,
}

impl Publisher {
    pub(crate) fn new(kafka: &KafkaSettings, linger_ms: u64, topic: String) -> anyhow::Result<Self> {
        let (sender, acks) = unbounded_channel();
        let producer = Producer::new(kafka, linger_ms)?;
        Ok(Publisher { kafka: kafka.clone(), linger_ms, topic, producer, number: 0, sender, acks })
    }

    /// Gives the producer what it takes now. Returns false where it is broken.
    pub(crate) fn send(&self, partition: i32, part: &mut Part) -> bool {
        while let Some((source, value)) = part.to_send() {
            let (sender, number) = (self.sender.clone(), self.number);
            let delivered = Box::new(move |result: Result<i64, _>| {
                let ok = result.is_ok();
                // The loop being gone is the end of the process.
                let _ = sender.send(Ack { producer: number, partition, source, ok });
            });
            match self.producer.send(&self.topic, partition, value, delivered) {
                Ok(()) => part.sent_one(),
                // Acknowledgements make room, and bring the loop back here.
                Err(SendError::QueueFull) => return true,
                Err(error) => {
                    tracing::error!(partition, source, %error, "an answer was not taken by the producer");
                    return false;
                }
            }
        }
        true
    }

    /// Whether an acknowledgement is of the producer in use.
    pub(crate) fn is_current(&self, ack: &Ack) -> bool {
        ack.producer == self.number
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.producer.has_failed()
    }

    /// Discards the producer and makes a new one.
    pub(crate) fn renew(&mut self) -> anyhow::Result<()> {
        self.producer.purge();
        self.producer = Producer::new(&self.kafka, self.linger_ms)?;
        self.number += 1;
        Ok(())
    }
}

/// Where publishing of a partition begins: behind the source of the last record in
/// sms.billed, or at `stored` where that is further on. Blocks on Kafka elsewhere.
pub(crate) async fn published(
    tails: &Tails,
    topic: &str,
    partition: i32,
    stored: i64,
) -> anyhow::Result<i64> {
    let topic = topic.to_owned();
    let last = tails.read(move |tail| Ok(tail.last(&topic, partition)?)).await?;
    let Some(last) = last else { return Ok(stored) };
    let source = Billed::decode_source(&last.value).context("the last record of sms.billed")?;
    Ok(stored.max(source + 1))
}
