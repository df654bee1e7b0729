//! Topics of its own for every test, told apart by a prefix.

use platform::kafka::KafkaSettings;

/// How to reach the Kafka of `make test`, with a topic prefix that nobody else has.
///
/// # Panics
/// Where `make test` did not name it.
pub fn settings() -> KafkaSettings {
    KafkaSettings {
        bootstrap: crate::variable("SMSHUB_TEST_KAFKA"),
        topic_prefix: format!("t{}.", &uuid::Uuid::new_v4().simple().to_string()[..12]),
        partitions: 4,
        replication: 1,
        min_insync_replicas: 1,
        flush_each_record: false,
        retention_hours: 168,
        consumer_queue_bytes: 16 << 20,
        producer_queue_bytes: 64 << 20,
        request_timeout_ms: 20_000,
    }
}
