//! What the topics hold of a message. Everything here blocks.

use super::Wanted;
use super::attempts::Attempts;
use super::event::{Event, Kind, Place, time};
use domain::lane::Lane;
use domain::time::UnixMillis;
use platform::kafka::KafkaProblem;
use platform::kafka::tail::{Tail, TailRecord};
use platform::kafka::topics::{Stage, Topics};
use serde_json::{Value, json};
use std::io::Write;
use std::ops::Range;
use wire::billed::{Billed, Verdict};
use wire::receipts::Receipts;
use wire::submitted::Chunk;

/// How far a broker's clock may be behind the one that made the id.
const CLOCKS_MS: i64 = 60_000;

/// What an event says.
type Fields = Vec<(&'static str, Value)>;

/// The place of a submitted record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

/// A search through the topics.
pub(super) struct Search {
    pub(super) wanted: Wanted,
    /// Partitions of every topic.
    pub(super) partitions: i32,
    /// Records read of one partition at most.
    pub(super) limit: i64,
}

impl Search {
    /// The submitted record itself, while Kafka keeps it.
    pub(super) fn submitted(
        &self,
        tail: &Tail,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), KafkaProblem> {
        let Source { topic, partition, offset } = source;
        if !tail.bounds(topic, *partition)?.contains(offset) {
            note(&format!("{topic}/{partition}@{offset} is no longer kept"));
            return Ok(());
        }
        tail.read(topic, *partition, *offset..offset + 1, |record| {
            let fields = match Chunk::decode(&record.value) {
                Ok(chunk) => self.chunk(&chunk),
                Err(error) => vec![("error", json!(error.to_string()))],
            };
            events.push(Place { topic, partition: *partition }.event(Kind::Submitted, &record, fields));
        })
    }

    fn chunk(&self, chunk: &Chunk) -> Fields {
        let mut fields = self.wanted.content.of(chunk, self.wanted.index);
        fields.extend([
            ("asked_lane", json!(chunk.asked_lane.as_str())),
            ("tariff", json!(chunk.tariff_version)),
            ("accepted_at", json!(time(chunk.created_at))),
            ("send_by", json!(time(chunk.send_by))),
            ("call", json!(chunk.call_id.to_string())),
        ]);
        fields
    }

    /// What billing and the sender wrote, in the partition and lane of the submitted record.
    pub(super) fn topics(
        &self,
        tail: &Tail,
        topics: &Topics,
        source: &Source,
        events: &mut Vec<Event>,
    ) -> Result<(), KafkaProblem> {
        let Some(lane) =
            Lane::ALL.into_iter().find(|lane| topics.of(Stage::Submitted, *lane) == source.topic)
        else {
            note(&format!("{} is of an earlier generation: its answers are not looked for", source.topic));
            return Ok(());
        };
        let (billed, attempts) = (topics.of(Stage::Billed, lane), topics.of(Stage::Attempts, lane));
        let place = Place { topic: &billed, partition: source.partition };
        let mut billed_at = None;
        self.read(tail, place, 0, |record| {
            if let Some(fields) = self.billed(record, source.offset) {
                billed_at.get_or_insert(record.at_ms);
                events.push(place.event(Kind::Billed, record, fields));
            }
        })?;
        let place = Place { topic: &attempts, partition: source.partition };
        let since = billed_at.unwrap_or(self.since().0);
        let mut attempted = Attempts::new(self.wanted, place, since);
        // The record before the first tells which fence all of them are behind.
        self.read(tail, place, 1, |record| attempted.take(record))?;
        events.extend(attempted.ended());
        Ok(())
    }

    /// Receipts, which may stand in any partition.
    pub(super) fn receipts(
        &self,
        tail: &Tail,
        topics: &Topics,
        events: &mut Vec<Event>,
    ) -> Result<(), KafkaProblem> {
        let topic = topics.receipts();
        for partition in 0..self.partitions {
            let place = Place { topic: &topic, partition };
            self.read(tail, place, 0, |record| {
                let Ok(heard) = Receipts::decode(&record.value) else { return };
                for fields in receipts(&heard, self.wanted) {
                    events.push(place.event(Kind::Receipt, record, fields));
                }
            })?;
        }
        Ok(())
    }

    /// When the message was made, by any clock.
    fn since(&self) -> UnixMillis {
        self.wanted.chunk.minted_at().plus(-CLOCKS_MS)
    }

    /// A partition from when the message was made, and so many records before, to its end, or
    /// to the limit.
    fn read(
        &self,
        tail: &Tail,
        Place { topic, partition }: Place<'_>,
        before: i64,
        mut each: impl FnMut(&TailRecord),
    ) -> Result<(), KafkaProblem> {
        let start = tail.offset_at(topic, partition, self.since())?;
        let Range { start: first, end } = tail.bounds(topic, partition)?;
        let start = first.max(start - before);
        let stop = end.min(start.saturating_add(self.limit));
        if start < stop {
            note(&format!("reading {} records of {topic}/{partition}", stop - start));
        }
        if stop < end {
            note(&format!("{} further records of {topic}/{partition} are not read (--limit)", end - stop));
        }
        tail.read(topic, partition, start..stop, |record| each(&record))
    }

    fn billed(&self, record: &TailRecord, source: i64) -> Option<Fields> {
        if Billed::decode_source(&record.value) != Ok(source) {
            return None;
        }
        Some(match Billed::decode(&record.value).map(|billed| billed.verdict) {
            Ok(Verdict::Paid { paid, .. }) => {
                let verdict = if u16::from(self.wanted.index) < paid { "paid" } else { "refused" };
                vec![("verdict", json!(verdict)), ("chunk_paid", json!(paid))]
            }
            Ok(Verdict::Refused { .. }) => vec![("verdict", json!("refused"))],
            Ok(Verdict::Noop) => vec![("verdict", json!("noop"))],
            Err(error) => vec![("error", json!(error.to_string()))],
        })
    }
}

/// The receipts in a record that name the message.
pub(super) fn receipts(heard: &Receipts, wanted: Wanted) -> Vec<Fields> {
    let slices = heard.slices.iter().filter(|slice| slice.chunk == wanted.chunk);
    let named = slices.flat_map(|slice| slice.messages.iter().map(|message| (slice.attempt, message)));
    let named = named.filter(|(_, message)| message.position == wanted.index);
    let fields = named.map(|(attempt, message)| {
        vec![
            ("receipt", json!(message.receipt.as_str())),
            ("connector", json!(heard.connector)),
            ("attempt", json!(attempt)),
            ("code", json!(message.code)),
            ("polled", json!(heard.polled)),
        ]
    });
    fields.collect()
}

/// How far it has come: on stderr, beside the result.
fn note(words: &str) {
    // Nobody reading it is no reason to end.
    let _ = writeln!(std::io::stderr(), "{words}");
}
