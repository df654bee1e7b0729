//! Postgres: one pool a lane, so that a flood in one cannot take the connections of another.

mod pool;

pub use pool::Pool;

use domain::lane::Lane;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::str::FromStr;
use std::time::Duration;

/// Settings of the connections to Postgres.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:port/database`.
    pub url: crate::config::Secret,
    /// The schema all tables are in.
    pub schema: String,
    /// Connections of each lane's pool at most.
    pub lane_connections: u32,
    /// Connections of the pool for everything else (ownership, keys, commands) at most.
    pub common_connections: u32,
    /// Connections of the pool for customers' reports and lists at most.
    pub report_connections: u32,
    /// A statement of a report that runs longer is ended by the server, in milliseconds.
    pub report_timeout_ms: u64,
    /// How long a request may wait for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// How long an express transaction waits for a row lock, in milliseconds.
    pub express_lock_timeout_ms: u64,
    /// How long any other transaction waits for a row lock, in milliseconds.
    pub lock_timeout_ms: u64,
    /// A transaction that stands idle longer is ended by the server, in milliseconds: a
    /// frozen process must not freeze accounts.
    pub idle_in_transaction_timeout_ms: u64,
    /// A statement that runs longer is ended by the server, in milliseconds.
    pub statement_timeout_ms: u64,
    /// How long a piece of work may wait for Postgres in all, in milliseconds: a host that
    /// vanished says nothing, not even that it is gone.
    pub answer_timeout_ms: u64,
}

/// Connections of the heartbeat: one, and one while a broken one is being closed.
const PULSE_CONNECTIONS: u32 = 2;

/// The pools of one process.
#[derive(Clone, Debug)]
pub struct Pools {
    lanes: [Pool; 3],
    common: Pool,
    reports: Pool,
}

impl Pools {
    /// Opens the pools; connections are made when first used.
    pub fn open(settings: &PostgresSettings) -> Result<Self, sqlx::Error> {
        let lock_ms = |lane: Lane| match lane {
            Lane::Express => settings.express_lock_timeout_ms,
            Lane::Standard | Lane::Bulk => settings.lock_timeout_ms,
        };
        let lane_pool =
            |lane: Lane| open(settings, lane.as_str(), settings.lane_connections, lock_ms(lane), None);
        let [express, standard, bulk] = Lane::ALL.map(lane_pool);
        let (connections, lock_ms) = (settings.common_connections, settings.lock_timeout_ms);
        Ok(Pools {
            lanes: [express?, standard?, bulk?],
            common: open(settings, "common", connections, lock_ms, None)?,
            reports: reports(settings)?,
        })
    }

    /// The pool of a lane.
    pub fn lane(&self, lane: Lane) -> &Pool {
        match lane {
            Lane::Express => &self.lanes[0],
            Lane::Standard => &self.lanes[1],
            Lane::Bulk => &self.lanes[2],
        }
    }

    /// The pool for everything that belongs to no lane.
    pub fn common(&self) -> &Pool {
        &self.common
    }

    /// The pool for what customers read: however much that is, nothing else waits for it.
    pub fn reports(&self) -> &Pool {
        &self.reports
    }

    /// Closes all connections; those in use are waited for as long as for an answer.
    pub async fn close(&self) {
        let [express, standard, bulk] = &self.lanes;
        tokio::join!(
            express.close(),
            standard.close(),
            bulk.close(),
            self.common.close(),
            self.reports.close()
        );
    }
}

/// The heartbeat's own connection, that nothing else may make it wait for. `timeout` is how
/// long it waits, to be connected and for an answer.
pub fn pulse(settings: &PostgresSettings, timeout: Duration) -> Result<Pool, sqlx::Error> {
    open(settings, "pulse", PULSE_CONNECTIONS, settings.lock_timeout_ms, Some(timeout))
}

/// Reports ask of one account or another, of minutes or of months: each statement is planned
/// for what it asks, and none is worth compiling.
fn reports(settings: &PostgresSettings) -> Result<Pool, sqlx::Error> {
    let timeout_ms = settings.report_timeout_ms;
    let settings = PostgresSettings { statement_timeout_ms: timeout_ms, ..settings.clone() };
    let (connections, lock_ms) = (settings.report_connections, settings.lock_timeout_ms);
    let planning = [("plan_cache_mode", "force_custom_plan"), ("jit", "off")];
    open_with(&settings, "reports", connections, lock_ms, None, &planning)
}

fn open(
    settings: &PostgresSettings,
    name: &str,
    connections: u32,
    lock_timeout_ms: u64,
    timeout: Option<Duration>,
) -> Result<Pool, sqlx::Error> {
    open_with(settings, name, connections, lock_timeout_ms, timeout, &[])
}

fn open_with(
    settings: &PostgresSettings,
    name: &str,
    connections: u32,
    lock_timeout_ms: u64,
    timeout: Option<Duration>,
    further: &[(&str, &str)],
) -> Result<Pool, sqlx::Error> {
    let options = PgConnectOptions::from_str(settings.url.expose())?
        .application_name(&format!("smshub-{name}"))
        .options([
            ("search_path", settings.schema.clone()),
            ("lock_timeout", lock_timeout_ms.to_string()),
            ("idle_in_transaction_session_timeout", settings.idle_in_transaction_timeout_ms.to_string()),
            ("statement_timeout", settings.statement_timeout_ms.to_string()),
        ])
        .options(further.iter().copied());
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(timeout.unwrap_or(Duration::from_millis(settings.acquire_timeout_ms)))
        // The transactions that matter find a broken connection out by themselves.
        .test_before_acquire(false);
    let answer_timeout = timeout.unwrap_or(Duration::from_millis(settings.answer_timeout_ms));
    Ok(Pool::new(pool.connect_lazy_with(options), answer_timeout))
}

/// Makes the schema where it does not exist yet.
pub async fn ensure_schema(settings: &PostgresSettings) -> Result<(), sqlx::Error> {
    let options = PgConnectOptions::from_str(settings.url.expose())?;
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    let name = settings.schema.replace('"', "\"\"");
    // The name is our own setting, quoted above.
    sqlx::query(AssertSqlSafe(format!("create schema if not exists \"{name}\""))).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// Whether a transaction lost a race and is to be tried again as it is: a deadlock, or a
/// lock that was not had in time.
pub fn lost_a_race(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|database| database.code());
    matches!(code.as_deref(), Some("40P01" | "55P03" | "40001"))
}
