//! Who holds which partition.
//!
//! A process is alive while it renews its row in time; partitions are held by processes and
//! fenced by epochs. What a holder does in Postgres is fenced by the epoch in its position
//! rows; what it does outside (a call to an operator) by its own deadline, which always ends
//! before anyone else may take the partition.

pub mod clock;
mod data_folder;
mod fan_out;
mod heartbeat;
mod ids;
mod lease;
mod owner;
mod positions;
mod registry;
mod standing;

pub use data_folder::{DataFolder, DataFolderError};
pub use fan_out::fan_out;
pub use heartbeat::heartbeat;
pub use ids::{IdSource, NoIds};
pub use lease::{Beat, Lease};
pub use owner::{Change, Owner};
pub use positions::{Advance, Position, advance, read_positions};
pub use registry::Registration;
pub use standing::Standing;

use crate::kafka::topics::{Stage, Topics};
use domain::lane::Lane;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Settings of heartbeats and ownership.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnershipSettings {
    /// The folder of this process alone: its lock, and the ids it has reserved.
    pub data_folder: std::path::PathBuf,
    /// How long a process counts as alive after a renewal, in milliseconds.
    pub alive_ms: u64,
    /// How often it renews, in milliseconds.
    pub renew_ms: u64,
    /// How much earlier than the database a process counts itself out, in milliseconds.
    pub margin_ms: u64,
    /// How long a node number may mint ids after a renewal, in milliseconds.
    pub mint_ms: u64,
    /// How often that is renewed, in milliseconds.
    pub mint_renew_ms: u64,
    /// How far the clock may be off the database's before the process is not ready, in
    /// milliseconds.
    pub clock_skew_max_ms: u64,
    /// How often free partitions are looked for, in milliseconds.
    pub look_ms: u64,
    /// A loop that shows no progress for so long loses its partitions, in milliseconds.
    pub watchdog_ms: u64,
}

impl OwnershipSettings {
    /// How long the heartbeat waits for an answer: so that it can ask once more, perhaps of
    /// another host, before the process counts itself out.
    pub fn answer_timeout(&self) -> Duration {
        Duration::from_millis(self.alive_ms.saturating_sub(self.margin_ms) / 2)
    }
}

/// One of the four parts of smshub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// HTTP ▶ sms.submitted.
    Ingest,
    /// sms.submitted ▶ ledger ▶ sms.billed.
    BillingConsumer,
    /// sms.billed ▶ operator ▶ sms.attempts.
    Sender,
    /// billed + attempts + receipts ▶ state, settle, void.
    DlrReconciler,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 4] = [Role::Ingest, Role::BillingConsumer, Role::Sender, Role::DlrReconciler];

    /// The name used in `--target`, tables, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::BillingConsumer => "billing-consumer",
            Role::Sender => "sender",
            Role::DlrReconciler => "dlr-reconciler",
        }
    }

    /// The topics it keeps positions in.
    pub fn reads(self, topics: &Topics) -> Vec<String> {
        let of = |stage| Lane::ALL.map(|lane| topics.of(stage, lane));
        match self {
            Role::Ingest => vec![],
            Role::BillingConsumer => of(Stage::Submitted).to_vec(),
            Role::Sender => [of(Stage::Billed), of(Stage::Attempts)].concat(),
            Role::DlrReconciler => {
                let lanes = [of(Stage::Billed), of(Stage::Attempts)].concat();
                lanes.into_iter().chain([topics.receipts()]).collect()
            }
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Role::ALL.into_iter().find(|role| role.as_str() == text);
        known.ok_or_else(|| format!("{text}: expected ingest, billing-consumer, sender or dlr-reconciler"))
    }
}
