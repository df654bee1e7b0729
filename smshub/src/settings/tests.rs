#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use serde_json::Value;
use std::collections::BTreeSet;

fn from(environment: &[(&str, &str)]) -> Result<Settings, ConfigError> {
    let pairs: Vec<_> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    platform::config::load(DEFAULTS, None, pairs.into_iter())
}

fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(section) => {
            for (name, value) in section {
                keys(value, &if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, found);
            }
        }
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn the_defaults_are_right() {
    from(&[]).unwrap().check().unwrap();
}

#[test]
fn the_file_and_the_program_have_the_same_settings() {
    let mut in_file = BTreeSet::new();
    let tree: Value = platform::config::load(DEFAULTS, None, std::iter::empty()).unwrap();
    keys(&tree, "", &mut in_file);
    let mut in_program = BTreeSet::new();
    keys(&serde_json::to_value(from(&[]).unwrap()).unwrap(), "", &mut in_program);
    assert_eq!(in_file, in_program);
}

/// A comment of its own stands right above every section and every setting.
#[test]
fn every_setting_is_explained() {
    let mut explained = false;
    for (number, line) in (1..).zip(DEFAULTS.lines().map(str::trim)) {
        if line.starts_with('#') {
            explained |= line.len() > 10;
            continue;
        }
        if !line.is_empty() {
            assert!(explained, "line {number} of defaults.toml has no comment: {line}");
        }
        explained = false;
    }
}

/// Each rule over several settings refuses, and names the setting to change.
#[test]
fn settings_that_do_not_fit_together_are_refused() {
    let cases = [
        ("OWNERSHIP__RENEW_MS", "2500", "ownership.renew_ms: expected less than half of alive_ms"),
        ("OWNERSHIP__MINT_RENEW_MS", "300000", "ownership.mint_renew_ms: "),
        ("OWNERSHIP__WATCHDOG_MS", "60000", "ownership.watchdog_ms: expected less than shutdown.drain_ms"),
        ("POSTGRES__ANSWER_TIMEOUT_MS", "60000", "postgres.answer_timeout_ms: "),
        ("POSTGRES__EXPRESS_LOCK_TIMEOUT_MS", "9000", "postgres.express_lock_timeout_ms: "),
        ("POSTGRES__COMMON_CONNECTIONS", "1", "postgres.common_connections: "),
        ("POSTGRES__URL", "mysql://root:hunter2@h/d", "postgres.url: expected postgres://"),
        ("POSTGRES__SCHEMA", "Public;", "postgres.schema: "),
        ("KAFKA__PARTITIONS", "12", "kafka.partitions: expected a power of two"),
        ("KAFKA__MIN_INSYNC_REPLICAS", "2", "kafka.min_insync_replicas: "),
        ("KAFKA__RETENTION_HOURS", "48", "kafka.retention_hours: "),
        ("KAFKA__TOPIC_PREFIX", "a b", "kafka.topic_prefix: "),
        ("MANAGEMENT__LISTEN", "127.0.0.1:8080", "management.listen: "),
        (
            "INGEST__HTTP__DRAIN_MS",
            "500000",
            "ingest.http.drain_ms: expected less than shutdown.stop_accepting_ms",
        ),
        (
            "INGEST__RECEIPTS__NOBODY__SECRET",
            "0123456789abcdef",
            "ingest.receipts.nobody: expected the name of one of sender.connectors",
        ),
        ("INGEST__RECEIPTS__MAGFA__SECRET", "hunter2", "ingest.receipts.magfa.secret: expected nothing, or"),
        ("INGEST__PRODUCE__FLUSH_MS", "500000", "ingest.produce.flush_ms: "),
        ("INGEST__IDEMPOTENCY__FLUSH_MS", "500000", "ingest.idempotency.flush_ms: "),
        ("MANAGEMENT__LAG_EVERY_MS", "100", "management.lag_every_ms: "),
        ("MANAGEMENT__HTTP__DRAIN_MS", "500000", "management.http.drain_ms: "),
        ("BILLING_CONSUMER__CONSUMER__IN_HAND_RECORDS", "1", "billing_consumer.batch_chunks: "),
        ("LOG__FILTER", "a=loud", "log.filter: "),
        ("RUNTIME__WORKER_THREADS", "1000", "runtime.worker_threads: "),
    ];
    for (name, value, says) in cases {
        let settings = from(&[(&format!("SMSHUB__{name}"), value)]).unwrap();
        let refused = settings.check().expect_err(name).to_string();
        assert!(refused.lines().any(|line| line.starts_with(says)), "{name}={value}: {refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
