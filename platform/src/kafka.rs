//! How we talk to Kafka: one consumer loop, one producer, positions kept in Postgres.

pub mod budget;
pub mod consumer;
mod edges;
pub mod frontier;
pub mod probe;
pub mod producer;
pub mod tail;
pub mod tails;
mod topic_ids;
pub mod topics;
pub mod unreadable;

use rdkafka::ClientConfig;
use serde::{Deserialize, Serialize};

/// Settings of every Kafka client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// Addresses to begin with, `host:port`, comma separated.
    pub bootstrap: String,
    /// Put before every topic's name; lets several installations share a cluster.
    pub topic_prefix: String,
    /// Partitions of every topic, a power of two. Stored at install; never changed in place.
    pub partitions: i32,
    /// Copies of every partition.
    pub replication: i32,
    /// Copies that must have a record before it counts as acknowledged.
    pub min_insync_replicas: i32,
    /// Whether the broker syncs each record to disk (needed where there is one broker).
    pub flush_each_record: bool,
    /// How long records are kept, in hours.
    pub retention_hours: u32,
    /// Bytes that one consumer fetches ahead at most.
    pub consumer_queue_bytes: u64,
    /// Bytes that one producer holds unacknowledged at most.
    pub producer_queue_bytes: u64,
    /// How long administrative and look-up requests may take, in milliseconds.
    pub request_timeout_ms: u64,
}

impl KafkaSettings {
    /// What all clients have in common.
    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap)
            .set("client.id", "smshub")
            .set("reconnect.backoff.ms", "50")
            // The default of ten seconds makes acknowledgements come seconds after a broker is back.
            .set("reconnect.backoff.max.ms", "500")
            .set("allow.auto.create.topics", "false")
            .set("log.connection.close", "false");
        config
    }

    fn request_timeout(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.request_timeout_ms)
    }
}

/// What can go wrong between Kafka and us.
#[derive(Debug, thiserror::Error)]
pub enum KafkaProblem {
    /// Kafka, or its client library, says no.
    #[error("kafka: {0}")]
    Client(#[from] rdkafka::error::KafkaError),
    /// A topic is not as it was when this installation was made.
    #[error("{0}")]
    Topic(String),
    /// An administrative request failed.
    #[error("kafka, while {doing}: {why}")]
    Admin {
        /// What was asked.
        doing: &'static str,
        /// What came back.
        why: String,
    },
}
