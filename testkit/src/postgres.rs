//! A schema of its own for every test: cheaper than a database, and as separate.

use platform::config::Secret;
use platform::postgres::{Pools, PostgresSettings, ensure_schema};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, PgPool};

/// A schema with all tables, dropped at the end of the test.
pub struct Schema {
    settings: PostgresSettings,
    pools: Pools,
}

impl Schema {
    /// Makes the schema and its tables.
    ///
    /// # Panics
    /// Where Postgres cannot be reached, or a migration fails.
    pub async fn new(migrations: &Migrator) -> Self {
        let settings = PostgresSettings {
            url: Secret::from(crate::variable("SMSHUB_TEST_POSTGRES")),
            schema: format!("test_{}", uuid::Uuid::new_v4().simple()),
            lane_connections: 4,
            common_connections: 6,
            report_connections: 4,
            report_timeout_ms: 20_000,
            acquire_timeout_ms: 10_000,
            express_lock_timeout_ms: 200,
            lock_timeout_ms: 2_000,
            idle_in_transaction_timeout_ms: 5_000,
            statement_timeout_ms: 30_000,
            answer_timeout_ms: 35_000,
        };
        ensure_schema(&settings).await.expect("Postgres of `make test` answers");
        let pools = Pools::open(&settings).expect("the settings are right");
        migrations.run(&**pools.common()).await.expect("the migrations run");
        Schema { settings, pools }
    }

    /// Connections whose tables are those of this schema.
    pub fn pools(&self) -> &Pools {
        &self.pools
    }

    /// A pool for anything.
    pub fn pool(&self) -> &PgPool {
        self.pools.common()
    }

    /// How to reach it.
    pub fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// Drops the schema. A test that panics before leaves it to the next reset of the parts.
    ///
    /// # Panics
    /// Where Postgres refuses.
    pub async fn drop(self) {
        let name = &self.settings.schema;
        let statement = format!("drop schema {name} cascade");
        sqlx::query(AssertSqlSafe(statement)).execute(self.pool()).await.expect("the schema is dropped");
        self.pools.close().await;
    }
}
