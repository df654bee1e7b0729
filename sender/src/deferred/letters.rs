//! What stands in the table `deferred`, for people: listed, and dead letters ordered to be sent
//! again or dropped. The holder of their partition carries orders out.

mod table;

use domain::bits::Bits;
use domain::id::ChunkId;
use domain::time::UnixMillis;
use sqlx::types::chrono::{DateTime, Utc};
use std::collections::BTreeMap;
pub use table::{find, list, order};

/// How often a message can be tried: attempts are numbered in an octet, and a number is never
/// used twice.
pub const ATTEMPTS_MAX: u8 = crate::retry::ATTEMPTS_MAX;

/// A chunk of which messages wait. Nothing of what they say, or to whom, is in here.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The chunk.
    pub chunk: ChunkId,
    /// Whose it is.
    pub account: i64,
    /// Its lane.
    pub lane: String,
    /// Its partition.
    pub partition: i32,
    /// The messages that wait for a person, by position.
    pub dead: BTreeMap<u8, Dead>,
    /// Those that are tried again by themselves.
    pub retried: Others,
    /// Advertising that waits for its hours.
    pub quiet: Others,
    /// Those about which the operator is asked.
    pub asked_about: Others,
    /// Since when it is kept.
    pub since: DateTime<Utc>,
    /// When the messages expire, and are refunded.
    pub send_by: DateTime<Utc>,
    /// Messages that are ordered to be sent again; the order waits to be carried out.
    pub requeued: Bits,
    /// Messages that are ordered to be dropped; the order waits to be carried out.
    pub dropped: Bits,
}

/// A message that waits for a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead {
    /// The operator's code (0: there is none, it was tried too often).
    pub code: i16,
    /// How often it was tried.
    pub attempts: u8,
}

/// Messages that wait by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// How many they are.
    pub count: usize,
    /// When the first of them is due; nothing where there is none.
    pub next: Option<DateTime<Utc>>,
}

/// Which rows.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Of this lane.
    pub lane: Option<String>,
    /// Of this account.
    pub account: Option<i64>,
    /// With dead letters of this code.
    pub code: Option<i16>,
    /// Also chunks without dead letters: all that waits.
    pub waiting: bool,
}

impl Letter {
    /// The dead messages with this code, or all.
    pub fn of_code(&self, code: Option<i16>) -> Bits {
        let of = |(_, dead): &(&u8, &Dead)| code.is_none_or(|code| code == dead.code);
        self.dead.iter().filter(of).map(|(position, _)| *position).collect()
    }

    /// The dead messages that cannot be sent again: they were tried as often as is possible.
    pub fn exhausted(&self) -> Bits {
        let exhausted = |(_, dead): &(&u8, &Dead)| dead.is_exhausted();
        self.dead.iter().filter(exhausted).map(|(position, _)| *position).collect()
    }
}

impl Dead {
    /// Whether it was tried [`ATTEMPTS_MAX`] times: another attempt has no number.
    pub const fn is_exhausted(&self) -> bool {
        self.attempts >= ATTEMPTS_MAX
    }
}

impl Others {
    fn add(&mut self, due: UnixMillis) {
        let due = DateTime::from_timestamp_millis(due.0);
        self.count += 1;
        self.next = self.next.into_iter().chain(due).min();
    }
}
