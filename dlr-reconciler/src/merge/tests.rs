#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

use super::*;
use crate::pushed::{self, Carried, Carriers, left, sort};
use crate::read::read;
use crate::samples::{billed, chunk_id, fence, outcome, outcomes, pushed, receipts, spoilt};
use crate::states::{apply, fresh};
use domain::bits::Bits;
use domain::outcome::{Outcome, Receipt, Refusal};
use domain::settle::Decided;
use domain::status::{Costs, MessageState, STATE_BYTES, Status};
use proptest::prelude::*;

pub(crate) const LANE: Lane = Lane::Bulk;

/// What becomes of one message, without contradiction.
#[derive(Clone, Debug)]
pub(crate) struct Fate {
    retries: u8,
    /// The last attempt was unknown at first.
    unknown: bool,
    closing: Option<Outcome>,
    receipt: Option<Receipt>,
    /// The receipt is pushed with our id, and does not say its attempt.
    pushed: bool,
}

fn fate() -> impl Strategy<Value = Fate> {
    let closings = [
        Outcome::Taken,
        Outcome::LeftToReceipt,
        Outcome::Expired,
        Outcome::Refused(Refusal::Operator),
        Outcome::Refused(Refusal::Blocked),
    ];
    let receipts = [Receipt::Nothing, Receipt::OnTheWay, Receipt::Delivered, Receipt::Undelivered];
    (
        0u8..2,
        any::<bool>(),
        prop::option::of(prop::sample::select(closings.to_vec())),
        prop::option::of(prop::sample::select(receipts.to_vec())),
        any::<bool>(),
    )
        .prop_map(|(retries, unknown, closing, receipt, pushed)| {
            let may_be_heard_of = matches!(closing, None | Some(Outcome::Taken | Outcome::LeftToReceipt));
            Fate { retries, unknown, closing, receipt: receipt.filter(|_| may_be_heard_of), pushed }
        })
}

/// A chunk: how many messages were paid for, what became of these, and how many were not.
pub(crate) type Story = (Vec<Fate>, u16);

pub(crate) fn stories() -> impl Strategy<Value = Vec<Story>> {
    prop::collection::vec((prop::collection::vec(fate(), 0..5), 0u16..3), 1..4).prop_map(|stories| {
        stories.into_iter().filter(|(paid, unpaid)| paid.len() as u16 + unpaid > 0).collect()
    })
}

/// Everything that is written about the chunks, each record by itself.
pub(crate) fn records(stories: &[Story]) -> Vec<(Stream, Bytes)> {
    let mut records = vec![(Stream::Attempts(LANE), fence())];
    for (k, (fates, unpaid)) in (0..).zip(stories) {
        let (chunk, paid) = (chunk_id(k), fates.len() as u16);
        let size = paid + unpaid;
        records.push((Stream::Billed(LANE), billed(chunk, size, paid)));
        for (position, fate) in (0u8..).zip(fates) {
            let attempts = (1..=fate.retries).map(|attempt| (attempt, Outcome::Retry));
            let last = fate.retries + 1;
            let unknown = fate.unknown.then_some((last, Outcome::Unknown));
            for (attempt, ended) in attempts.chain(unknown).chain(fate.closing.map(|closing| (last, closing)))
            {
                let messages = vec![outcome(position, ended)];
                records.push((Stream::Attempts(LANE), outcomes(chunk, size, attempt, messages)));
            }
            let heard = fate.receipt.map(|receipt| match fate.pushed {
                true => pushed("magfa", chunk, &[(position, receipt)]),
                false => receipts(chunk, last, true, &[(position, receipt)]),
            });
            records.extend(heard.map(|record| (Stream::Receipts, record)));
            if let (true, Some(receipt)) = (fate.pushed, fate.receipt) {
                // Somebody who does not carry it says the opposite.
                let lie = match receipt {
                    Receipt::Delivered => Receipt::Undelivered,
                    _ => Receipt::Delivered,
                };
                records.push((Stream::Receipts, pushed("other", chunk, &[(position, lie)])));
            }
        }
    }
    records
}

/// What the database would hold.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct World {
    pub(crate) states: BTreeMap<ChunkId, Vec<u8>>,
    pub(crate) money: BTreeMap<ChunkId, (Bits, Bits)>,
    pub(crate) ended: [u64; Status::ALL.len()],
    positions: Vec<i64>,
}

struct Store {
    world: World,
    decided: BTreeMap<ChunkId, Decided>,
    carriers: BTreeMap<ChunkId, Carriers>,
    pending: BTreeMap<ChunkId, Heard>,
}

impl Store {
    fn new(stories: &[Story]) -> Self {
        let decided =
            (0..).zip(stories).map(|(k, (paid, _))| (chunk_id(k), Decided::open(paid.len() as u16)));
        Store {
            world: World::default(),
            decided: decided.collect(),
            carriers: BTreeMap::new(),
            pending: BTreeMap::new(),
        }
    }

    /// As [`crate::flush`] does it, without a database.
    fn store(&mut self, batches: Vec<Batch>) {
        let heard = by_chunk(&batches);
        for (chunk, heard) in &heard {
            if !self.world.states.contains_key(chunk)
                && let Some(row) = heard.iter().find_map(|heard| heard.row)
            {
                self.world.states.insert(*chunk, fresh(row.size));
            }
            let waiting = self.merge(*chunk, heard);
            heard.iter().for_each(|heard| self.keep(*chunk, narrowed(heard, waiting)));
        }
        for row in batches.iter().flat_map(|batch| &batch.operator_ids) {
            let (attempt, ids) = (row.attempt, !row.ids.is_empty());
            let (messages, connector) = (row.positions.iter().copied().collect(), row.connector.clone());
            let carriers = self.carriers.entry(row.chunk).or_default();
            carriers.add(Carried { attempt, messages, connector, ids });
        }
        for (chunk, heard) in batches.into_iter().flat_map(|batch| batch.chunks) {
            if !self.world.states.contains_key(&chunk) {
                self.keep(chunk, heard);
            }
        }
        for (chunk, heard) in std::mem::take(&mut self.pending) {
            if self.world.states.contains_key(&chunk) {
                let waiting = self.merge(chunk, &[&heard]);
                self.keep(chunk, narrowed(&heard, waiting));
            } else {
                self.keep(chunk, heard);
            }
        }
    }

    fn keep(&mut self, chunk: ChunkId, heard: Heard) {
        self.pending.entry(chunk).or_default().add(heard);
    }

    /// Returns the messages of which receipts wait for the closing attempt.
    fn merge(&mut self, chunk: ChunkId, heard: &[&Heard]) -> Bits {
        let Some(states) = self.world.states.get_mut(&chunk) else { return Bits::EMPTY };
        let none = Carriers::default();
        let sorted = sort(states, heard, self.carriers.get(&chunk).unwrap_or(&none)).unwrap();
        let ends = apply(states, heard, &sorted.facts, &Costs::default()).unwrap();
        let row = self.decided.get_mut(&chunk).unwrap();
        let movement = row.decide(ends.settle, ends.void);
        assert_eq!((movement.settle, movement.void), (ends.settle, ends.void), "status and money agree");
        self.world.money.insert(chunk, (row.settled(), row.voided()));
        for (sum, more) in self.world.ended.iter_mut().zip(ends.by_status) {
            *sum += u64::from(more);
        }
        sorted.waiting
    }
}

/// What still waits of what was heard.
fn narrowed(heard: &Heard, waiting: Bits) -> Heard {
    let slices: Vec<Slice> = heard.slices.iter().filter_map(|slice| left(slice, waiting)).collect();
    Heard { facts: slices.iter().flat_map(pushed::facts).collect(), slices, ..Heard::default() }
}

/// Stores records in this order, cut into groups: each group is one flush of each stream.
pub(crate) fn played(stories: &[Story], records: &[(Stream, Bytes)], cuts: &[usize]) -> World {
    let mut store = Store::new(stories);
    let mut rest = records;
    let mut next = [0i64; 3];
    while !rest.is_empty() {
        let cut = cuts.get(rest.len() % cuts.len().max(1)).map_or(rest.len(), |cut| cut % rest.len() + 1);
        let (group, later) = rest.split_at(cut);
        rest = later;
        for (index, stream) in
            [Stream::Billed(LANE), Stream::Attempts(LANE), Stream::Receipts].into_iter().enumerate()
        {
            let mut batch = Batch::new(next[index]);
            for (_, record) in group.iter().filter(|(of, _)| *of == stream) {
                let understood = read(stream, 0, record);
                assert_eq!(batch.take(stream, next[index], record, understood), Verdict::Taken);
                next[index] += 1;
            }
            assert_eq!(batch.to(), next[index]);
            store.store(vec![batch]);
        }
    }
    store.world.positions = next.to_vec();
    store.world
}

pub(crate) fn shuffled() -> impl Strategy<Value = (Vec<Story>, Vec<(Stream, Bytes)>, Vec<usize>)> {
    stories().prop_flat_map(|stories| {
        let once = records(&stories);
        let twice: Vec<_> = once.iter().chain(&once).cloned().collect();
        (Just(stories), Just(twice).prop_shuffle(), prop::collection::vec(0usize..20, 1..5))
    })
}

proptest! {
    /// Any order, any repetition, any grouping of the same records: the same states, the
    /// same money, the same counts.
    #[test]
    fn one_end_whatever_the_schedule((stories, shuffled, cuts) in shuffled()) {
        let in_order = records(&stories);
        let mut expected = played(&stories, &in_order, &[]);
        let found = played(&stories, &shuffled, &cuts);
        expected.positions = found.positions.clone();
        prop_assert_eq!(found, expected);
    }

    /// What was told is what is known: each message ends as its fate says.
    #[test]
    fn each_message_ends_as_it_was_told((stories, shuffled, cuts) in shuffled()) {
        let world = played(&stories, &shuffled, &cuts);
        for (k, (fates, unpaid)) in (0..).zip(&stories) {
            let states = world.states.get(&chunk_id(k));
            let told = fates.iter().any(|fate| fate.retries > 0 || fate.unknown || fate.closing.is_some());
            // A campaign's are counted at their state row, so each has one.
            let counted = crate::samples::campaign(chunk_id(k)).is_some();
            prop_assert_eq!(states.is_some(), told || counted || *unpaid > 0);
            let Some(states) = states else { continue };
            let statuses: Vec<Status> = states.as_chunks::<STATE_BYTES>().0.iter()
                .map(|bytes| MessageState::from_bytes(*bytes).unwrap().status()).collect();
            let due = fates.iter().map(|fate| match (fate.closing, fate.receipt) {
                // Nobody knows yet which attempt it belongs to; nor who may have it, unless an
                // attempt is unknown.
                (None, Some(Receipt::Delivered)) if fate.pushed && fate.unknown => Status::Delivered,
                (None, Some(_)) if fate.pushed => Status::Queued,
                (_, Some(Receipt::Delivered)) => Status::Delivered,
                (Some(_), Some(Receipt::Undelivered)) => Status::Undelivered,
                (Some(Outcome::Taken | Outcome::LeftToReceipt), _) => Status::Sent,
                (Some(Outcome::Expired), _) => Status::Expired,
                (Some(Outcome::Refused(Refusal::Blocked)), _) => Status::Blocked,
                (Some(_), _) => Status::Failed,
                (None, _) => Status::Queued,
            });
            let due: Vec<Status> = due.chain((0..*unpaid).map(|_| Status::Refused)).collect();
            prop_assert_eq!(&statuses, &due);
            let bits = |of: fn(&Status) -> bool| -> Bits {
                (0u8..).zip(&due).filter(|(_, status)| of(status)).map(|(position, _)| position).collect()
            };
            let delivered = bits(|status| *status == Status::Delivered);
            let voided = bits(|status| status.is_final() && !matches!(status, Status::Delivered | Status::Refused));
            prop_assert_eq!(world.money[&chunk_id(k)], (delivered, voided));
        }
    }
}

#[test]
fn of_receipts_that_contradict_together_the_delivery_wins() {
    let (chunk, stream) = (chunk_id(0), Stream::Receipts);
    let both = [(0, Receipt::Undelivered), (0, Receipt::Delivered), (1, Receipt::Undelivered)];
    let taken = outcomes(chunk, 2, 1, vec![outcome(0, Outcome::Taken), outcome(1, Outcome::Taken)]);
    let mut states = fresh(2);
    let mut batch = Batch::new(0);
    let attempts = Stream::Attempts(LANE);
    batch.take(attempts, 0, &taken, read(attempts, 0, &taken));
    let record = receipts(chunk, 1, false, &both);
    batch.take(stream, 1, &record, read(stream, 0, &record));
    let ends = apply(&mut states, &[&batch.chunks[&chunk]], &[], &Costs::default()).unwrap();
    assert_eq!(ends.settle.iter().collect::<Vec<_>>(), [0]);
    assert_eq!(ends.void.iter().collect::<Vec<_>>(), [1]);
    assert_eq!(ends.late, 1);
}

#[test]
fn what_cannot_be_read_is_parked_or_stops() {
    let rubbish = Bytes::from_static(b"rubbish");
    for (stream, due, to) in [
        (Stream::Receipts, Verdict::Parked, 6),
        (Stream::Attempts(LANE), Verdict::Stops, 5),
        (Stream::Billed(LANE), Verdict::Stops, 5),
    ] {
        let mut batch = Batch::new(5);
        assert_eq!(batch.take(stream, 5, &rubbish, read(stream, 0, &rubbish)), due);
        assert_eq!((batch.to(), batch.unreadable.len()), (to, usize::from(due == Verdict::Parked)));
    }
    let outside = outcomes(chunk_id(0), 2, 1, vec![outcome(2, Outcome::Taken)]);
    assert!(read(Stream::Attempts(LANE), 0, &outside).is_err());
}

#[test]
fn operators_ids_stand_one_a_line() {
    let mut messages =
        vec![outcome(3, Outcome::Taken), outcome(4, Outcome::Expired), outcome(5, Outcome::Taken)];
    messages.push(wire::attempt::MessageOutcome { operator_id: "a\nb".into(), ..outcome(6, Outcome::Taken) });
    let record = outcomes(chunk_id(0), 9, 1, messages);
    let understood = read(Stream::Attempts(LANE), 0, &record).unwrap();
    let [with, without] = understood.operator_ids.as_slice() else { panic!("one call") };
    assert_eq!((with.positions.as_slice(), with.ids.as_str()), (&[3, 5][..], "op-3\nop-5"));
    assert_eq!((without.positions.as_slice(), without.ids.as_str()), (&[6][..], ""));
    assert_eq!(understood.ids_refused, 1);
    let of_call = &understood.chunks[0].1;
    assert_eq!((of_call.facts.len(), of_call.sent_by.as_deref()), (4, Some("magfa")));
}

/// Whoever has a message, or may have it, is kept, with an id or without; whoever refused it is
/// not. What is left for receipts to tell is asked for there.
#[test]
fn who_may_have_a_message_is_kept() {
    let ended = |ended| {
        let messages = vec![wire::attempt::MessageOutcome { operator_id: "op".into(), ..outcome(0, ended) }];
        let with_id = read(Stream::Attempts(LANE), 0, &outcomes(chunk_id(0), 1, 1, messages)).unwrap();
        let messages =
            vec![wire::attempt::MessageOutcome { operator_id: String::new(), ..outcome(0, ended) }];
        let without = read(Stream::Attempts(LANE), 0, &outcomes(chunk_id(0), 1, 1, messages)).unwrap();
        let ids = |understood: &Understood| {
            let rows: Vec<String> = understood.operator_ids.iter().map(|row| row.ids.clone()).collect();
            rows.join("+")
        };
        let row = without.operator_ids.first().map(|row| (row.attempt, row.connector.to_string()));
        (ids(&with_id), row.is_some(), without.chunks[0].1.sent_by.is_some())
    };
    let due = |outcome| match outcome {
        Outcome::Taken | Outcome::LeftToReceipt => ("op".to_owned(), true, true),
        Outcome::Unknown => ("op".to_owned(), true, false),
        Outcome::Refused(_) | Outcome::Expired => ("op".to_owned(), false, false),
        Outcome::Retry | Outcome::NotSent => (String::new(), false, false),
    };
    for outcome in Outcome::ALL {
        assert_eq!(ended(outcome), due(outcome), "{outcome:?}");
    }
}

/// A slice that is impossible takes no other with it, and is kept.
#[test]
fn what_can_be_read_of_a_record_is_taken() {
    let record = spoilt(&[0, 1].map(|k| receipts(chunk_id(k), 1, true, &[(0, Receipt::Delivered)])));
    let stream = Stream::Receipts;
    let understood = read(stream, 0, &record).unwrap();
    assert!(understood.unreadable.is_some());
    let mut batch = Batch::new(5);
    assert_eq!(batch.take(stream, 5, &record, Ok(understood)), Verdict::Parked);
    assert_eq!(batch.chunks.keys().copied().collect::<Vec<_>>(), [chunk_id(0), chunk_id(1)]);
    let [parked] = batch.unreadable.as_slice() else { panic!("one record") };
    assert_eq!((batch.to(), parked.offset, parked.in_part, &parked.record), (6, 5, true, &record));
}
