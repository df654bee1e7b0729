//! What every role of a process is given.

use crate::health::Health;
use crate::kafka::KafkaSettings;
use crate::kafka::topics::Topics;
use crate::lifecycle::{Lifecycle, Phase};
use crate::ownership::{Beat, Change, Owner, OwnershipSettings, Role, Standing, fan_out};
use crate::postgres::Pools;
use crate::threads::Threads;
use std::sync::Arc;
use tokio::sync::mpsc;

/// What the roles of one process share.
#[derive(Clone)]
pub struct Common {
    /// The connections to Postgres.
    pub pools: Pools,
    /// How to reach Kafka.
    pub kafka: KafkaSettings,
    /// The topics' names.
    pub topics: Topics,
    /// Partitions of every topic, as installed.
    pub partitions: i32,
    /// The process's standing.
    pub standing: Arc<Standing>,
    /// How partitions are held.
    pub ownership: OwnershipSettings,
    /// Checks and alarms behind `/readyz`.
    pub health: Health,
    /// Where the work of each lane runs.
    pub threads: Arc<Threads>,
}

/// One loop of a role, as the owner of its partitions sees it.
pub struct RoleLoop {
    /// Where it is told of partitions.
    pub changes: mpsc::Sender<Change>,
    /// Its sign of life.
    pub beat: Beat,
}

impl Common {
    /// Keeps a role's share of the partitions for `loops`. The owner gives them back while
    /// draining; `owner` and `changes` are the names of the two components.
    pub fn own_partitions(
        &self,
        role: Role,
        loops: Vec<RoleLoop>,
        (owner, changes): (&'static str, &'static str),
        lifecycle: &mut Lifecycle,
    ) {
        let (loops, beats) = loops.into_iter().map(|one| (one.changes, one.beat)).unzip();
        let pool = self.pools.common().clone();
        let (keeper, told) =
            Owner::new(pool, &self.ownership, self.standing.clone(), role, self.partitions, beats);
        lifecycle.spawn(owner, Phase::Drain, |stop| keeper.run(stop));
        lifecycle.spawn(changes, Phase::Flush, |stop| fan_out(told, loops, stop));
    }
}
