//! What the processes of one test share: the schema, and a record of everything they held.

use platform::ownership::clock::boot_ms;
use platform::ownership::{Lease, OwnershipSettings, Position, Role};
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::postgres::Schema;
use uuid::Uuid;

pub(crate) const ROLE: Role = Role::BillingConsumer;
pub(crate) const TOPIC: &str = "t";

/// One taking of a partition by a process.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) by: usize,
    pub(crate) lease: Lease,
    pub(crate) positions: Vec<Position>,
    /// By [`boot_ms`].
    pub(crate) at_ms: i64,
}

/// All takings, in their order, and where a lease was still good when the next began.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) taken: Vec<Taken>,
    pub(crate) overlaps: Vec<String>,
}

pub(crate) struct World {
    pub(crate) schema: Schema,
    pub(crate) partitions: i32,
    pub(crate) record: Arc<Mutex<Record>>,
    folders: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new(partitions: i32) -> Self {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        let world =
            World { schema, partitions, record: Arc::default(), folders: tempfile::tempdir().unwrap() };
        for statement in [
            "insert into ownership (role, partition) select $1, generate_series(0, $2 - 1)",
            "insert into position (role, topic, partition) select $1, 't', generate_series(0, $2 - 1)",
        ] {
            sqlx::query(statement).bind(ROLE.as_str()).bind(partitions).execute(world.pool()).await.unwrap();
        }
        world
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.schema.pool()
    }

    pub(crate) fn folder(&self, number: usize) -> PathBuf {
        self.folders.path().join(number.to_string())
    }

    /// Alive for `alive_ms`; everything else is short.
    pub(crate) fn settings(&self, folder: usize, alive_ms: u64) -> OwnershipSettings {
        OwnershipSettings {
            data_folder: self.folder(folder),
            alive_ms,
            renew_ms: 100,
            margin_ms: alive_ms / 4,
            mint_ms: 600_000,
            mint_renew_ms: 60_000,
            clock_skew_max_ms: 2_000,
            look_ms: 30,
            watchdog_ms: 400,
        }
    }

    /// The takings so far.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.record.lock().unwrap().taken.clone()
    }

    /// The last taking of a partition.
    pub(crate) fn last(&self, partition: i32) -> Taken {
        self.taken().into_iter().rfind(|taken| taken.lease.partition == partition).expect("it was taken")
    }

    /// Who holds how many partitions by the tables.
    pub(crate) async fn shares(&self) -> BTreeMap<Option<Uuid>, i64> {
        let rows: Vec<(Option<Uuid>, i64)> =
            sqlx::query_as("select process, count(*) from ownership where role = $1 group by 1")
                .bind(ROLE.as_str())
                .fetch_all(self.pool())
                .await
                .unwrap();
        rows.into_iter().collect()
    }

    /// For how many milliseconds the database still counts a process as alive.
    pub(crate) async fn alive_for_ms(&self, process: Uuid) -> i64 {
        let (left,): (i64,) = sqlx::query_as(
            "select (extract(epoch from alive_until - clock_timestamp()) * 1000)::bigint from process where id = $1",
        )
        .bind(process)
        .fetch_one(self.pool())
        .await
        .unwrap();
        left
    }

    /// Nobody ever began to hold a partition while another's lease was good; then the end.
    pub(crate) async fn end(self) {
        let record = std::mem::take(&mut *self.record.lock().unwrap());
        assert!(record.overlaps.is_empty(), "{:#?}", record.overlaps);
        let mut epochs: BTreeMap<i32, i64> = BTreeMap::new();
        for taken in &record.taken {
            let before = epochs.insert(taken.lease.partition, taken.lease.epoch);
            assert!(before < Some(taken.lease.epoch), "epochs rise");
            assert!(taken.positions.iter().all(|position| position.epoch == taken.lease.epoch));
        }
        self.schema.drop().await;
    }
}

/// Looks every few milliseconds until `condition` holds.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = boot_ms() + 30_000;
    while !condition().await {
        assert!(boot_ms() < deadline, "{what}: not within 30 seconds");
        // Between two looks at a condition with a deadline.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
