//! Ranges of the sections that belong to no role, and rules over several sections.

use super::Settings;
use platform::config::{Violation, Violations};
use sqlx::postgres::PgConnectOptions;
use std::str::FromStr;

/// Connections that no lane owns: owners of three roles, tariff, balances, verdicts, reports, one
/// to spare.
const COMMON_CONNECTIONS_MIN: u32 = 8;
/// What one lane does at the same time: billing, storing the sender's positions, the
/// reconciler's transaction, reading balances.
const LANE_CONNECTIONS_MIN: u32 = 4;
/// Kafka keeps records longer than the oldest backup that will be restored.
const RETENTION_HOURS_MIN: u32 = 168;
/// librdkafka's own limit for a queue, in bytes.
const QUEUE_BYTES_MAX: u64 = 2_097_151 << 10;

/// Ranges.
pub(super) fn sections(settings: &Settings, violations: &mut Violations) {
    violations.range("runtime.worker_threads", settings.runtime.worker_threads, 0..=256);
    violations.range("runtime.blocking_threads", settings.runtime.blocking_threads, 8..=1_024);
    violations.range("runtime.bulk_nice", settings.runtime.bulk_nice, 0..=19);
    violations.range("management.lag_every_ms", settings.management.lag_every_ms, 500..=600_000);
    postgres(settings, violations);
    kafka(settings, violations);
    ownership(settings, violations);
}

fn postgres(settings: &Settings, violations: &mut Violations) {
    let postgres = &settings.postgres;
    let url = postgres.url.expose();
    let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
    if !scheme || PgConnectOptions::from_str(url).is_err() {
        // The reason would quote the URL, which holds a password.
        let expected = "postgres://user:password@host:port/database";
        violations.check(Err(Violation::new("postgres.url", expected)));
    }
    let name = &postgres.schema;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_name =
        (1..=63).contains(&name.len()) && name.bytes().all(plain) && !name.as_bytes()[0].is_ascii_digit();
    violations.require(is_name, "postgres.schema", "small letters, digits and underscores, at most 63");
    violations.range("postgres.lane_connections", postgres.lane_connections, LANE_CONNECTIONS_MIN..=1_000);
    violations.range(
        "postgres.common_connections",
        postgres.common_connections,
        COMMON_CONNECTIONS_MIN..=1_000,
    );
    violations.range("postgres.report_connections", postgres.report_connections, 1..=1_000);
    violations.range("postgres.acquire_timeout_ms", postgres.acquire_timeout_ms, 50..=60_000);
    violations.range("postgres.lock_timeout_ms", postgres.lock_timeout_ms, 10..=60_000);
    let express = postgres.express_lock_timeout_ms;
    violations.range("postgres.express_lock_timeout_ms", express, 10..=postgres.lock_timeout_ms);
    let idle = postgres.idle_in_transaction_timeout_ms;
    violations.range("postgres.idle_in_transaction_timeout_ms", idle, 100..=60_000);
    let statement = postgres.statement_timeout_ms;
    violations.range("postgres.statement_timeout_ms", statement, postgres.lock_timeout_ms + 1..=600_000);
    violations.range("postgres.report_timeout_ms", postgres.report_timeout_ms, 100..=statement);
    violations.range("postgres.answer_timeout_ms", postgres.answer_timeout_ms, statement + 1..=700_000);
}

fn kafka(settings: &Settings, violations: &mut Violations) {
    let kafka = &settings.kafka;
    violations.require(!kafka.bootstrap.trim().is_empty(), "kafka.bootstrap", "host:port, comma separated");
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let is_prefix = kafka.topic_prefix.len() <= 100 && kafka.topic_prefix.bytes().all(allowed);
    violations.require(
        is_prefix,
        "kafka.topic_prefix",
        "letters, digits, dots, dashes and underscores, at most 100",
    );
    let power = kafka.partitions > 0 && kafka.partitions <= 1_024 && kafka.partitions.count_ones() == 1;
    violations.require(power, "kafka.partitions", "a power of two, at most 1024");
    violations.range("kafka.replication", kafka.replication, 1..=9);
    violations.range("kafka.min_insync_replicas", kafka.min_insync_replicas, 1..=kafka.replication);
    violations.range("kafka.retention_hours", kafka.retention_hours, RETENTION_HOURS_MIN..=8_760);
    violations.range("kafka.consumer_queue_bytes", kafka.consumer_queue_bytes, 1 << 20..=QUEUE_BYTES_MAX);
    violations.range("kafka.producer_queue_bytes", kafka.producer_queue_bytes, 1 << 20..=QUEUE_BYTES_MAX);
    violations.range("kafka.request_timeout_ms", kafka.request_timeout_ms, 1_000..=120_000);
}

fn ownership(settings: &Settings, violations: &mut Violations) {
    let ownership = &settings.ownership;
    let named = !ownership.data_folder.as_os_str().is_empty();
    violations.require(named, "ownership.data_folder", "the path of a folder of this process alone");
    violations.range("ownership.alive_ms", ownership.alive_ms, 1_000..=60_000);
    violations.range("ownership.renew_ms", ownership.renew_ms, 100..=20_000);
    violations.range("ownership.margin_ms", ownership.margin_ms, 50..=10_000);
    violations.range("ownership.mint_ms", ownership.mint_ms, 60_000..=3_600_000);
    violations.range("ownership.mint_renew_ms", ownership.mint_renew_ms, 1_000..=600_000);
    violations.range("ownership.clock_skew_max_ms", ownership.clock_skew_max_ms, 100..=60_000);
    violations.range("ownership.look_ms", ownership.look_ms, 20..=10_000);
    violations.range("ownership.watchdog_ms", ownership.watchdog_ms, 1_000..=120_000);
    // One renewal may fail and the process still is alive.
    let renewals = ownership.renew_ms * 2 + ownership.margin_ms < ownership.alive_ms;
    violations.require(renewals, "ownership.renew_ms", "less than half of alive_ms less margin_ms");
    let minting = ownership.mint_renew_ms * 2 < ownership.mint_ms;
    violations.require(minting, "ownership.mint_renew_ms", "less than half of mint_ms");
}

/// How sections fit together.
pub(super) fn together(settings: &Settings, violations: &mut Violations) {
    let Settings {
        management,
        shutdown,
        postgres,
        kafka,
        ownership,
        ingest,
        billing_consumer,
        sender,
        dlr_reconciler,
        ..
    } = settings;
    violations.require(
        management.listen.port() == 0 || management.listen != ingest.listen,
        "management.listen",
        "another address than ingest.listen",
    );
    let mut below = |key: &str, value_ms: u64, limit_ms: u64, limit: &str| {
        violations.require(value_ms < limit_ms, key, &format!("less than {limit} ({limit_ms})"));
    };
    // What is cut off at the end of a budget was not finished.
    below(
        "ingest.http.drain_ms",
        ingest.http.drain_ms,
        shutdown.stop_accepting_ms,
        "shutdown.stop_accepting_ms",
    );
    below("ingest.produce.flush_ms", ingest.produce.flush_ms, shutdown.flush_ms, "shutdown.flush_ms");
    let keys = &ingest.idempotency;
    below("ingest.idempotency.flush_ms", keys.flush_ms, shutdown.flush_ms, "shutdown.flush_ms");
    below("management.http.drain_ms", management.http.drain_ms, shutdown.close_ms, "shutdown.close_ms");
    below("ownership.watchdog_ms", ownership.watchdog_ms, shutdown.drain_ms, "shutdown.drain_ms");
    // A loop that waits for Postgres as long as it may does not stand still.
    let waits = postgres.acquire_timeout_ms.max(postgres.answer_timeout_ms);
    below("postgres.answer_timeout_ms", waits, ownership.watchdog_ms, "ownership.watchdog_ms");

    // A push counts for messages that went by this connector, so another name is a mistake.
    for (connector, push) in &ingest.receipts {
        violations.require(
            sender.connectors.contains_key(connector),
            &format!("ingest.receipts.{connector}"),
            "the name of one of sender.connectors",
        );
        violations.require(
            !push.by_operator_id || dlr_reconciler.operator_ids.contains(connector),
            &format!("ingest.receipts.{connector}.by_operator_id"),
            "false where dlr_reconciler.operator_ids does not name the connector",
        );
    }
    for connector in &dlr_reconciler.operator_ids {
        violations.require(
            sender.connectors.contains_key(connector),
            "dlr_reconciler.operator_ids",
            "names of sender.connectors",
        );
    }

    // A message that may still be sent must still be in Kafka, with a day to notice.
    let longest_hours = ingest.limits.ttl_seconds_max.div_ceil(3_600);
    violations.require(
        longest_hours + 24 <= kafka.retention_hours,
        "ingest.limits.ttl_seconds_max",
        "a day less than kafka.retention_hours",
    );
    let in_hand = usize::try_from(billing_consumer.consumer.in_hand_records).unwrap_or(usize::MAX);
    violations.require(
        in_hand >= billing_consumer.batch_chunks,
        "billing_consumer.batch_chunks",
        "at most billing_consumer.consumer.in_hand_records",
    );
}
