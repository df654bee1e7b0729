//! A whole gateway for a test: its own schema and topics, a simulated operator inside the
//! test, and the real binary as processes that can be killed.

mod customer;
mod process;

pub use customer::Customer;
pub use process::Process;

use crate::postgres::Schema;
use platform::kafka::KafkaSettings;
use platform::kafka::topics::{TopicAdmin, Topics};
use simulator::journal::What;
use simulator::{Operator, Settings};
use sqlx::migrate::Migrator;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Messages that the operator of a test remembers.
const OPERATOR_MESSAGES: u64 = 1_000_000;
/// Octets of the operator's journal, in memory.
const OPERATOR_JOURNAL: usize = 256 << 20;

/// Everything but the processes, which a test starts and kills.
pub struct Gateway {
    /// The tables.
    pub schema: Schema,
    /// The operator.
    pub operator: Arc<Operator>,
    /// The topics.
    pub kafka: KafkaSettings,
    binary: PathBuf,
    folder: TempDir,
    /// Where it listens.
    pub operator_address: SocketAddr,
    settings: Vec<(String, String)>,
    stop: CancellationToken,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop.cancel();
        if std::thread::panicking() {
            process::show_logs(self.folder.path());
        }
    }
}

impl Gateway {
    /// Makes tables, topics and the operator.
    ///
    /// # Panics
    /// Where any of it fails.
    pub async fn new(binary: &Path, migrations: &Migrator, operator: Settings) -> Self {
        let stop = CancellationToken::new();
        let (operator, operator_address) = start_operator(operator, &stop).await;
        let gateway = Gateway {
            schema: Schema::new(migrations).await,
            operator,
            kafka: crate::kafka::settings(),
            binary: binary.to_owned(),
            folder: tempfile::tempdir().expect("a folder"),
            operator_address,
            settings: Vec::new(),
            stop,
        };
        gateway.must(&["migrate"]);
        gateway.must(&["topics", "create"]);
        gateway
    }

    /// Another setting of what is started from now on: `SECTION__KEY`.
    pub fn set(&mut self, key: &str, value: &str) {
        self.settings.push((format!("SMSHUB__{key}"), value.to_owned()));
    }

    /// Another operator, that processes started from now on have as connector `name`; no lane is
    /// routed to it yet.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub async fn connector(&mut self, name: &str, operator: Settings) -> Arc<Operator> {
        let (operator, address) = start_operator(operator, &self.stop).await;
        let url = base_url(address);
        for (key, value) in [
            ("BASE_URL", url.as_str()),
            ("USER", "demo/demo"),
            ("PASSWORD", "demo"),
            ("CALL_TIMEOUT_MS", "2000"),
            ("CALL_MESSAGES", "100"),
        ] {
            self.set(&format!("SENDER__CONNECTORS__{}__{key}", name.to_uppercase()), value);
        }
        operator
    }

    /// A folder of its own, gone with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The binary with the settings of this gateway.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        let kafka = &self.kafka;
        command
            .env("SMSHUB__POSTGRES__URL", crate::variable("SMSHUB_TEST_POSTGRES"))
            .env("SMSHUB__POSTGRES__SCHEMA", &self.schema.settings().schema)
            .env("SMSHUB__POSTGRES__LANE_CONNECTIONS", "6")
            .env("SMSHUB__POSTGRES__COMMON_CONNECTIONS", "8")
            .env("SMSHUB__KAFKA__BOOTSTRAP", &kafka.bootstrap)
            .env("SMSHUB__KAFKA__TOPIC_PREFIX", &kafka.topic_prefix)
            .env("SMSHUB__KAFKA__PARTITIONS", kafka.partitions.to_string())
            .env("SMSHUB__KAFKA__FLUSH_EACH_RECORD", "false")
            .env("SMSHUB__OWNERSHIP__DATA_FOLDER", self.folder.path().join("cli"))
            .env("SMSHUB__SENDER__CONNECTORS__MAGFA__BASE_URL", base_url(self.operator_address))
            .env("SMSHUB__SENDER__CONNECTORS__MAGFA__USER", "demo/demo")
            .env("SMSHUB__SENDER__CONNECTORS__MAGFA__PASSWORD", "demo")
            .env("SMSHUB__SENDER__CONNECTORS__MAGFA__CALL_TIMEOUT_MS", "2000")
            // A test of limits sets its own.
            .env("SMSHUB__INGEST__RATES__STANDARD_SEGMENTS_PER_MINUTE", "1000000")
            .env("SMSHUB__INGEST__RATES__EXPRESS_SEGMENTS_PER_MINUTE", "1000000")
            .env("SMSHUB__SENDER__LOOK_UP_AFTER_MS", "200")
            .env("SMSHUB__SENDER__POLL_LOOK_MS", "100")
            .env("SMSHUB__DLR_RECONCILER__POLL_SCHEDULE_S", "1")
            .env("SMSHUB__DLR_RECONCILER__BULK_FLUSH_MS", "300")
            .env("SMSHUB__DLR_RECONCILER__STANDARD_FLUSH_MS", "300")
            .envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Runs a command of the binary to its end.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().expect("the binary starts")
    }

    /// Runs a command that must succeed, and returns what it printed.
    ///
    /// # Panics
    /// Where it fails, with what it said.
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "smshub {}: {out}{err}", arguments.join(" "));
        out.trim().to_owned()
    }

    /// Starts a process that runs `targets`; `name` is its data folder's. Waits until it is
    /// ready.
    ///
    /// # Panics
    /// Where it does not become ready.
    pub async fn start(&self, name: &str, targets: &str) -> Process {
        Process::start(self.command(), self.folder.path(), name, targets).await
    }

    /// A customer with `charge` rial and a key.
    ///
    /// # Panics
    /// Where that fails.
    pub fn customer(&self, charge: i64) -> Customer {
        let account = self.must(&["account", "create", "--name", "test", "--line", "100002"]);
        self.must(&["account", "charge", &account, &charge.to_string()]);
        let key = self.must(&["key", "create", "--account", &account, "--scope", "send,read"]);
        Customer::new(account.parse().expect("an id"), key)
    }

    /// Waits until every submitted record has its answer, every chunk is recorded, and nothing
    /// is in flight any more: until the audit at quiescence finds nothing, twice in a row.
    /// (Money may end before the content is stored: they come by different topics. And an
    /// audit reads the books before the topics: what is billed in between, the next one judges.)
    ///
    /// # Panics
    /// Where that does not come within `limit`, with what the audit says then.
    pub async fn quiescent(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let mut passed = 0;
        loop {
            let audit = self.run(&["audit", "--quiescent"]);
            passed = if audit.status.success() { passed + 1 } else { 0 };
            if passed >= 2 && self.everything_is_recorded().await {
                return;
            }
            if Instant::now() >= deadline {
                let (out, err) =
                    (String::from_utf8_lossy(&audit.stdout), String::from_utf8_lossy(&audit.stderr));
                panic!("not at rest after {limit:?}:\n{out}{err}{}", self.one_under_way().await);
            }
            tokio::time::sleep(Duration::from_millis(50)).await; // a look, not a hope: see the deadline
        }
    }

    /// What is known of a message that has not come to its end.
    async fn one_under_way(&self) -> String {
        let one: Option<i64> = sqlx::query_scalar(
            "select chunk_id + n from hold, generate_series(0, paid - 1) n
             where get_bit(settled | voided, n) = 0 limit 1",
        )
        .fetch_optional(self.schema.pool())
        .await
        .expect("Postgres answers");
        one.map(|id| self.must(&["trace", &id.to_string()])).unwrap_or_default()
    }

    async fn everything_is_recorded(&self) -> bool {
        let missing: i64 = sqlx::query_scalar(
            "select count(*) from hold h
             where not exists (select from all_chunk_content c where c.chunk_id = h.chunk_id)",
        )
        .fetch_one(self.schema.pool())
        .await
        .expect("Postgres answers");
        missing == 0
    }

    /// How often the operator was given each message, by our ids.
    pub fn submissions(&self) -> HashMap<i64, usize> {
        let mut counts = HashMap::new();
        for event in self.operator.remembered() {
            if let What::Send(elements) = event.what {
                for element in elements {
                    *counts.entry(element.uid).or_insert(0) += 1;
                }
            }
        }
        counts
    }

    /// Deletes its topics, so that Kafka need not carry those of all tests, and closes its
    /// connections. A test that panics before leaves them to the next reset of the parts.
    ///
    /// # Panics
    /// Where there can be no client.
    pub async fn close(self) {
        let admin = TopicAdmin::new(&self.kafka).expect("the settings are right");
        if let Err(error) = admin.delete(&Topics::new(&self.kafka.topic_prefix, 1)).await {
            eprintln!("topics are left: {error}");
        }
        self.schema.pools().close().await;
    }
}

/// How often an operator took each message, by our ids.
pub fn taken(operator: &Operator) -> HashMap<i64, usize> {
    let mut taken = HashMap::new();
    for event in operator.remembered() {
        event.taken().for_each(|(uid, _)| *taken.entry(uid).or_insert(0) += 1);
    }
    taken
}

/// An operator in this process, and where it listens.
async fn start_operator(settings: Settings, stop: &CancellationToken) -> (Arc<Operator>, SocketAddr) {
    let operator = Operator::in_memory(settings, OPERATOR_MESSAGES, OPERATOR_JOURNAL);
    let operator = Arc::new(operator.expect("the operator's settings are right"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(simulator::serve(listener, Arc::clone(&operator), stop.clone()));
    (operator, address)
}

/// The setting of a connector to an operator there.
fn base_url(operator: SocketAddr) -> String {
    format!("http://{operator}/api/http/sms/v2")
}
