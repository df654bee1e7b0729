//! What the operator remembers of the messages, 24 octets each plus an index by uid.
//!
//! Every element that was judged takes the next number, so a mid is `base + number` and
//! needs no index. The index by uid is one array of the newest number in each bucket;
//! records of a bucket are chained newest to oldest, so forgetting the oldest needs no
//! work at all: a chain ends where it leaves what is remembered.

use std::collections::VecDeque;

use crate::fate::{Fate, Outcome, mix};

/// Records are allocated, and forgotten, in blocks of this many.
const SEGMENT: u64 = 1 << 16;
/// The most messages that may be remembered: numbers are kept as their low 32 bits.
pub(crate) const MAX_MESSAGES: u64 = 1 << 30;
/// Elements without a uid carry this one (Magfa's answers show it so) and are not indexed.
pub(crate) const NO_UID: i64 = 0;

/// One element as it was submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) uid: i64,
    pub(crate) at_ms: i64,
    pub(crate) fate: Fate,
}

#[derive(Clone, Copy)]
struct Record {
    uid: i64,
    /// Milliseconds since 1970 in the upper 56 bits, the final status in the lower 8
    /// (0 means refused).
    at_and_status: u64,
    /// Delay in milliseconds; of a refused element the code.
    detail: u32,
    /// Low bits of the number that was the newest in this bucket before.
    previous: u32,
}

const _: () = assert!(size_of::<Record>() == 24);

pub(crate) struct Store {
    segments: VecDeque<Vec<Record>>,
    /// Number of the first record of the first segment.
    first: u64,
    /// The next number; numbers start from 1, so a bucket's 0 is "none".
    next: u64,
    max: u64,
    buckets: Vec<u32>,
}

impl Store {
    /// Remembers at least the last `max` elements (and at most a block more).
    pub(crate) fn new(max: u64) -> Self {
        let max = max.clamp(1, MAX_MESSAGES);
        let buckets = usize::try_from(max.next_power_of_two().max(16)).unwrap_or(16);
        // Zeroed pages come from the kernel at their first use: a small run stays small.
        Self { segments: VecDeque::new(), first: 1, next: 1, max, buckets: vec![0; buckets] }
    }

    /// The number the next element will get.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The number of the oldest element that is remembered.
    pub(crate) fn first(&self) -> u64 {
        self.first
    }

    /// Adds an element; says whether its uid had been accepted before.
    pub(crate) fn push(&mut self, entry: Entry) -> bool {
        let seen = entry.uid != NO_UID && self.newest_accepted(entry.uid).is_some();
        let mut previous = 0;
        if entry.uid != NO_UID {
            let bucket = self.bucket(entry.uid);
            previous = std::mem::replace(&mut self.buckets[bucket], low(self.next));
        }
        if self.segments.back().is_none_or(|last| last.len() as u64 == SEGMENT) {
            self.make_room();
        }
        if let Some(last) = self.segments.back_mut() {
            last.push(Record::new(entry, previous));
        }
        self.next += 1;
        seen
    }

    /// What was submitted under this number, if it is remembered.
    pub(crate) fn get(&self, number: u64) -> Option<Entry> {
        self.record(number).map(Record::entry)
    }

    /// The number of the last accepted element with this uid.
    pub(crate) fn newest_accepted(&self, uid: i64) -> Option<u64> {
        self.numbers_of(uid).find(|(_, record)| record.is_accepted()).map(|(number, _)| number)
    }

    /// Everything remembered of a uid, newest first.
    pub(crate) fn submissions(&self, uid: i64) -> impl Iterator<Item = (u64, Entry)> {
        self.numbers_of(uid).map(|(number, record)| (number, record.entry()))
    }

    /// How many elements are remembered.
    pub(crate) fn len(&self) -> u64 {
        self.next - self.first
    }

    /// Makes sure that no number below this is used (again); numbers skipped are forgotten,
    /// with everything before them.
    pub(crate) fn skip_to(&mut self, number: u64) {
        if number > self.next {
            self.next = number;
            self.forget();
        }
    }

    /// Forgets everything; numbers go on.
    pub(crate) fn forget(&mut self) {
        self.first = self.next;
        self.segments.clear();
        self.buckets = vec![0; self.buckets.len()];
    }

    fn make_room(&mut self) {
        let mut block = Vec::new();
        if self.len() >= self.max + SEGMENT
            && let Some(oldest) = self.segments.pop_front()
        {
            self.first += SEGMENT;
            block = oldest;
            block.clear();
        }
        self.segments.push_back(block);
    }

    fn record(&self, number: u64) -> Option<&Record> {
        let offset = number.checked_sub(self.first)?;
        let segment = self.segments.get(usize::try_from(offset / SEGMENT).ok()?)?;
        segment.get(usize::try_from(offset % SEGMENT).ok()?)
    }

    fn numbers_of(&self, uid: i64) -> impl Iterator<Item = (u64, &Record)> {
        let newest = if uid == NO_UID { 0 } else { self.buckets[self.bucket(uid)] };
        let mut at = older(self.next, newest);
        let chain = std::iter::from_fn(move || {
            let number = at?;
            let record = self.record(number)?;
            at = older(number, record.previous);
            Some((number, record))
        });
        chain.filter(move |(_, record)| record.uid == uid)
    }

    /// Neighbouring uids share a cache line of 16 buckets, as callers number their messages
    /// one after the other; the hash turns the line's order so that uids which are all
    /// multiples of 16 do not meet in one place.
    fn bucket(&self, uid: i64) -> usize {
        let uid = uid.cast_unsigned();
        let line = mix(uid >> 4);
        let mixed = (line << 4) | ((uid ^ (line >> 60)) & 15);
        usize::try_from(mixed & (self.buckets.len() as u64 - 1)).unwrap_or(0)
    }
}

/// The number below `than` with these low bits; none for the empty bucket's 0.
fn older(than: u64, bits: u32) -> Option<u64> {
    let distance = low(than).wrapping_sub(bits);
    if bits == 0 || distance == 0 { None } else { than.checked_sub(u64::from(distance)) }
}

#[allow(clippy::cast_possible_truncation)] // the low bits are what is wanted
fn low(number: u64) -> u32 {
    number as u32
}

impl Record {
    fn new(entry: Entry, previous: u32) -> Self {
        let (status, detail) = match entry.fate {
            Fate::Refused(code) => (0, u32::from(code)),
            Fate::Accepted { outcome, delay_ms } => (outcome.status().cast_unsigned(), delay_ms),
        };
        let at_and_status = entry.at_ms.cast_unsigned() << 8 | u64::from(status);
        Self { uid: entry.uid, at_and_status, detail, previous }
    }

    fn is_accepted(&self) -> bool {
        self.at_and_status & 0xff != 0
    }

    fn entry(&self) -> Entry {
        let accepted = |outcome| Fate::Accepted { outcome, delay_ms: self.detail };
        let fate = match self.at_and_status & 0xff {
            1 => accepted(Outcome::Delivered),
            2 => accepted(Outcome::Undelivered),
            16 => accepted(Outcome::NotReached),
            _ => Fate::Refused(u16::try_from(self.detail).unwrap_or(u16::MAX)),
        };
        Entry { uid: self.uid, at_ms: (self.at_and_status >> 8).cast_signed(), fate }
    }
}

#[cfg(test)]
mod tests;
