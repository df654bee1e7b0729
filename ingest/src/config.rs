//! The settings of ingest. Units are in the names.

mod campaigns;
mod funds;
mod idempotency;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use domain::id::CHUNK_MESSAGES_MAX;
use domain::lane::Lane;
use domain::phone::Served;
use platform::config::{Secret, Violations};
use platform::http::HttpLimits;
use platform::kafka::KafkaSettings;
use serde::{Deserialize, Serialize};
use wire::submitted::CHUNK_BYTES_MAX;

use crate::chunking::MESSAGE_BYTES_MAX;
use crate::webhooks::WebhookLimits;

pub use campaigns::CampaignSettings;
pub use funds::FundsSettings;
pub use idempotency::IdempotencySettings;

/// Segments of a message that may ever be allowed: what a chunk of one message is proven to hold.
pub(crate) const SEGMENTS_MAX: u32 = 10;
/// Characters of a reference that may ever be allowed, for the same proof.
pub(crate) const REFERENCE_CHARACTERS_MAX: usize = 64;
/// A secret that an operator sends, in bytes: not to be guessed, and fit for a header.
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: usize = 256;
/// librdkafka holds at most 100,000 records a producer; each is counted as 1 KiB at least, so
/// this many bytes can never be more records than that.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Settings of the role ingest: section `ingest`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The address of the public API, `host:port`.
    pub listen: SocketAddr,
    /// The currency of all amounts, as ISO 4217 names it.
    pub currency: String,
    /// The countries whose numbers are accepted (ISO 3166, two letters); numbers without a
    /// country code belong to the first.
    pub countries: Vec<String>,
    /// How often the tariff is read, in milliseconds: a new version prices messages after
    /// at most this time.
    pub tariff_refresh_ms: u64,
    /// What a client may ask of the server.
    pub http: HttpLimits,
    /// What a request may hold.
    pub limits: Limits,
    /// How files of campaigns are taken in.
    pub campaigns: CampaignSettings,
    /// How much an account may send.
    pub rates: RateSettings,
    /// What lists and reports may read.
    pub reports: ReportSettings,
    /// How API keys are remembered.
    pub keys: KeySettings,
    /// Whether the balance covers a call.
    pub funds: FundsSettings,
    /// How requests with an `Idempotency-Key` are remembered.
    pub idempotency: IdempotencySettings,
    /// How chunks are handed to Kafka.
    pub produce: ProduceSettings,
    /// The endpoints of the old gateway.
    pub legacy: LegacySettings,
    /// How opt-outs are asked for and imported.
    pub opt_outs: OptOutSettings,
    /// Operators that push receipts, by the connector's name.
    pub receipts: BTreeMap<String, PushSettings>,
    /// Webhook endpoints of customers.
    pub webhooks: WebhookLimits,
}

/// An operator that pushes receipts: section `ingest.receipts.<connector>`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PushSettings {
    /// What it sends in `X-Receipt-Secret`; empty: it may not push.
    pub secret: Secret,
    /// Whether its receipts may name messages by the operator's own ids (`mid`), which
    /// dlr-reconciler then has to keep: `dlr_reconciler.operator_ids`.
    #[serde(default)]
    pub by_operator_id: bool,
}

/// What a request may hold: section `ingest.limits`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The body of a call for one message, in bytes.
    pub message_body_bytes: usize,
    /// The body of a bulk call, in bytes.
    pub bulk_body_bytes: usize,
    /// All bodies of bulk calls being read and worked on together, in bytes; above it: 503.
    pub bulk_bodies_bytes: usize,
    /// Bulk calls parsed, checked and encoded at once; the others wait. Less than the
    /// machine's cores, so that single messages find one free.
    pub bulk_workers: usize,
    /// The body of a call with receipts, in bytes.
    pub receipts_body_bytes: usize,
    /// The body of an administrator's call, and of a charge, in bytes.
    pub admin_body_bytes: usize,
    /// Messages of a bulk call.
    pub bulk_messages: usize,
    /// A standard bulk call of more accepted messages than this travels in lane bulk.
    pub bulk_lane_messages: usize,
    /// Messages of a chunk, at most 256.
    pub chunk_messages: usize,
    /// Segments of a message, at most 10.
    pub text_segments: u32,
    /// Characters of a reference, at most 64.
    pub reference_characters: usize,
    /// The shortest `ttl_seconds` a customer may ask for.
    pub ttl_seconds_min: u32,
    /// The longest `ttl_seconds` a customer may ask for.
    pub ttl_seconds_max: u32,
    /// `ttl_seconds` where the customer asks for none, by the lane asked for.
    pub ttl_seconds_default: ByLane<u32>,
}

/// How much an account may send, where it has no limit of its own: section `ingest.rates`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RateSettings {
    /// Segments a minute in lane standard.
    pub standard_segments_per_minute: u32,
    /// Segments a minute in lane express.
    pub express_segments_per_minute: u32,
    /// Buckets remembered, one for each account and lane that sent in the last minute.
    pub buckets: u64,
}

/// The endpoints of the old gateway: section `ingest.legacy`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LegacySettings {
    /// How far the old gateway's local time is ahead of UTC, in minutes: dates of its report are
    /// of this time.
    pub utc_offset_minutes: i32,
}

/// What lists and reports may read: section `ingest.reports`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReportSettings {
    /// Chunks looked into for one answer at most.
    pub chunks_max: usize,
}

/// How API keys are remembered: section `ingest.keys`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeySettings {
    /// How long a known key (its scopes, its account's lines, whether it is suspended) is believed,
    /// in milliseconds: a revoked key works at most so long.
    pub known_ms: u64,
    /// How long an unknown key is believed to be unknown, in milliseconds.
    pub unknown_ms: u64,
    /// While Postgres does not answer: how long after it was last checked a known key is
    /// believed, in milliseconds.
    pub unreadable_ms: u64,
    /// Keys remembered of each kind.
    pub entries: u64,
    /// How often it is written which keys were used, in milliseconds.
    pub used_every_ms: u64,
}

/// How opt-outs are asked for and imported: section `ingest.opt_outs`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OptOutSettings {
    /// How long it is believed that an account has none, in milliseconds: its first one is refused
    /// at the door after at most so long. (The sender knows of it within a second.)
    pub none_ms: u64,
    /// Accounts without any that are remembered.
    pub accounts: u64,
    /// The file of an import, in bytes.
    pub import_bytes: u64,
    /// Imports at the same time; above it: 503.
    pub imports_at_once: usize,
}

/// How chunks are handed to Kafka: section `ingest.produce`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ProduceSettings {
    /// How long a record waits for company, in milliseconds.
    pub linger_ms: ByLane<u64>,
    /// Bytes a lane may have unacknowledged; above it: 503.
    pub queue_bytes: ByLane<usize>,
    /// How long a request waits for Kafka's acknowledgement, in milliseconds; then 503, outcome
    /// unknown.
    pub ack_timeout_ms: u64,
    /// When stopping: how long what was produced may take to be acknowledged, in milliseconds.
    /// Less than the budget of the phase flush.
    pub flush_ms: u64,
}

/// One value for each lane.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ByLane<T> {
    /// Of lane express.
    pub express: T,
    /// Of lane standard.
    pub standard: T,
    /// Of lane bulk.
    pub bulk: T,
}

impl<T: Copy> ByLane<T> {
    /// The value of a lane.
    pub fn of(&self, lane: Lane) -> T {
        match lane {
            Lane::Express => self.express,
            Lane::Standard => self.standard,
            Lane::Bulk => self.bulk,
        }
    }
}

impl Settings {
    /// Checks the ranges, and against what Kafka's clients may hold.
    pub fn check(&self, kafka: &KafkaSettings, violations: &mut Violations) {
        let letters = self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        violations.require(letters, "ingest.currency", "three capital letters, such as \"IRR\"");
        if let Err(error) = Served::new(&self.countries) {
            violations.require(false, "ingest.countries", error.to_string().trim_start_matches("expected "));
        }
        violations.range("ingest.tariff_refresh_ms", self.tariff_refresh_ms, 100..=60_000);
        self.http.check("ingest.http", violations);
        self.limits.check(violations);
        self.campaigns.check(&self.limits, violations);
        self.rates.check(violations);
        violations.range("ingest.reports.chunks_max", self.reports.chunks_max, 100..=1_000_000);
        self.keys.check(violations);
        violations.range("ingest.legacy.utc_offset_minutes", self.legacy.utc_offset_minutes, -720..=840);
        self.funds.check(violations);
        self.idempotency.check(violations);
        self.opt_outs.check(violations);
        self.produce.check(&self.limits, kafka, violations);
        self.webhooks.check(violations);
        for (connector, push) in &self.receipts {
            push.check(connector, violations);
        }
    }
}

impl PushSettings {
    fn check(&self, connector: &str, violations: &mut Violations) {
        let secret = self.secret.expose();
        let long = (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&secret.len());
        let fits = secret.is_empty() || long && secret.bytes().all(|byte| byte.is_ascii_graphic());
        let expected =
            format!("nothing, or {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} visible ASCII characters");
        violations.require(fits, &format!("ingest.receipts.{connector}.secret"), &expected);
    }
}

impl Limits {
    fn check(&self, violations: &mut Violations) {
        let mut range = |name: &str, value: usize, of: std::ops::RangeInclusive<usize>| {
            violations.range(&format!("ingest.limits.{name}"), value, of);
        };
        range("message_body_bytes", self.message_body_bytes, 1_024..=1 << 20);
        range("bulk_body_bytes", self.bulk_body_bytes, 1_024..=256 << 20);
        range("bulk_bodies_bytes", self.bulk_bodies_bytes, self.bulk_body_bytes..=8 << 30);
        range("bulk_workers", self.bulk_workers, 1..=256);
        range("receipts_body_bytes", self.receipts_body_bytes, 1_024..=1 << 20);
        range("admin_body_bytes", self.admin_body_bytes, 1_024..=1 << 20);
        range("bulk_messages", self.bulk_messages, 1..=10_000);
        range("bulk_lane_messages", self.bulk_lane_messages, 0..=10_000);
        range("chunk_messages", self.chunk_messages, 1..=CHUNK_MESSAGES_MAX);
        range("reference_characters", self.reference_characters, 1..=REFERENCE_CHARACTERS_MAX);
        violations.range("ingest.limits.text_segments", self.text_segments, 1..=SEGMENTS_MAX);
        violations.range("ingest.limits.ttl_seconds_max", self.ttl_seconds_max, 30..=259_200);
        violations.range("ingest.limits.ttl_seconds_min", self.ttl_seconds_min, 1..=self.ttl_seconds_max);
        for lane in Lane::ALL {
            let key = format!("ingest.limits.ttl_seconds_default.{lane}");
            let asked = self.ttl_seconds_min..=self.ttl_seconds_max;
            violations.range(&key, self.ttl_seconds_default.of(lane), asked);
        }
    }
}

impl RateSettings {
    fn check(&self, violations: &mut Violations) {
        // A process cannot tell more than a segment a microsecond apart.
        let segments = 1..=60_000_000;
        let (standard, express) = (self.standard_segments_per_minute, self.express_segments_per_minute);
        violations.range("ingest.rates.standard_segments_per_minute", standard, segments.clone());
        violations.range("ingest.rates.express_segments_per_minute", express, segments);
        violations.range("ingest.rates.buckets", self.buckets, 1_000..=10_000_000);
    }
}

impl KeySettings {
    fn check(&self, violations: &mut Violations) {
        violations.range("ingest.keys.known_ms", self.known_ms, 0..=60_000);
        violations.range("ingest.keys.unknown_ms", self.unknown_ms, 0..=60_000);
        violations.range("ingest.keys.unreadable_ms", self.unreadable_ms, 0..=3_600_000);
        violations.range("ingest.keys.entries", self.entries, 100..=10_000_000);
        violations.range("ingest.keys.used_every_ms", self.used_every_ms, 100..=3_600_000);
    }
}

impl OptOutSettings {
    fn check(&self, violations: &mut Violations) {
        violations.range("ingest.opt_outs.none_ms", self.none_ms, 0..=60_000);
        violations.range("ingest.opt_outs.accounts", self.accounts, 100..=10_000_000);
        violations.range("ingest.opt_outs.import_bytes", self.import_bytes, 1_024..=1 << 40);
        violations.range("ingest.opt_outs.imports_at_once", self.imports_at_once, 1..=64);
    }
}

impl ProduceSettings {
    fn check(&self, limits: &Limits, kafka: &KafkaSettings, violations: &mut Violations) {
        for lane in Lane::ALL {
            violations.range(&format!("ingest.produce.linger_ms.{lane}"), self.linger_ms.of(lane), 0..=1_000);
            let key = format!("ingest.produce.queue_bytes.{lane}");
            let bytes = self.queue_bytes.of(lane);
            // A call of the longest texts must fit, or it could never be sent.
            let largest_call = match lane {
                Lane::Express => 1,
                Lane::Standard => limits.bulk_lane_messages.clamp(1, limits.bulk_messages),
                Lane::Bulk => limits.bulk_messages,
            };
            let least = largest_call * MESSAGE_BYTES_MAX + CHUNK_BYTES_MAX;
            violations.range(&key, bytes, least..=QUEUE_BYTES_MAX);
            let fits = bytes as u64 <= kafka.producer_queue_bytes;
            violations.require(fits, &key, "at most kafka.producer_queue_bytes");
        }
        violations.range("ingest.produce.ack_timeout_ms", self.ack_timeout_ms, 100..=120_000);
        violations.range("ingest.produce.flush_ms", self.flush_ms, 10..=600_000);
    }
}
