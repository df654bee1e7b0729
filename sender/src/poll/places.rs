//! Which chunks are asked about now: how far each partition was looked through, and what was
//! asked and is still due. Pure: no clock, no database.
//!
//! Rows become due in the order in which they stand, so a look goes on behind the last one.
//! But a row may also come to stand in front of that: its due time was set by another clock,
//! some time before its transaction was committed. And rows that were asked about leave, each
//! when the answer was taken in. So now and then all that is due is passed once more, from the
//! start: what is new there is found, and what has gone is forgotten.

use sqlx::types::chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

/// Where a row stands in its partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// To the microsecond, as stored.
    pub(super) due: DateTime<Utc>,
    pub(super) chunk: i64,
}

impl Place {
    /// In front of every row.
    pub(super) const START: Place = Place { due: DateTime::UNIX_EPOCH, chunk: 0 };
}

/// What a poller keeps in mind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Chunks that were asked about and are still due, of all partitions together. No more are
    /// asked about until some of them have gone.
    pub(super) asked_max: usize,
    /// A chunk that is still due is asked about again after so long, in milliseconds.
    pub(super) again_after_ms: i64,
    /// All that is due is passed from the start so often at most, in milliseconds.
    pub(super) from_start_ms: i64,
}

/// The places of one lane. Times are of any clock that never goes back, in milliseconds.
pub(super) struct Places {
    limits: Limits,
    partitions: BTreeMap<i32, Partition>,
    from_start_at: i64,
}

struct Partition {
    /// What stands up to here was looked at.
    at: Place,
    /// Whether there may be more behind it.
    open: bool,
    /// What was asked about, and from when on it is asked about again.
    asked: BTreeMap<Place, i64>,
}

impl Places {
    pub(super) fn new(limits: Limits) -> Self {
        Places { limits, partitions: BTreeMap::new(), from_start_at: i64::MIN }
    }

    /// A look through the partitions held now begins.
    pub(super) fn begin(&mut self, held: &BTreeSet<i32>, now: i64) {
        self.partitions.retain(|partition, _| held.contains(partition));
        for partition in held {
            let new = || Partition { at: Place::START, open: true, asked: BTreeMap::new() };
            self.partitions.entry(*partition).or_insert_with(new).open = true;
        }
        if now >= self.from_start_at {
            self.from_start_at = now.saturating_add(self.limits.from_start_ms);
            self.partitions.values_mut().for_each(|partition| partition.at = Place::START);
        }
    }

    /// The look is over: what could not be read now can be read by the next one.
    pub(super) fn end(&mut self) {
        self.partitions.values_mut().for_each(|partition| partition.open = false);
    }

    /// Whether the look may find more.
    pub(super) fn is_open(&self) -> bool {
        self.partitions.values().any(|partition| partition.open)
    }

    /// The partitions that may have more, and behind which place.
    pub(super) fn open(&self) -> Vec<(i32, Place)> {
        let open = self.partitions.iter().filter(|(_, partition)| partition.open);
        open.map(|(number, partition)| (*number, partition.at)).collect()
    }

    /// Takes in a page: the rows that stand next behind the place that [`Self::open`] named, in
    /// their order; `full` if there may be more. Returns which of them are to be asked about
    /// now, and counts them as asked.
    pub(super) fn take(&mut self, number: i32, page: &[Place], full: bool, now: i64) -> Vec<Place> {
        let elsewhere = self.asked() - self.partitions.get(&number).map_or(0, |own| own.asked.len());
        let Some(partition) = self.partitions.get_mut(&number) else { return vec![] };
        partition.forget_what_left(page, full);
        partition.open = full;
        let mut ask = Vec::new();
        for place in page {
            let again_at = partition.asked.get(place);
            let is_fresh = again_at.is_some_and(|again_at| now < *again_at);
            if !is_fresh {
                if again_at.is_none() && elsewhere + partition.asked.len() >= self.limits.asked_max {
                    partition.open = false;
                    break;
                }
                partition.asked.insert(*place, now.saturating_add(self.limits.again_after_ms));
                ask.push(*place);
            }
            partition.at = *place;
        }
        ask
    }

    /// These, in their order, were not asked about after all: the next pass from the start
    /// finds them.
    pub(super) fn forget(&mut self, number: i32, places: &[Place]) {
        if let Some(partition) = self.partitions.get_mut(&number) {
            partition.asked.retain(|place, _| places.binary_search(place).is_err());
        }
    }

    /// It was asked about in vain: the first pass from the start after `again_at` finds it.
    pub(super) fn put_off(&mut self, number: i32, place: Place, again_at: i64) {
        let partition = self.partitions.get_mut(&number);
        if let Some(asked) = partition.and_then(|partition| partition.asked.get_mut(&place)) {
            *asked = again_at;
        }
    }

    fn asked(&self) -> usize {
        self.partitions.values().map(|partition| partition.asked.len()).sum()
    }
}

impl Partition {
    /// What was asked about and is missing where it stood: its answer was taken in.
    fn forget_what_left(&mut self, page: &[Place], full: bool) {
        let to = page.last().filter(|_| full).map_or(Unbounded, |last| Included(*last));
        let left = |place: &Place, _: &mut i64| page.binary_search(place).is_err();
        self.asked.extract_if((Excluded(self.at), to), left).for_each(drop);
    }
}

#[cfg(test)]
mod tests;
