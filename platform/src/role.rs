//! What every role of a process is given.

use crate::health::Health;
use crate::kafka::KafkaSettings;
use crate::kafka::topics::Topics;
use crate::ownership::{OwnershipSettings, Standing};
use crate::postgres::Pools;
use std::sync::Arc;

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
}
