//! What the broker wrote down: when it appended each record of lane express.

use super::journey::{Journeys, Moment};
use anyhow::Context;
use bytes::Bytes;
use domain::id::{ChunkId, MessageId};
use domain::lane::Lane;
use domain::time::UnixMillis;
use platform::kafka::KafkaSettings;
use platform::kafka::tail::Tail;
use platform::kafka::topics::{Stage, TopicAdmin, Topics};
use wire::WireError;
use wire::attempt::{Attempt, AttemptKind};
use wire::billed::{Billed, Verdict};
use wire::submitted::Chunk;

/// Reads the express topics of the broker at `bootstrap` from the first request on.
pub(crate) fn read(bootstrap: &str, journeys: &mut Journeys) -> anyhow::Result<()> {
    let Some(begin) = journeys.begin() else { return Ok(()) };
    let (settings, topics) = (settings(bootstrap), Topics::new("", 1));
    let described = TopicAdmin::new(&settings)?.describe(&topics)?;
    let tail = Tail::new(&settings)?;
    for stage in Stage::ALL {
        let topic = topics.of(stage, Lane::Express);
        let partitions = described.get(&topic).with_context(|| format!("there is no {topic}"))?.partitions;
        for partition in 0..i32::try_from(partitions)? {
            let from = tail.offset_at(&topic, partition, UnixMillis(begin))?;
            let mut unreadable = None;
            tail.read(&topic, partition, from..tail.bounds(&topic, partition)?.end, |record| match moments(
                stage,
                &record.value,
            ) {
                Ok(seen) => seen.into_iter().for_each(|(id, moment)| journeys.saw(id, moment, record.at_ms)),
                Err(error) => unreadable = Some(error),
            })?;
            if let Some(error) = unreadable {
                return Err(error).with_context(|| format!("a record of {topic}"));
            }
        }
    }
    Ok(())
}

/// What a record of a topic of this stage is a moment of.
fn moments(stage: Stage, record: &Bytes) -> Result<Vec<(MessageId, Moment)>, WireError> {
    Ok(match stage {
        Stage::Submitted => {
            let chunk = Chunk::decode(record)?;
            first(chunk.id, chunk.len()).map(|id| (id, Moment::Submitted)).collect()
        }
        Stage::Billed => match Billed::decode(record)?.verdict {
            Verdict::Paid { paid, chunk } => {
                first(chunk.id, paid.into()).map(|id| (id, Moment::Billed)).collect()
            }
            Verdict::Refused { .. } | Verdict::Noop => Vec::new(),
        },
        Stage::Attempts => match Attempt::decode(record)?.kind {
            AttemptKind::Fence => Vec::new(),
            AttemptKind::Intent { slices, .. } => slices
                .iter()
                .flat_map(|slice| slice.bits.iter().map(|place| slice.of.chunk.message(place)))
                .map(|id| (id, Moment::Intent))
                .collect(),
            AttemptKind::Outcomes { slices, .. } => slices
                .iter()
                .flat_map(|slice| slice.messages.iter().map(|one| slice.of.chunk.message(one.position)))
                .map(|id| (id, Moment::Outcome))
                .collect(),
        },
    })
}

/// The first so many messages of a chunk.
fn first(chunk: ChunkId, count: usize) -> impl Iterator<Item = MessageId> {
    (0..=u8::MAX).take(count).map(move |place| chunk.message(place))
}

/// Of a reader: what is said of topics is for those who make them.
fn settings(bootstrap: &str) -> KafkaSettings {
    KafkaSettings {
        bootstrap: bootstrap.to_owned(),
        topic_prefix: String::new(),
        partitions: 1,
        replication: 1,
        min_insync_replicas: 1,
        flush_each_record: false,
        retention_hours: 1,
        consumer_queue_bytes: 16 << 20,
        producer_queue_bytes: 1 << 20,
        request_timeout_ms: 20_000,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::bits::Bits;
    use domain::outcome::Outcome;
    use domain::phone::Msisdn;
    use domain::text::Encoding;
    use wire::Version;
    use wire::attempt::{IntentSlice, MessageOutcome, OutcomeSlice, SliceOf};
    use wire::submitted::Text;

    fn id() -> ChunkId {
        ChunkId::new(1 << 32).unwrap()
    }

    /// Of two messages.
    fn chunk() -> Chunk {
        let recipient = |number: u64| Msisdn::from_canonical(989_120_000_000 + number).unwrap();
        Chunk {
            id: id(),
            account: 7,
            asked_lane: Lane::Express,
            line: "100002".to_owned(),
            recipients: (0..2).map(recipient).collect(),
            texts: vec![Text { body: "1".to_owned(), encoding: Encoding::Gsm7, segments: 1 }],
            text_index: Vec::new(),
            references: Vec::new(),
            tariff_version: 1,
            created_at: UnixMillis(1_790_000_000_000),
            send_by: UnixMillis(1_790_000_300_000),
            call_id: id(),
            call_chunks: 1,
            call_messages: 2,
            campaign: 0,
        }
    }

    fn attempt(kind: AttemptKind) -> Bytes {
        Attempt { epoch: 1, at: UnixMillis(1), kind }.encode(Version::NEWEST)
    }

    #[test]
    fn records_say_whose_moments_they_are() {
        let of = SliceOf { account: 7, chunk: id(), chunk_size: 2, part: 0, attempt: 1 };
        let billed = |verdict| Billed { source: 3, verdict }.encode(Version::NEWEST);
        let mut bits = Bits::EMPTY;
        bits.insert(1);
        let intent =
            AttemptKind::Intent { connector: "a".to_owned(), slices: vec![IntentSlice { of, bits }] };
        let taken =
            MessageOutcome { position: 1, outcome: Outcome::Taken, code: 0, operator_id: String::new() };
        let outcomes = AttemptKind::Outcomes {
            connector: "a".to_owned(),
            slices: vec![OutcomeSlice { of, messages: vec![taken] }],
        };
        let cases = [
            (
                Stage::Submitted,
                chunk().encode(Version::NEWEST),
                vec![(0, Moment::Submitted), (1, Moment::Submitted)],
            ),
            (Stage::Billed, billed(Verdict::Paid { paid: 1, chunk: chunk() }), vec![(0, Moment::Billed)]),
            (Stage::Billed, billed(Verdict::Refused { chunk: chunk() }), vec![]),
            (Stage::Billed, billed(Verdict::Noop), vec![]),
            (Stage::Attempts, attempt(AttemptKind::Fence), vec![]),
            (Stage::Attempts, attempt(intent), vec![(1, Moment::Intent)]),
            (Stage::Attempts, attempt(outcomes), vec![(1, Moment::Outcome)]),
        ];
        for (stage, record, wanted) in cases {
            let wanted: Vec<_> =
                wanted.into_iter().map(|(place, moment)| (id().message(place), moment)).collect();
            assert_eq!(moments(stage, &record).unwrap(), wanted);
        }
        assert!(moments(Stage::Billed, &Bytes::from_static(b"?")).is_err());
    }
}
