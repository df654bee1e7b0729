//! Settings for tests, and what is refused of settings.

use platform::config::Violations;
use platform::http::HttpLimits;
use platform::kafka::KafkaSettings;
use platform::webhook::WebhookSettings;

use crate::{
    ByLane, CampaignSettings, FundsSettings, IdempotencySettings, KeySettings, LegacySettings, Limits,
    OptOutSettings, ProduceSettings, PushSettings, RateSettings, ReportSettings, Settings, WebhookLimits,
};

/// The secret of connector `magfa`.
pub(crate) const SECRET: &str = "0123456789abcdef!~";

pub(crate) fn settings() -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        currency: "IRR".into(),
        countries: vec!["IR".into(), "DE".into()],
        tariff_refresh_ms: 1_000,
        http: HttpLimits {
            max_connections: 64,
            max_head_bytes: 8_192,
            max_headers: 32,
            head_timeout_ms: 2_000,
            idle_timeout_ms: 5_000,
            write_timeout_ms: 5_000,
            body_timeout_ms: 2_000,
            body_idle_ms: 300,
            drain_ms: 5_000,
        },
        limits: Limits {
            message_body_bytes: 8_192,
            bulk_body_bytes: 4 << 20,
            bulk_bodies_bytes: 8 << 20,
            bulk_workers: 1,
            receipts_body_bytes: 131_072,
            admin_body_bytes: 131_072,
            bulk_messages: 2_500,
            bulk_lane_messages: 1_000,
            chunk_messages: 200,
            text_segments: 10,
            reference_characters: 64,
            ttl_seconds_min: 30,
            ttl_seconds_max: 259_200,
            ttl_seconds_default: ByLane { express: 300, standard: 86_400, bulk: 259_200 },
        },
        campaigns: CampaignSettings {
            uploads: 4,
            segment_rows: 100,
            segment_wait_ms: 200,
            room_timeout_ms: 2_000,
            verdict_timeout_ms: 10_000,
            gzip_times: 100,
        },
        rates: RateSettings {
            standard_segments_per_minute: 2_000,
            express_segments_per_minute: 1_500,
            buckets: 1_000,
        },
        legacy: LegacySettings { utc_offset_minutes: 210 },
        keys: KeySettings {
            known_ms: 200,
            unknown_ms: 200,
            unreadable_ms: 60_000,
            entries: 1_000,
            used_every_ms: 60_000,
        },
        funds: FundsSettings {
            refresh_ms: 100,
            accounts: 1_000,
            idle_ms: 2_000,
            promised_chunks: 10_000,
            verdict_look_ms: 10,
            verdict_ms: 500,
            waiting_chunks: 100,
            stale_ms: 1_000,
            behind_ms: ByLane { express: 5_000, standard: 600_000, bulk: 600_000 },
        },
        idempotency: IdempotencySettings {
            keep_hours: 48,
            under_way: 256,
            batch_keys: 64,
            delete_every_ms: 1_000,
            delete_rows: 100,
            flush_ms: 5_000,
        },
        reports: ReportSettings { chunks_max: 1_000 },
        opt_outs: OptOutSettings { none_ms: 200, accounts: 100, import_bytes: 1 << 20, imports_at_once: 1 },
        produce: ProduceSettings {
            linger_ms: ByLane { express: 2, standard: 5, bulk: 20 },
            queue_bytes: ByLane { express: 1 << 20, standard: 8 << 20, bulk: 16 << 20 },
            ack_timeout_ms: 10_000,
            flush_ms: 5_000,
        },
        receipts: [("magfa", SECRET), ("other", "the-secret-of-another"), ("silent", "")]
            .map(|(connector, secret)| {
                (connector.to_owned(), PushSettings { secret: secret.into(), by_operator_id: false })
            })
            .into(),
        webhooks: WebhookLimits { per_account: 3, rotation_hours: 24, tests_at_once: 2 },
    }
}

/// Receivers are on this machine.
pub(super) fn calls() -> WebhookSettings {
    WebhookSettings {
        allow: vec!["127.0.0.0/8".into()],
        connect_timeout_ms: 500,
        call_timeout_ms: 1_000,
        look_ups: 2,
    }
}

fn kafka() -> KafkaSettings {
    KafkaSettings {
        bootstrap: "127.0.0.1:1".into(),
        topic_prefix: String::new(),
        partitions: 4,
        replication: 1,
        min_insync_replicas: 1,
        flush_each_record: true,
        retention_hours: 168,
        consumer_queue_bytes: 16 << 20,
        producer_queue_bytes: 64 << 20,
        request_timeout_ms: 1_000,
    }
}

fn refused(change: impl FnOnce(&mut Settings)) -> String {
    let mut changed = settings();
    change(&mut changed);
    let mut violations = Violations::new();
    changed.check(&kafka(), &mut violations);
    violations.into_result().map_or_else(|error| error.to_string(), |()| String::new())
}

fn push(settings: &mut Settings, secret: &str) {
    settings.receipts.insert("magfa".into(), PushSettings { secret: secret.into(), by_operator_id: false });
}

#[test]
fn settings_that_cannot_work_are_refused() {
    assert_eq!(refused(|_| {}), "");
    assert!(!refused(|s| push(s, "hunter2")).contains("hunter2"));
    for (key, message) in [
        ("ingest.currency", refused(|s| s.currency = "rial".into())),
        ("ingest.countries", refused(|s| s.countries = vec!["XX".into()])),
        ("ingest.tariff_refresh_ms", refused(|s| s.tariff_refresh_ms = 0)),
        ("ingest.http.max_connections", refused(|s| s.http.max_connections = 0)),
        ("ingest.limits.chunk_messages", refused(|s| s.limits.chunk_messages = 257)),
        ("ingest.limits.text_segments", refused(|s| s.limits.text_segments = 11)),
        ("ingest.limits.reference_characters", refused(|s| s.limits.reference_characters = 65)),
        ("ingest.limits.bulk_messages", refused(|s| s.limits.bulk_messages = 10_001)),
        ("ingest.limits.bulk_bodies_bytes", refused(|s| s.limits.bulk_bodies_bytes = 1 << 20)),
        ("ingest.limits.ttl_seconds_max", refused(|s| s.limits.ttl_seconds_max = 259_201)),
        ("ingest.limits.ttl_seconds_default.express", refused(|s| s.limits.ttl_seconds_default.express = 29)),
        ("ingest.campaigns.uploads", refused(|s| s.campaigns.uploads = 0)),
        ("ingest.campaigns.segment_rows", refused(|s| s.campaigns.segment_rows = 2_501)),
        ("ingest.campaigns.verdict_timeout_ms", refused(|s| s.campaigns.verdict_timeout_ms = 9)),
        ("ingest.campaigns.gzip_times", refused(|s| s.campaigns.gzip_times = 1_033)),
        ("ingest.funds.refresh_ms", refused(|s| s.funds.refresh_ms = 10)),
        ("ingest.funds.idle_ms", refused(|s| s.funds.idle_ms = 99)),
        ("ingest.funds.stale_ms", refused(|s| s.funds.stale_ms = 100)),
        ("ingest.funds.verdict_ms", refused(|s| s.funds.verdict_ms = 9)),
        ("ingest.funds.waiting_chunks", refused(|s| s.funds.waiting_chunks = 0)),
        ("ingest.funds.behind_ms.express", refused(|s| s.funds.behind_ms.express = 499)),
        ("ingest.rates.standard_segments_per_minute", refused(|s| s.rates.standard_segments_per_minute = 0)),
        (
            "ingest.rates.express_segments_per_minute",
            refused(|s| s.rates.express_segments_per_minute = 60_000_001),
        ),
        ("ingest.rates.buckets", refused(|s| s.rates.buckets = 0)),
        ("ingest.legacy.utc_offset_minutes", refused(|s| s.legacy.utc_offset_minutes = 841)),
        ("ingest.keys.entries", refused(|s| s.keys.entries = 0)),
        ("ingest.keys.used_every_ms", refused(|s| s.keys.used_every_ms = 0)),
        ("ingest.limits.admin_body_bytes", refused(|s| s.limits.admin_body_bytes = 0)),
        ("ingest.limits.receipts_body_bytes", refused(|s| s.limits.receipts_body_bytes = 0)),
        ("ingest.receipts.magfa.secret", refused(|s| push(s, "fifteen letters"))),
        ("ingest.receipts.magfa.secret", refused(|s| push(s, "sixteen letters!!\n"))),
        ("ingest.receipts.magfa.secret", refused(|s| push(s, "with a space in it"))),
        ("ingest.receipts.magfa.secret", refused(|s| push(s, &"x".repeat(257)))),
        ("ingest.produce.ack_timeout_ms", refused(|s| s.produce.ack_timeout_ms = 0)),
        ("ingest.idempotency.keep_hours", refused(|s| s.idempotency.keep_hours = 0)),
        ("ingest.idempotency.under_way", refused(|s| s.idempotency.under_way = 0)),
        ("ingest.idempotency.batch_keys", refused(|s| s.idempotency.batch_keys = 0)),
        ("ingest.idempotency.delete_every_ms", refused(|s| s.idempotency.delete_every_ms = 0)),
        ("ingest.idempotency.delete_rows", refused(|s| s.idempotency.delete_rows = 0)),
        // Smaller than the largest call, and larger than the client may hold.
        ("ingest.produce.queue_bytes.bulk", refused(|s| s.produce.queue_bytes.bulk = 1 << 20)),
        ("ingest.produce.queue_bytes.bulk", refused(|s| s.produce.queue_bytes.bulk = 65 << 20)),
    ] {
        assert!(message.contains(&format!("{key}: expected")), "{key}: {message}");
    }
}
