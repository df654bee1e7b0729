//! Topics and tables of its own, and the role as a process runs it.

use crate::samples;
use crate::{HistorySettings, Settings, SweepSettings};
use bytes::Bytes;
use domain::status::Costs;
use ledger::audit::Expect;
use platform::health::Health;
use platform::install;
use platform::kafka::KafkaSettings;
use platform::kafka::consumer::ConsumerLimits;
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::{TopicAdmin, Topics};
use platform::lifecycle::{Budgets, Failure, Lifecycle, Phase};
use platform::ownership::{DataFolder, OwnershipSettings, Registration, Role, heartbeat};
use platform::role::Common;
use platform::threads::Threads;
use sqlx::{AssertSqlSafe, PgPool};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use testkit::postgres::Schema;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Conditions that do not come true in this time never will.
const DEADLINE: Duration = Duration::from_secs(30);

/// The partitions that the role holds.
pub(super) const HELD: &str = "ownership where role = 'dlr-reconciler' and process is not null";

pub(super) struct Rig {
    schema: Schema,
    kafka: KafkaSettings,
    pub(super) topics: Topics,
    folder: TempDir,
    producer: Producer,
    /// Offsets behind the last record sent.
    ends: Mutex<BTreeMap<(String, i32), i64>>,
}

pub(super) struct Running {
    pub(super) common: Common,
    signal: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), Failure>>,
}

impl Rig {
    pub(super) async fn new() -> Self {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        samples::account(schema.pool(), 100_000).await;
        let kafka = testkit::kafka::settings();
        let admin = TopicAdmin::new(&kafka).unwrap();
        install::create(schema.pool(), &admin, &kafka.topic_prefix, kafka.partitions).await.unwrap();
        Rig {
            topics: Topics::new(&kafka.topic_prefix, 1),
            producer: Producer::new(&kafka, 1).unwrap(),
            folder: tempfile::tempdir().unwrap(),
            ends: Mutex::default(),
            schema,
            kafka,
        }
    }

    /// Everything as short as the settings allow.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            operator_ids: BTreeSet::new(),
            consumer: ConsumerLimits { in_hand_records: 1_000, in_hand_bytes: 8 << 20, ahead_records: 500 },
            chunks_per_transaction: 20,
            content_flush_ms: 50,
            express_flush_ms: 100,
            standard_flush_ms: 100,
            bulk_flush_ms: 100,
            receipts_flush_ms: 100,
            pending_every_ms: 200,
            pending_keep_hours: 1,
            poll_schedule_s: vec![1],
            poll_window_s: 60,
            retry_longest_ms: 200,
            stale_after_ms: 5_000,
            costs: Costs::default(),
            // Hardly ever: by their ids the messages of these tests should have ended days ago.
            sweep: SweepSettings { every_ms: 600_000, look_chunks: 100, hard_cap_s: 86_400 },
            history: HistorySettings { after_s: 3_600, every_ms: 50, chunks: 3 },
            webhooks: crate::webhooks::tests::settings(),
        }
    }

    /// Runs the role until it holds every partition.
    pub(super) async fn run(&self, settings: Settings) -> Running {
        let ownership = OwnershipSettings {
            renew_ms: 500,
            look_ms: 50,
            watchdog_ms: 3_000,
            ..testkit::ownership(self.folder.path().to_owned())
        };
        let folder = Arc::new(DataFolder::open(self.folder.path()).unwrap());
        let registration = Registration { roles: vec![Role::DlrReconciler], mints: false };
        let (beating, standing, _) =
            heartbeat(self.schema.pools().common().clone(), &ownership, registration, folder).await.unwrap();
        let common = Common {
            pools: self.schema.pools().clone(),
            kafka: self.kafka.clone(),
            topics: self.topics.clone(),
            partitions: self.kafka.partitions,
            standing,
            ownership,
            health: Health::new(),
            threads: Arc::new(Threads::shared()),
        };
        let budgets = Budgets {
            stop_accepting_ms: 5_000,
            drain_ms: 10_000,
            flush_ms: 5_000,
            release_ms: 5_000,
            close_ms: 5_000,
        };
        let mut lifecycle = Lifecycle::new(budgets);
        lifecycle.spawn("heartbeat", Phase::Release, |stop| beating.run(stop));
        let calls = crate::webhooks::tests::calls();
        let webhooks = crate::Webhooks { calls: &calls, currency: "IRR" };
        crate::start(&common, &settings, webhooks, &mut lifecycle).unwrap();
        let (signal, asked) = oneshot::channel();
        let ended = tokio::spawn(lifecycle.run(async {
            let _ = asked.await;
        }));
        let all = i64::from(self.kafka.partitions);
        self.until("all partitions are held", async || self.count(HELD).await == all).await;
        Running { common, signal, ended }
    }

    pub(super) fn pool(&self) -> &PgPool {
        self.schema.pool()
    }

    /// Produces records, and waits until Kafka has them.
    pub(super) async fn send(&self, topic: &str, partition: i32, records: &[Bytes]) {
        let (acks, done) = Acks::new(records.len());
        for record in records {
            self.producer.send(topic, partition, record, acks.delivered()).unwrap();
        }
        done.await.unwrap().unwrap();
        *self.ends.lock().unwrap().entry((topic.to_owned(), partition)).or_default() += records.len() as i64;
    }

    /// Waits for a condition.
    pub(super) async fn until(&self, what: &str, holds: impl AsyncFn() -> bool) {
        let waiting = async {
            while !holds().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "not in time: {what}");
    }

    pub(super) async fn execute(&self, statement: &'static str) {
        sqlx::query(statement).execute(self.pool()).await.unwrap();
    }

    async fn number(&self, statement: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(self.pool()).await.unwrap()
    }

    /// Rows of a table (and condition).
    pub(super) async fn count(&self, table: &str) -> i64 {
        self.number(&format!("select count(*) from {table}")).await
    }

    pub(super) async fn position(&self, topic: &str, partition: i32) -> i64 {
        let positions = self.positions().await;
        positions.get(&(topic.to_owned(), partition)).copied().unwrap_or(0)
    }

    /// Positions other than zero.
    pub(super) async fn positions(&self) -> BTreeMap<(String, i32), i64> {
        let rows: Vec<(String, i32, i64)> = sqlx::query_as(
            "select topic, partition, next_offset from position
             where role = 'dlr-reconciler' and next_offset > 0",
        )
        .fetch_all(self.pool())
        .await
        .unwrap();
        rows.into_iter().map(|(topic, partition, next)| ((topic, partition), next)).collect()
    }

    pub(super) fn ends(&self) -> BTreeMap<(String, i32), i64> {
        self.ends.lock().unwrap().clone()
    }

    pub(super) async fn move_position(&self, topic: &str, partition: i32, to: i64) {
        sqlx::query(
            "update position set next_offset = $3
             where role = 'dlr-reconciler' and topic = $1 and partition = $2",
        )
        .bind(topic)
        .bind(partition)
        .bind(to)
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// One position of a partition goes to another epoch: it is stored no further.
    pub(super) async fn stand_still(&self, topic: &str, partition: i32) {
        sqlx::query(
            "update position set epoch = epoch + 1
             where role = 'dlr-reconciler' and topic = $1 and partition = $2",
        )
        .bind(topic)
        .bind(partition)
        .execute(self.pool())
        .await
        .unwrap();
    }

    /// Positions of a partition go to another epoch, as when another process takes it.
    pub(super) async fn take_over(&self, partition: i32) {
        sqlx::query("update position set epoch = epoch + 1 where role = 'dlr-reconciler' and partition = $1")
            .bind(partition)
            .execute(self.pool())
            .await
            .unwrap();
    }

    /// Balance and held.
    pub(super) async fn money(&self) -> (i64, i64) {
        sqlx::query_as("select balance, held from account").fetch_one(self.pool()).await.unwrap()
    }

    pub(super) async fn is_clean(&self, expect: Expect) {
        let mut connection = self.pool().acquire().await.unwrap();
        let report = ledger::audit::run(&mut connection, expect).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    pub(super) async fn drop(self) {
        let admin = TopicAdmin::new(&self.kafka).unwrap();
        admin.delete(&self.topics).await.unwrap();
        self.schema.drop().await;
    }
}

impl Running {
    /// Codes and subjects.
    pub(super) fn alarms(&self) -> Vec<(&'static str, String)> {
        self.common.health.report().alarms.into_iter().map(|alarm| (alarm.code, alarm.subject)).collect()
    }

    pub(super) fn is_failing(&self, check: &str) -> bool {
        self.common.health.report().checks.iter().any(|line| line.name == check && !line.ok)
    }

    /// Stops in order.
    pub(super) async fn stop(self) {
        self.signal.send(()).unwrap();
        self.ended.await.unwrap().unwrap();
    }
}
