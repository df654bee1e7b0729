//! Which partition cannot be read on, and why.
//!
//! The client library reports the error of a partition without saying whose it is (its safe
//! wrapper drops that). Its statistics say it: a partition that it does not fetch any more
//! has the state `none`, one that the cluster does not know is `unknown`. They come through
//! the same queue, so what is polled behind an error was written behind it.

use super::KafkaProblem;
use rdkafka::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use serde::Deserialize;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often the client library writes its statistics, in milliseconds: an unreadable
/// partition is named so long after its error at most.
pub(super) const STATISTICS_MS: u64 = 2_000;
/// So many statistics behind an error are looked through: in the first a partition may have
/// been assigned too lately to tell.
const LOOKS: u8 = 3;
/// A partition that was assigned later than this before is still being started.
const SETTLED: Duration = Duration::from_secs(1);

/// A partition that the loop has given up: no record of this assignment comes any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Which of the consumer's topics.
    pub topic: usize,
    /// The partition.
    pub partition: i32,
    /// The assignment: one of an earlier assignment is to be ignored.
    pub serial: u64,
    /// The topic's name.
    pub name: String,
    /// The offset that should have been read.
    pub next: i64,
    /// Why it cannot be.
    pub why: Why,
}

/// Why a partition cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The broker does not have the offset. What it has, where it could be asked.
    OutOfRange(Option<Range<i64>>),
    /// The cluster does not know the partition.
    Missing,
}

impl fmt::Display for Unreadable {
    /// What is wrong and what to do, for an alarm.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unreadable { name, partition, next, .. } = self;
        write!(f, "{name}/{partition}: offset {next} is next, ")?;
        match &self.why {
            Why::Missing => {
                f.write_str("and Kafka does not know the partition: was the topic deleted? Find the right Kafka")
            }
            Why::OutOfRange(Some(kept)) if *next > kept.end => {
                write!(f, "and the topic ends at {}: Kafka lost its tail. Do not move the position", kept.end)
            }
            Why::OutOfRange(Some(kept)) if *next < kept.start => write!(
                f,
                "and the topic begins at {}: what lay before was deleted unread. Find out what it was before \
                 anybody moves the position",
                kept.start
            ),
            Why::OutOfRange(_) => f.write_str(
                "and Kafka did not have it when it was asked: its log was cut. Do not move the position, though \
                 the log may have grown again",
            ),
        }
    }
}

/// What an error of the consumer means.
pub(super) enum Meaning {
    /// The client library recovers from it by itself.
    Passes,
    /// A partition's next offset is not there.
    OutOfRange,
    /// A partition or its topic is not there.
    Missing,
    /// The client is of no use any more.
    Fatal,
}

pub(super) fn meaning(error: &KafkaError) -> Meaning {
    use RDKafkaErrorCode as Code;
    let KafkaError::MessageConsumption(code) = error else { return Meaning::Fatal };
    match code {
        Code::AutoOffsetReset | Code::OffsetOutOfRange => Meaning::OutOfRange,
        Code::UnknownTopicOrPartition | Code::UnknownTopic | Code::UnknownPartition => Meaning::Missing,
        // Not allowed to read a topic: the same for all of its partitions and processes.
        Code::Fatal | Code::TopicAuthorizationFailed => Meaning::Fatal,
        _ => Meaning::Passes,
    }
}

/// What is looked for in the next statistics, and how often.
#[derive(Debug, Default)]
pub(super) struct Suspicion {
    out_of_range: u8,
    missing: u8,
}

impl Suspicion {
    pub(super) fn out_of_range(&mut self) {
        self.out_of_range = LOOKS;
    }

    pub(super) fn missing(&mut self) {
        self.missing = LOOKS;
    }

    pub(super) fn is_any(&self) -> bool {
        self.out_of_range > 0 || self.missing > 0
    }

    /// The partitions that explain an error, by topic and number, among those `assigned`
    /// (with since when).
    pub(super) fn look<'a>(
        &mut self,
        statistics: &[u8],
        assigned: impl Iterator<Item = (&'a str, i32, Instant)>,
    ) -> Result<Vec<(String, i32, Why)>, KafkaProblem> {
        let statistics: Statistics = serde_json::from_slice(statistics).map_err(|error| {
            // Going on could leave a partition standing without a word.
            let why = format!("statistics that cannot be read: {error}");
            KafkaProblem::Admin { doing: "looking for an unreadable partition", why }
        })?;
        let settled = assigned.filter(|(_, _, since)| since.elapsed() >= SETTLED);
        let found = settled.filter_map(|(topic, partition, _)| {
            let state = statistics.topics.get(topic)?.partitions.get(&partition.to_string())?;
            let why = if self.missing > 0 && state.unknown {
                Why::Missing
            } else if self.out_of_range > 0 && state.fetch_state == "none" {
                Why::OutOfRange(None)
            } else {
                return None;
            };
            Some((topic.to_owned(), partition, why))
        });
        let found = found.collect();
        self.out_of_range = self.out_of_range.saturating_sub(1);
        self.missing = self.missing.saturating_sub(1);
        Ok(found)
    }
}

#[derive(Deserialize)]
struct Statistics {
    topics: HashMap<String, OfTopic>,
}

#[derive(Deserialize)]
struct OfTopic {
    partitions: HashMap<String, OfPartition>,
}

#[derive(Deserialize)]
struct OfPartition {
    fetch_state: String,
    unknown: bool,
}

/// Keeps the newest statistics. Called while polling, on the loop's own thread.
#[derive(Default)]
pub(super) struct Context {
    newest: Mutex<Option<Vec<u8>>>,
}

impl Context {
    /// The statistics since the last call.
    pub(super) fn statistics(&self) -> Option<Vec<u8>> {
        self.newest.lock().ok().and_then(|mut newest| newest.take())
    }
}

impl ClientContext for Context {
    fn stats_raw(&self, statistics: &[u8]) {
        if let Ok(mut newest) = self.newest.lock() {
            *newest = Some(statistics.to_vec());
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(%error, reason, "kafka consumer");
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// As the client library writes them, shortened: -1 is its own partition for records
    /// without one.
    const STATISTICS: &str = r#"{"name": "rdkafka#consumer-1", "topics": {"t": {"topic": "t", "partitions": {
        "-1": {"partition": -1, "unknown": false, "fetch_state": "none"},
        "0": {"partition": 0, "unknown": false, "fetch_state": "active"},
        "1": {"partition": 1, "unknown": false, "fetch_state": "none"},
        "2": {"partition": 2, "unknown": true, "fetch_state": "active"},
        "3": {"partition": 3, "unknown": true, "fetch_state": "none"}
    }}}}"#;

    /// What is found where all four partitions were assigned so long ago.
    fn found(suspicion: &mut Suspicion, ago: Duration) -> Vec<(i32, Why)> {
        let since = Instant::now().checked_sub(ago).unwrap();
        let assigned = (0..5).map(|partition| ("t", partition, since));
        let found = suspicion.look(STATISTICS.as_bytes(), assigned).unwrap();
        found.into_iter().map(|(_, partition, why)| (partition, why)).collect()
    }

    #[test]
    fn an_error_is_explained_by_partitions_of_its_kind_that_have_settled() {
        let mut suspicion = Suspicion::default();
        assert!(!suspicion.is_any() && found(&mut suspicion, SETTLED).is_empty());
        suspicion.out_of_range();
        assert!(found(&mut suspicion, Duration::ZERO).is_empty(), "they are still being started");
        let out_of_range = |partition| (partition, Why::OutOfRange(None));
        assert_eq!(found(&mut suspicion, SETTLED), [out_of_range(1), out_of_range(3)]);
        suspicion.missing();
        assert_eq!(found(&mut suspicion, SETTLED), [out_of_range(1), (2, Why::Missing), (3, Why::Missing)]);
        // Three looks for the first, two more for the second.
        assert_eq!(found(&mut suspicion, SETTLED), [(2, Why::Missing), (3, Why::Missing)]);
        assert!(suspicion.is_any());
        assert_eq!(found(&mut suspicion, SETTLED).len(), 2);
        assert!(!suspicion.is_any() && found(&mut suspicion, SETTLED).is_empty());
    }

    #[test]
    fn statistics_that_cannot_be_read_are_an_error() {
        for statistics in ["", "{}", r#"{"topics": {"t": {"partitions": {"0": {"unknown": false}}}}}"#] {
            let looked = Suspicion::default().look(statistics.as_bytes(), std::iter::empty());
            assert!(looked.is_err(), "{statistics}");
        }
    }
}
