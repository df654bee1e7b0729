//! What one worker has in hand: records as they wait, and by topic and partition what they
//! brought. No database here.

use crate::flush::Held;
use crate::merge::{Batch, Verdict};
use crate::metrics::StreamMeters;
use crate::read::{Stream, Undecodable, Understood, read};
use platform::kafka::budget::Charge;
use platform::kafka::consumer::{Flow, Record};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// One of the topics a worker reads.
pub(crate) struct Topic {
    pub(crate) name: String,
    pub(crate) stream: Stream,
    /// How long what it brings may be merged in memory.
    pub(crate) flush_after: Duration,
    pub(crate) meters: StreamMeters,
    /// When the oldest record came that is not stored yet.
    since: Option<Instant>,
    /// The next record does not fit into the same transaction.
    full: bool,
}

/// One partition of one topic.
struct Part {
    epoch: i64,
    /// The assignment whose records count.
    serial: u64,
    flow: Arc<Flow>,
    batch: Batch,
    /// What the records in the batch take of the budget.
    charges: Vec<Charge>,
    /// Nothing from here on is read: a record that must not be skipped cannot be understood.
    stopped: bool,
}

/// A record that cannot be understood.
pub(crate) struct Bad {
    pub(crate) topic: usize,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) why: String,
    /// Whether its partition stopped in front of it; else it will be parked.
    pub(crate) stops: bool,
}

/// Bounds of what one transaction takes.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Chunks at most.
    pub(crate) chunks: usize,
    /// Offsets of one partition at most.
    pub(crate) offsets: i64,
}

/// Everything in hand.
pub(crate) struct Hand {
    pub(crate) topics: Vec<Topic>,
    parts: BTreeMap<(usize, i32), Part>,
    /// Read and not merged yet, in order.
    waiting: VecDeque<(Record, Result<Understood, Undecodable>)>,
    bounds: Bounds,
}

impl Topic {
    pub(crate) fn new(name: String, stream: Stream, flush_after: Duration, meters: StreamMeters) -> Self {
        Topic { name, stream, flush_after, meters, since: None, full: false }
    }
}

impl Hand {
    pub(crate) fn new(topics: Vec<Topic>, bounds: Bounds) -> Self {
        Hand { topics, parts: BTreeMap::new(), waiting: VecDeque::new(), bounds }
    }

    /// A partition of a topic is read from `from` on, under this epoch and assignment.
    pub(crate) fn begin(&mut self, key: (usize, i32), epoch: i64, from: i64, assigned: (u64, Arc<Flow>)) {
        let (serial, flow) = assigned;
        let part = Part { epoch, serial, flow, batch: Batch::new(from), charges: vec![], stopped: false };
        self.parts.insert(key, part);
        self.drop_stale();
    }

    /// Drops everything of a partition. Returns the topics of which it was in hand.
    pub(crate) fn drop_partition(&mut self, partition: i32) -> Vec<usize> {
        let dropped: Vec<usize> =
            self.parts.keys().filter(|(_, held)| *held == partition).map(|(topic, _)| *topic).collect();
        self.parts.retain(|(_, held), _| *held != partition);
        self.drop_stale();
        dropped
    }

    /// Takes nothing new of a partition: what waits of it is the next holder's. Returns its
    /// topics.
    pub(crate) fn stop_partition(&mut self, partition: i32) -> Vec<usize> {
        let parts = self.parts.iter_mut().filter(|((_, held), _)| *held == partition);
        let topics = parts.map(|((topic, _), part)| {
            part.stopped = true;
            *topic
        });
        let topics = topics.collect();
        self.drop_stale();
        topics
    }

    /// Whether what is said of this assignment counts.
    pub(crate) fn reads(&self, key: (usize, i32), serial: u64) -> bool {
        self.parts.get(&key).is_some_and(|part| part.serial == serial && !part.stopped)
    }

    fn drop_stale(&mut self) {
        let parts = &self.parts;
        self.waiting.retain(|(record, _)| counts(parts, record));
        for (index, topic) in self.topics.iter_mut().enumerate() {
            let mut of_topic = self.parts.iter().filter(|((topic, _), _)| *topic == index);
            if of_topic.all(|(_, part)| part.batch.is_empty()) {
                (topic.since, topic.full) = (None, false);
            }
        }
    }

    /// Understands what was read; it then waits to be merged.
    pub(crate) fn receive(&mut self, records: Vec<Record>) {
        for mut record in records {
            let Some(topic) = self.topics.get(record.topic).filter(|_| counts(&self.parts, &record)) else {
                continue;
            };
            topic.meters.records.increment(1);
            let understood = read(topic.stream, record.partition, &record.value);
            if understood.as_ref().is_ok_and(|understood| understood.unreadable.is_none()) {
                // What is needed of it is in there.
                record.value = bytes::Bytes::new();
            }
            self.waiting.push_back((record, understood));
        }
    }

    /// Merges what waits, up to the first record that does not fit. Returns what cannot be
    /// understood, and how many operators' ids were refused.
    pub(crate) fn merge(&mut self, now: Instant) -> (Vec<Bad>, u32) {
        let (mut bad, mut ids_refused) = (Vec::new(), 0);
        while let Some((record, understood)) = self.waiting.front() {
            if !self.fits(record.topic, understood.as_ref().ok()) {
                if let Some(topic) = self.topics.get_mut(record.topic) {
                    topic.full = true;
                }
                break;
            }
            let Some((record, understood)) = self.waiting.pop_front() else { break };
            ids_refused += understood.as_ref().map_or(0, |understood| understood.ids_refused);
            bad.extend(self.take(record, understood, now));
        }
        (bad, ids_refused)
    }

    /// Whether a record fits into the transaction that its topic has in hand. A record of
    /// many chunks is alone in one.
    fn fits(&self, topic: usize, understood: Option<&Understood>) -> bool {
        let more = understood.map_or(0, Understood::size);
        let chunks: usize = self.parts_of(topic).map(|(_, part)| part.batch.size()).sum();
        chunks == 0 || chunks + more <= self.bounds.chunks
    }

    fn take(
        &mut self,
        record: Record,
        understood: Result<Understood, Undecodable>,
        now: Instant,
    ) -> Option<Bad> {
        let topic = self.topics.get_mut(record.topic)?;
        let part = self.parts.get_mut(&(record.topic, record.partition))?;
        if part.stopped || record.offset < part.batch.to() {
            return None;
        }
        let why = match &understood {
            Ok(understood) => understood.unreadable.as_ref().map(|error| format!("in part: {error}")),
            Err(error) => Some(error.to_string()),
        };
        let verdict = part.batch.take(topic.stream, record.offset, &record.value, understood);
        let stops = verdict == Verdict::Stops;
        if stops {
            part.stopped = true;
        } else {
            part.charges.push(record.charge);
            topic.since.get_or_insert(now);
        }
        let Record { topic, partition, offset, .. } = record;
        why.map(|why| Bad { topic, partition, offset, why, stops })
    }

    /// Whether everything that was read is merged: more may come.
    pub(crate) fn is_open(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When a topic is to be stored; nothing where there is nothing to store. `hurry`: at once.
    pub(crate) fn due(&self, topic: usize, hurry: bool) -> Option<Instant> {
        let (index, topic) = (topic, self.topics.get(topic)?);
        let since = topic.since?;
        let mut of_topic = self.parts_of(index);
        let at_once = hurry
            || topic.full
            || self.parts_of(index).map(|(_, part)| part.batch.size()).sum::<usize>() >= self.bounds.chunks
            || of_topic.any(|(_, part)| part.batch.width() >= self.bounds.offsets);
        Some(if at_once { since } else { since + topic.flush_after })
    }

    /// What is to be stored of a topic.
    pub(crate) fn held(&self, topic: usize) -> Vec<Held<'_>> {
        let name = self.topics.get(topic).map_or("", |topic| topic.name.as_str());
        let parts = self.parts_of(topic).filter(|(_, part)| !part.batch.is_empty());
        parts
            .map(|(partition, part)| Held { topic: name, partition, epoch: part.epoch, batch: &part.batch })
            .collect()
    }

    /// What was held of a topic is stored.
    pub(crate) fn stored(&mut self, topic: usize) {
        for ((_, _), part) in self.parts.iter_mut().filter(|((held, _), _)| *held == topic) {
            part.batch = Batch::new(part.batch.to());
            part.charges.clear();
            part.flow.done_below(part.batch.from());
        }
        if let Some(topic) = self.topics.get_mut(topic) {
            (topic.since, topic.full) = (None, false);
        }
    }

    /// Whether there is nothing to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.values().all(|part| part.batch.is_empty())
    }

    /// Whether everything of a partition is stored.
    pub(crate) fn is_stored(&self, partition: i32) -> bool {
        self.parts.iter().all(|((_, held), part)| *held != partition || part.batch.is_empty())
    }

    fn parts_of(&self, topic: usize) -> impl Iterator<Item = (i32, &Part)> {
        let range = (topic, i32::MIN)..=(topic, i32::MAX);
        self.parts.range(range).map(|((_, partition), part)| (*partition, part))
    }
}

/// Whether a record is of an assignment that still counts.
fn counts(parts: &BTreeMap<(usize, i32), Part>, record: &Record) -> bool {
    let part = parts.get(&(record.topic, record.partition));
    part.is_some_and(|part| part.serial == record.serial && !part.stopped)
}
