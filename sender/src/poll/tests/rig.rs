//! Tables, topics and an operator of its own.

use crate::attempts::Writer;
use crate::call::{Line, Link};
use crate::config::{ConnectorLimits, MagfaSettings, Routes, Settings};
use crate::connector::Connector;
use crate::courtesy::{Courtesy, CourtesySettings};
use crate::magfa::{Magfa, Outgoing, Sent};
use crate::metrics::Unknowns;
use crate::poll::places::Place;
use crate::poll::question::Asked;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::phone::Msisdn;
use platform::config::Secret;
use platform::health::Health;
use platform::heard::Heard;
use platform::kafka::KafkaSettings;
use platform::kafka::consumer::ConsumerLimits;
use platform::kafka::tail::{Tail, TailRecord};
use platform::kafka::topics::{TopicAdmin, Topics};
use platform::ownership::{DataFolder, OwnershipSettings, Registration, Role, Standing, heartbeat};
use platform::postgres::Pool;
use simulator::Operator;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use testkit::postgres::Schema;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wire::receipts::Receipts;

/// Conditions that do not come true in this time never will.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

pub(super) struct Rig {
    schema: Schema,
    kafka: KafkaSettings,
    topics: Topics,
    pub(super) operator: Arc<Operator>,
    base_url: String,
    stop: CancellationToken,
}

impl Rig {
    /// An operator that has every receipt at once.
    pub(super) async fn new() -> Self {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        let kafka = testkit::kafka::settings();
        let settings = simulator::Settings {
            delivery_ratio: 1.0,
            delivery_min_ms: 0,
            delivery_max_ms: 0,
            ..simulator::Settings::default()
        };
        let operator = Arc::new(Operator::in_memory(settings, 10_000, 1 << 20).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/api/http/sms/v2", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        tokio::spawn(simulator::serve(listener, Arc::clone(&operator), stop.clone()));
        Rig { topics: Topics::new(&kafka.topic_prefix, 1), schema, kafka, operator, base_url, stop }
    }

    /// Makes the topics. Kafka has them some time before it has leaders for them.
    pub(super) async fn make_topics(&self) {
        TopicAdmin::new(&self.kafka).unwrap().create(&self.topics).await.unwrap();
        self.until("sms.receipts has leaders", async || self.receipts().await.is_some()).await;
    }

    pub(super) fn pool(&self) -> &Pool {
        self.schema.pools().lane(Lane::Bulk)
    }

    pub(super) fn settings(&self) -> Settings {
        let magfa = MagfaSettings {
            base_url: self.base_url.clone(),
            user: "demo/demo".into(),
            password: Secret::from("demo"),
            call_timeout_ms: 5_000,
            call_messages: 100,
            limits: ConnectorLimits::default(),
        };
        let lane = || "magfa".to_owned();
        Settings {
            consumer: ConsumerLimits { in_hand_records: 100, in_hand_bytes: 1 << 20, ahead_records: 100 },
            calls_at_once: 4,
            questions_at_once: 4,
            look_up_after_ms: 1_000,
            look_ups_max: 1,
            retry_first_ms: 1_000,
            retry_longest_ms: 1_000,
            tries_max: 20,
            defer_after_ms: 5_000,
            deferred_look_ms: 1_000,
            deferred_in_hand: 100,
            deferred_rows_max: 100,
            deferred_octets_max: 1 << 20,
            store_every_ms: 100,
            poll_look_ms: 20,
            poll_chunks: 10,
            poll_again_after_ms: 60_000,
            poll_failed_again_ms: 100,
            look_up_longest_s: 86_400,
            linger_express_ms: 0,
            linger_standard_ms: 0,
            linger_bulk_ms: 0,
            stale_after_ms: 10_000,
            courtesy: CourtesySettings {
                read_every_ms: 1_000,
                opt_outs_max: 10,
                canceled_max: 10,
                advertising_from: "00:00".into(),
                advertising_until: "24:00".into(),
                utc_ahead_minutes: 0,
            },
            routes: Routes { express: lane(), standard: lane(), bulk: lane() },
            connectors: BTreeMap::from([("magfa".to_owned(), magfa)]),
        }
    }

    /// The way to the operator, and to the Kafka at `bootstrap` (nothing: that of `make test`).
    pub(super) async fn line(&self, bootstrap: Option<&str>) -> Arc<Line> {
        let mut kafka = self.kafka.clone();
        kafka.bootstrap = bootstrap.map_or(kafka.bootstrap, str::to_owned);
        let standing = self.standing().await;
        let writer = Writer::new(&kafka, 0, &self.topics, Lane::Bulk, Arc::clone(&standing)).unwrap();
        let magfa =
            Magfa::new(&self.settings().connectors["magfa"], 4, Unknowns::new(Lane::Bulk, "magfa")).unwrap();
        let connector = Connector::new("magfa", &ConnectorLimits::default(), 5_000, &Health::new());
        let heard = Arc::new(Heard::new(self.schema.pools().common().clone()));
        let route = Link { connector: Arc::new(connector), magfa };
        let courtesy = Arc::new(Courtesy::new(&self.settings().courtesy));
        let (others, pool) = (BTreeMap::new(), self.schema.pools().common().clone());
        Arc::new(Line { route, others, standing, courtesy, pool, heard, writer: Arc::new(writer) })
    }

    async fn standing(&self) -> Arc<Standing> {
        let folder = tempfile::tempdir().unwrap();
        let settings = OwnershipSettings {
            alive_ms: 60_000,
            renew_ms: 20_000,
            look_ms: 50,
            watchdog_ms: 30_000,
            ..testkit::ownership(folder.path().to_owned())
        };
        let registration = Registration { roles: vec![Role::Sender], mints: false };
        let folder = Arc::new(DataFolder::open(folder.path()).unwrap());
        let pool = self.schema.pools().common().clone();
        heartbeat(pool, &settings, registration, folder).await.unwrap().1
    }

    /// Gives the operator the messages of a chunk, and makes it due.
    pub(super) async fn due(&self, line: &Line, partition: i32, number: i64, messages: u8) {
        let chunk = ChunkId::new(number << 8).unwrap();
        let mut ids = Vec::new();
        let positions: Vec<u8> = (0..messages).collect();
        for call in positions.chunks(100) {
            let outgoing = call.iter().map(|position| Outgoing {
                id: chunk.message(*position),
                recipient: Msisdn::from_canonical(989_120_000_000 + u64::from(*position)).unwrap(),
                line: "100002",
                text: "x",
            });
            for sent in line.route.magfa.send(&outgoing.collect::<Vec<_>>()).await {
                let Sent::Taken(id) = sent else { panic!("{sent:?}") };
                ids.push(id);
            }
        }
        sqlx::query(
            "with ids as (insert into chunk_operator_ids values ($1, 1, 0, 'magfa', $4, $5))
             insert into receipt_poll
             select $1, 'bulk', $2, 'magfa', rpad(repeat('1', $3), 256, '0')::bit(256), now(), now()",
        )
        .bind(chunk.get())
        .bind(partition)
        .bind(i32::from(messages))
        .bind(positions)
        .bind(ids.join("\n"))
        .execute(self.schema.pool())
        .await
        .unwrap();
    }

    /// Messages of a chunk to ask about.
    pub(super) fn asked(number: i64, messages: u8) -> Vec<Asked> {
        let asked = (0..messages).map(|position| Asked {
            place: Place::START,
            partition: 0,
            chunk: ChunkId::new(number << 8).unwrap(),
            attempt: 1,
            position,
            by: Some(("1".into(), "magfa".into())),
        });
        asked.collect()
    }

    /// What is in sms.receipts, by partition; nothing where Kafka cannot say yet.
    pub(super) async fn receipts(&self) -> Option<BTreeMap<i32, Vec<Receipts>>> {
        let (kafka, topic) = (self.kafka.clone(), self.topics.receipts());
        let read = move || {
            let tail = Tail::new(&kafka).unwrap();
            let mut all = BTreeMap::new();
            for partition in 0..kafka.partitions {
                let range = tail.bounds(&topic, partition).ok()?;
                let records: &mut Vec<Receipts> = all.entry(partition).or_default();
                let decode = |record: TailRecord| Receipts::decode(&record.value).unwrap();
                tail.read(&topic, partition, range, |record| records.push(decode(record))).unwrap();
            }
            Some(all)
        };
        tokio::task::spawn_blocking(read).await.unwrap()
    }

    /// Waits for a condition.
    pub(super) async fn until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        let waiting = async {
            while !holds().await {
                // A look at the condition now and then, until the deadline.
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "not in time: {what}");
    }

    pub(super) async fn drop(self) {
        self.stop.cancel();
        TopicAdmin::new(&self.kafka).unwrap().delete(&self.topics).await.unwrap();
        self.schema.drop().await;
    }
}
