//! What this process knows of one account: the balance as it was read last, and its own promises
//! that are not in it yet. Pure.
//!
//! A promise is counted until a snapshot is applied in which billing had passed its record: then
//! the balance of that very snapshot has it. Its offset is known from the acknowledgement; until
//! then it may be in the balance or not, and is counted apart.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::funds::Known;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;

use super::shared::Shared;

/// A balance, and the offsets that billing judged next, by lane, in one snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) balance: Money,
    pub(super) next: [i64; 3],
    /// When it was asked for.
    pub(super) at: Instant,
}

impl Reading {
    /// Two that were asked for at the same time may come in either order. What ended by the later
    /// one is not in the balance of the earlier one; and a call that asked for one must not be
    /// judged by another that does not have the charge before it.
    fn is_older_than(self, other: Reading) -> bool {
        let behind = self.next.iter().zip(other.next).any(|(own, other)| *own < other);
        behind || self.next == other.next && self.at < other.at
    }
}

/// An account and what is promised of it.
pub(super) struct Account {
    pub(super) reading: Option<Reading>,
    pub(super) used_at: Instant,
    pub(super) shared: Arc<Shared>,
    /// Not acknowledged yet, by number.
    unconfirmed: HashMap<u64, Promised>,
    /// Acknowledged, by lane and offset.
    confirmed: [BTreeMap<i64, (ChunkId, Promised)>; 3],
    /// Of `unconfirmed`.
    uncertain: i128,
    /// Of `confirmed`.
    promised: i128,
}

/// What is promised for one chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promised {
    pub(super) lane: Lane,
    pub(super) cost: Money,
    pub(super) since: Instant,
    /// Where it was promised without asking: the balance below which it may have been refused.
    pub(super) floor: Option<Money>,
    /// Since when it is known that nobody will ever say where Kafka has it.
    pub(super) lost_at: Option<Instant>,
}

impl Account {
    pub(super) fn new(now: Instant) -> Self {
        Account {
            reading: None,
            used_at: now,
            shared: Arc::default(),
            unconfirmed: HashMap::new(),
            confirmed: Default::default(),
            uncertain: 0,
            promised: 0,
        }
    }

    /// Nothing before the balance was read for the first time.
    pub(super) fn known(&self, processes: u32) -> Option<Known> {
        let balance = self.reading?.balance;
        Some(Known { balance, promised: self.promised, uncertain: self.uncertain, processes })
    }

    pub(super) fn promise(&mut self, number: u64, promised: Promised) {
        self.uncertain += i128::from(promised.cost.get());
        self.unconfirmed.insert(number, promised);
    }

    /// It is not produced, or nobody will ever know. Returns whether it was there.
    pub(super) fn forget(&mut self, number: u64) -> bool {
        let Some(promised) = self.unconfirmed.remove(&number) else { return false };
        self.uncertain -= i128::from(promised.cost.get());
        self.shared.moved.notify_waiters();
        true
    }

    /// Kafka has it, there. Returns it where it has ended by that: billing had passed it when
    /// the balance was read.
    pub(super) fn confirm(&mut self, number: u64, chunk: ChunkId, offset: i64) -> Option<Promised> {
        let promised = self.unconfirmed.remove(&number)?;
        self.uncertain -= i128::from(promised.cost.get());
        self.shared.moved.notify_waiters();
        if self.reading.is_some_and(|reading| offset < reading.next[promised.lane.index()]) {
            return Some(promised);
        }
        self.promised += i128::from(promised.cost.get());
        self.confirmed[promised.lane.index()].insert(offset, (chunk, promised));
        None
    }

    /// Nobody will ever say where Kafka has it, or whether.
    pub(super) fn lose(&mut self, number: u64, now: Instant) {
        if let Some(promised) = self.unconfirmed.get_mut(&number) {
            promised.lost_at = Some(now);
        }
    }

    /// Takes a snapshot in. Returns the promises that end by it.
    pub(super) fn read(&mut self, reading: Reading) -> Vec<(ChunkId, Promised)> {
        if self.reading.is_some_and(|last| reading.is_older_than(last)) {
            return Vec::new();
        }
        self.reading = Some(reading);
        let mut ended = Vec::new();
        for (confirmed, next) in self.confirmed.iter_mut().zip(reading.next) {
            while let Some(first) = confirmed.first_entry().filter(|first| *first.key() < next) {
                ended.push(first.remove());
            }
        }
        self.promised -= ended.iter().map(|(_, promised)| i128::from(promised.cost.get())).sum::<i128>();
        ended
    }

    /// Gives up what was lost longer ago than `after`. Returns how many.
    pub(super) fn give_up(&mut self, after: Duration, now: Instant) -> usize {
        let long = |lost_at: Instant| now.saturating_duration_since(lost_at) >= after;
        let lost = self.unconfirmed.iter().filter(|(_, promised)| promised.lost_at.is_some_and(long));
        let lost: Vec<u64> = lost.map(|(number, _)| *number).collect();
        lost.iter().filter(|number| self.forget(**number)).count()
    }

    /// Since when the oldest promise of a lane waits for billing.
    pub(super) fn waits_since(&self, lane: Lane) -> Option<Instant> {
        let here = |promised: &&Promised| promised.lane == lane && promised.lost_at.is_none();
        let unconfirmed = self.unconfirmed.values().filter(here).map(|promised| promised.since).min();
        // Offsets rise with time, but for moments.
        let confirmed = self.confirmed[lane.index()].first_key_value();
        confirmed.map(|(_, (_, promised))| promised.since).into_iter().chain(unconfirmed).min()
    }

    /// Whether nothing would be lost with it.
    pub(super) fn is_idle(&self, idle: Duration, now: Instant) -> bool {
        self.unconfirmed.is_empty()
            && self.confirmed.iter().all(BTreeMap::is_empty)
            && Arc::strong_count(&self.shared) == 1
            && now.saturating_duration_since(self.used_at) >= idle
    }
}
