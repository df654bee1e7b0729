//! The promises of this process, and what they are counted against. Pure: it is told of
//! snapshots, promises and acknowledgements, in whatever order they come.
//!
//! What holds: all promises of an account together are at most the balance of the snapshot that
//! they are counted against, where this process asks before it promises. So while nobody else
//! takes from the balance, every one of them is paid.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::funds::Cover;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use domain::partition;

use super::account::{Account, Promised, Reading};
use super::shared::Shared;

/// All accounts seen lately.
pub(super) struct Book {
    bounds: Bounds,
    partitions: i32,
    accounts: HashMap<i64, Account>,
    /// Of all accounts.
    promises: usize,
    next_number: u64,
    /// By lane and partition since when the oldest promise waits for billing, as of the last look.
    waits_since: [HashMap<i32, Instant>; 3],
    /// Chunks that were promised without asking, and may have been refused all the same.
    suspects: Vec<ChunkId>,
}

/// What it holds at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) accounts: usize,
    pub(super) promises: usize,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    pub(super) account: i64,
    pub(super) lane: Lane,
    /// Of each of its chunks.
    pub(super) costs: &'a [Money],
}

/// What it gets. The numbers are those of its promises, one a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// Promised: no verdict need be waited for.
    Ample(Range<u64>),
    /// Promised: the verdict is waited for.
    Close(Range<u64>),
    /// Not promised: what was promised before must be acknowledged first.
    Uncertain,
    /// Not promised: the balance does not cover it. What is left of it.
    Short(Money),
    /// Not promised: there are too many promises.
    Full,
}

impl Book {
    pub(super) fn new(bounds: Bounds, partitions: i32) -> Self {
        Book {
            bounds,
            partitions,
            accounts: HashMap::new(),
            promises: 0,
            next_number: 0,
            waits_since: Default::default(),
            suspects: Vec::new(),
        }
    }

    /// What requests of an account share; nothing where there are too many accounts.
    pub(super) fn open(&mut self, account: i64, now: Instant) -> Option<Arc<Shared>> {
        if self.accounts.len() >= self.bounds.accounts && !self.accounts.contains_key(&account) {
            self.forget_idle(Duration::ZERO, now);
            if self.accounts.len() >= self.bounds.accounts {
                return None;
            }
        }
        let opened = self.accounts.entry(account).or_insert_with(|| Account::new(now));
        opened.used_at = now;
        Some(Arc::clone(&opened.shared))
    }

    /// Promises where nobody need be asked: the balance as it was read last is ample, and was
    /// read no longer ago than `fresh`.
    pub(super) fn promise_at_once(
        &mut self,
        asked: Asked<'_>,
        processes: u32,
        fresh: Option<Duration>,
        now: Instant,
    ) -> Option<Range<u64>> {
        let account = self.accounts.get_mut(&asked.account)?;
        account.used_at = now;
        let read_at = account.reading?.at;
        let stale = fresh.is_some_and(|fresh| now.saturating_duration_since(read_at) > fresh);
        if stale || account.known(processes)?.covers(asked.sum()) != Cover::Ample || !self.has_room(asked) {
            return None;
        }
        let floor = account_floor(self.accounts.get(&asked.account)?);
        Some(self.note(asked, floor, now))
    }

    /// Promises if the balance as it was read last covers it.
    pub(super) fn promise(&mut self, asked: Asked<'_>, processes: u32, now: Instant) -> Given {
        if !self.has_room(asked) {
            return Given::Full;
        }
        let account = self.accounts.get(&asked.account);
        let Some(known) = account.and_then(|account| account.known(processes)) else { return Given::Full };
        match known.covers(asked.sum()) {
            Cover::Ample => {
                let floor = account.and_then(account_floor);
                Given::Ample(self.note(asked, floor, now))
            }
            Cover::Close => Given::Close(self.note(asked, None, now)),
            Cover::Uncertain => Given::Uncertain,
            Cover::Short => Given::Short(known.left()),
        }
    }

    /// Promises whatever the balance is: what may have been produced before. Nothing where there
    /// are too many accounts or promises.
    pub(super) fn promise_again(&mut self, asked: Asked<'_>, now: Instant) -> Option<Range<u64>> {
        self.open(asked.account, now)?;
        self.has_room(asked).then(|| self.note(asked, None, now))
    }

    fn has_room(&self, asked: Asked<'_>) -> bool {
        self.promises + asked.costs.len() <= self.bounds.promises
    }

    fn note(&mut self, asked: Asked<'_>, floor: Option<Money>, now: Instant) -> Range<u64> {
        let first = self.next_number;
        if let Some(account) = self.accounts.get_mut(&asked.account) {
            for cost in asked.costs {
                let promised = Promised { lane: asked.lane, cost: *cost, since: now, floor, lost_at: None };
                account.promise(self.next_number, promised);
                self.next_number += 1;
            }
            self.promises += asked.costs.len();
        }
        first..self.next_number
    }

    /// It was not produced.
    pub(super) fn forget(&mut self, account: i64, number: u64) {
        if self.accounts.get_mut(&account).is_some_and(|account| account.forget(number)) {
            self.promises -= 1;
        }
    }

    /// Kafka has it, there.
    pub(super) fn confirm(&mut self, account: i64, number: u64, chunk: ChunkId, offset: i64) {
        let Some(account) = self.accounts.get_mut(&account) else { return };
        if let Some(ended) = account.confirm(number, chunk, offset) {
            let balance = account.reading.map(|reading| reading.balance);
            self.promises -= 1;
            self.suspects.extend(balance.and_then(|balance| suspect(balance, chunk, ended)));
        }
    }

    /// Nobody will ever say where Kafka has it, or whether.
    pub(super) fn lose(&mut self, account: i64, number: u64, now: Instant) {
        if let Some(account) = self.accounts.get_mut(&account) {
            account.lose(number, now);
        }
    }

    /// Takes in what was read of an account.
    pub(super) fn read(&mut self, account: i64, reading: Reading) {
        let Some(account) = self.accounts.get_mut(&account) else { return };
        let ended = account.read(reading);
        self.promises -= ended.len();
        let suspects = ended.into_iter().filter_map(|(chunk, ended)| suspect(reading.balance, chunk, ended));
        self.suspects.extend(suspects);
    }

    /// Looks through all accounts: gives up what is lost, forgets who is idle, and sees which
    /// lanes and partitions wait for billing.
    pub(super) fn look(&mut self, idle: Duration, lost_after: Duration, now: Instant) {
        for account in self.accounts.values_mut() {
            self.promises -= account.give_up(lost_after, now);
        }
        self.forget_idle(idle, now);
        let mut waits_since: [HashMap<i32, Instant>; 3] = Default::default();
        for (id, account) in &self.accounts {
            let partition = partition::of_account(*id, self.partitions);
            for lane in Lane::ALL {
                if let Some(since) = account.waits_since(lane) {
                    let oldest = waits_since[lane.index()].entry(partition).or_insert(since);
                    *oldest = since.min(*oldest);
                }
            }
        }
        self.waits_since = waits_since;
    }

    fn forget_idle(&mut self, idle: Duration, now: Instant) {
        self.accounts.retain(|_, account| !account.is_idle(idle, now));
    }

    /// For how long the oldest promise in an account's partition of a lane waits for billing.
    pub(super) fn waits(&self, account: i64, lane: Lane, now: Instant) -> Duration {
        let partition = partition::of_account(account, self.partitions);
        let since = self.waits_since[lane.index()].get(&partition);
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(*since))
    }

    /// The accounts whose balances are to be read.
    pub(super) fn accounts(&self) -> Vec<i64> {
        self.accounts.keys().copied().collect()
    }

    /// How many promises there are.
    pub(super) fn promises(&self) -> usize {
        self.promises
    }

    /// Chunks that were promised without asking and have ended since the last time, though the
    /// balance fell so low that they may have been refused.
    pub(super) fn take_suspects(&mut self) -> Vec<ChunkId> {
        std::mem::take(&mut self.suspects)
    }

    /// What is left of a balance, less all promises.
    pub(super) fn left(&self, account: i64) -> Option<Money> {
        Some(self.accounts.get(&account)?.known(1)?.left())
    }
}

impl Asked<'_> {
    pub(super) fn sum(self) -> Money {
        Money::checked_sum(self.costs.iter().copied()).unwrap_or(Money::new(i64::MAX))
    }
}

/// What was promised at once was half of the balance at most, so it is refused only after others
/// took the other half.
fn account_floor(account: &Account) -> Option<Money> {
    Some(Money::new(account.reading?.balance.get() / 2))
}

/// The chunk, where the balance it ended with is so low that it may have been refused.
fn suspect(balance: Money, chunk: ChunkId, ended: Promised) -> Option<ChunkId> {
    ended.floor.is_some_and(|floor| balance < floor).then_some(chunk)
}

#[cfg(test)]
mod tests;
