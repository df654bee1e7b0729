//! The desk under random schedules.
#![allow(clippy::unwrap_used, clippy::panic)]

mod courtesy;
mod model;

use super::*;
use crate::deferred::{Row, Waiting};
use crate::scan::Scan;
use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::text::Encoding;
use platform::kafka::budget::Budget;
use proptest::prelude::*;
use std::collections::BTreeMap;
use wire::Version;
use wire::attempt::{Attempt, AttemptKind, IntentSlice, SliceOf};
use wire::billed::{Answer, answer};
use wire::submitted::Text;

const SEND_BY: UnixMillis = UnixMillis(1_000_000);
/// A line of advertising.
const AD: &str = "100099";

fn chunk(number: i64, recipients: Vec<u64>) -> Arc<Chunk> {
    let id = ChunkId::new((number + 1) << 30).unwrap();
    Arc::new(Chunk {
        id,
        // Accounts take turns: a later chunk may be sent before an earlier one.
        account: 1 + i64::from(number % 4 == 3),
        asked_lane: Lane::Bulk,
        // Some are advertising, and some belong to campaigns.
        line: if number % 5 == 4 { AD } else { "100002" }.into(),
        recipients: recipients
            .into_iter()
            .map(|n| Msisdn::from_canonical(989_120_000_000 + n).unwrap())
            .collect(),
        texts: vec![Text { body: "x".into(), encoding: Encoding::Gsm7, segments: 1 }],
        text_index: vec![],
        references: vec![],
        tariff_version: 1,
        created_at: UnixMillis(0),
        send_by: SEND_BY,
        call_id: id,
        call_chunks: 1,
        call_messages: 1,
        campaign: number % 3,
    })
}

fn paid(budget: &Arc<Budget>, chunk: &Arc<Chunk>, paid: u16) -> Option<Paid> {
    Some(Paid { chunk: Arc::clone(chunk), paid, record: Bytes::new(), charge: budget.charge(1) })
}

/// A desk at this offset of sms.billed, with nothing behind it.
fn desk(frontier: i64) -> Desk {
    let stood = Stand { frontier, last_source: frontier - 1, point: 0 };
    Desk::new("magfa".into(), stood, Scan::default(), 0, &[])
}

/// Nothing is cancelled, nobody opted out, and it is day.
fn rules() -> Rules {
    Rules::of(&[], &[], None)
}

fn at(time: i64) -> Now {
    Now { boot: time, unix: UnixMillis(time) }
}

fn retry(at: i64) -> Wait {
    Wait { at, why: Why::Retry, code: 0 }
}

/// What the world outside does next.
#[derive(Clone, Debug)]
enum Step {
    Arrive { recipients: Vec<u64>, paid: prop::sample::Index },
    Nothing,
    Call(usize),
    End { call: prop::sample::Index, outcomes: Vec<Outcome> },
    Later,
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Taken),
        1 => Just(Outcome::Retry),
        1 => Just(Outcome::NotSent),
        1 => Just(Outcome::Unknown),
        1 => Just(Outcome::LeftToReceipt),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let recipients = prop::collection::vec(0u64..6, 1..12);
    prop_oneof![
        2 => (recipients, any::<prop::sample::Index>()).prop_map(|(recipients, paid)| Step::Arrive { recipients, paid }),
        1 => Just(Step::Nothing),
        3 => (1usize..5).prop_map(Step::Call),
        3 => (any::<prop::sample::Index>(), prop::collection::vec(outcome(), 5))
            .prop_map(|(call, outcomes)| Step::End { call, outcomes }),
        1 => Just(Step::Later),
    ]
}

/// A world with sms.attempts as a list, in which every intent is remembered.
struct World {
    desk: Desk,
    budget: Arc<Budget>,
    /// Of each chunk: offset, the messages paid for that are not closed.
    open: BTreeMap<i64, (ChunkId, Bits)>,
    /// Of each chunk the offset of its first intent.
    intents: HashMap<ChunkId, i64>,
    calls: Vec<Vec<Leaving>>,
    attempts_end: i64,
    billed_end: i64,
    now: i64,
}

impl World {
    fn arrive(&mut self, recipients: Vec<u64>, up_to: prop::sample::Index) {
        let prefix = up_to.index(recipients.len()) + 1;
        let chunk = chunk(self.billed_end, recipients);
        self.open.insert(self.billed_end, (chunk.id, Bits::prefix(prefix)));
        let paid = paid(&self.budget, &chunk, u16::try_from(prefix).unwrap());
        self.desk.take(self.billed_end, self.billed_end, paid, 0).unwrap();
        self.billed_end += 1;
    }

    fn call(&mut self, max: usize) {
        let call = self.desk.next_call(max, at(self.now), &rules());
        assert!(call.len() <= max);
        let recipients: HashSet<_> =
            call.iter().map(|l| l.chunk.recipients[usize::from(l.position)]).collect();
        assert_eq!(recipients.len(), call.len(), "recipients of a call differ");
        for leaving in &call {
            let under_way = self.calls.iter().flatten();
            let twice =
                under_way.filter(|l| (l.chunk.id, l.position) == (leaving.chunk.id, leaving.position));
            assert_eq!(twice.count(), 0, "a message is in two calls at once");
            assert!(
                self.open
                    .values()
                    .any(|(id, open)| *id == leaving.chunk.id && open.contains(leaving.position))
            );
            self.intents.entry(leaving.chunk.id).or_insert(self.attempts_end);
        }
        if !call.is_empty() {
            self.attempts_end += 1;
            self.calls.push(call);
        }
    }

    fn end(&mut self, pick: impl Fn(usize) -> usize, outcomes: &[Outcome]) {
        if self.calls.is_empty() {
            return;
        }
        let call = self.calls.swap_remove(pick(self.calls.len()));
        self.desk.wrote(self.attempts_end);
        self.attempts_end += 1;
        for (leaving, outcome) in call.into_iter().zip(outcomes.iter().cycle()) {
            let (id, position) = (leaving.chunk.id, leaving.position);
            self.desk.outcome(id, position, *outcome);
            if outcome.closes() {
                for (_, open) in self.open.values_mut().filter(|(known, _)| *known == id) {
                    open.remove(position);
                }
            } else {
                self.desk.wait(id, position, retry(self.now + 1));
            }
        }
    }

    fn check(&self) {
        let stand = self.desk.stand();
        let first_open = self.open.iter().find(|(_, (_, open))| !open.is_empty()).map(|(offset, _)| *offset);
        assert!(stand.frontier <= first_open.unwrap_or(self.billed_end), "the frontier passed an open chunk");
        assert_eq!(stand.last_source, stand.frontier - 1);
        for (_, (id, _)) in self.open.range(stand.frontier..) {
            if let Some(intent) = self.intents.get(id) {
                assert!(stand.point <= *intent, "the point passed an intent that a successor must read");
            }
        }
        assert!(stand.point <= self.attempts_end);
    }
}

proptest! {
    /// Whatever happens in whatever order: nothing is in two calls at once, the frontier
    /// passes only what is closed, the point never passes an intent of what is not below the
    /// frontier; and when everything has ended, both stand at the end.
    #[test]
    fn nothing_is_passed_over(steps in prop::collection::vec(step(), 1..120)) {
        let budget = Budget::new(1_000, 1_000_000);
        let mut world = World {
            desk: desk(0),
            budget: Arc::clone(&budget),
            open: BTreeMap::new(), intents: HashMap::new(), calls: vec![],
            attempts_end: 0, billed_end: 0, now: 0,
        };
        for step in steps {
            match step {
                Step::Arrive { recipients, paid } => world.arrive(recipients, paid),
                Step::Nothing => {
                    world.desk.take(world.billed_end, world.billed_end, None, 0).unwrap();
                    world.billed_end += 1;
                }
                Step::Call(max) => world.call(max),
                Step::End { call, outcomes } => world.end(|calls| call.index(calls), &outcomes),
                Step::Later => {
                    world.now += 1;
                    world.desk.retry_due(Now { boot: world.now, unix: UnixMillis(0) }, None);
                }
            }
            world.check();
        }
        for _ in 0..10_000 {
            world.now += 2;
            world.desk.retry_due(Now { boot: world.now, unix: UnixMillis(0) }, None);
            world.call(100);
            while !world.calls.is_empty() {
                world.end(|calls| calls - 1, &[Outcome::Taken]);
            }
            world.check();
            if world.desk.stand().frontier == world.billed_end {
                break;
            }
        }
        let stand = world.desk.stand();
        prop_assert_eq!((stand.frontier, stand.point), (world.billed_end, world.desk.attempts_end));
        prop_assert_eq!(budget.in_hand(), (0, 0));
    }
}

#[test]
fn a_hole_is_refused_and_a_repetition_is_passed() {
    let budget = Budget::new(10, 10);
    let mut desk = self::desk(5);
    let one = chunk(1, vec![1]);
    assert_eq!(desk.take(5, 6, paid(&budget, &one, 1), 0), Err(DeskError::Hole { last: 4, found: 6 }));
    assert_eq!(desk.take(5, 5, None, 0), Ok(Came::New));
    assert_eq!(desk.take(6, 3, paid(&budget, &one, 1), 0), Ok(Came::Again));
    assert!(!desk.has_ready(), "a repetition is not sent again");
    assert_eq!(desk.stand(), Stand { frontier: 7, last_source: 5, point: 0 });
}

#[test]
fn what_is_late_expires_and_is_not_sent() {
    let budget = Budget::new(10, 10);
    let mut desk = self::desk(0);
    let one = chunk(1, vec![1, 2]);
    desk.take(0, 0, paid(&budget, &one, 2), 0).unwrap();
    assert!(desk.next_call(100, at(SEND_BY.0), &rules()).is_empty());
    let expired = desk.expired(SEND_BY);
    assert_eq!(expired.len(), 2);
    expired.iter().for_each(|message| desk.outcome(one.id, message.position, Outcome::Expired));
    assert_eq!(desk.stand().frontier, 1);
}

/// What waits for the operator's answer does not hold up what only waits for its time, and
/// what is closed is given back at once, whatever stands before it.
#[test]
fn the_one_does_not_wait_for_the_other() {
    let budget = Budget::new(10, 10);
    let mut desk = self::desk(0);
    let (one, two) = (chunk(1, vec![1, 2]), chunk(2, vec![3]));
    desk.take(0, 0, paid(&budget, &one, 2), 0).unwrap();
    desk.take(1, 1, paid(&budget, &two, 1), 0).unwrap();
    assert_eq!(desk.next_call(100, at(0), &rules()).len(), 3);
    desk.wait(one.id, 0, Wait { at: 5, why: Why::LookUp, code: 0 });
    desk.wait(one.id, 1, retry(6));
    assert!(desk.next_look_up(4).is_none());
    desk.retry_due(Now { boot: 7, unix: UnixMillis(0) }, None);
    assert!(desk.has_ready());
    assert!(desk.next_look_up(7).is_some() && desk.next_look_up(7).is_none());
    desk.outcome(two.id, 0, Outcome::Taken);
    assert_eq!((budget.in_hand().0, desk.stand().frontier), (1, 0));
}

/// One record carries what expires together: it must not grow beyond what Kafka takes.
#[test]
fn what_expires_together_is_bounded() {
    let budget = Budget::new(100, 100);
    let mut desk = self::desk(0);
    for offset in 0..8 {
        let many = chunk(offset, (0..200).collect());
        desk.take(offset, offset, paid(&budget, &many, 200), 0).unwrap();
    }
    let expired: Vec<usize> = (0..3).map(|_| desk.expired(SEND_BY).len()).collect();
    assert_eq!(expired, [EXPIRED_MAX, 600, 0]);
}

/// Whether it was taken by one operator says nothing of another: who is asked is whoever had the
/// last attempt, whatever the routes are by then.
#[test]
fn who_is_asked_is_whoever_had_the_last_attempt() {
    let budget = Budget::new(1_000, 1_000_000);
    let chunk = chunk(0, vec![1, 2, 3]);
    let of = |attempt| SliceOf { account: 1, chunk: chunk.id, chunk_size: 3, part: 0, attempt };
    let intent = |connector: &str, attempt, positions: &[u8]| {
        let slice = IntentSlice { of: of(attempt), bits: positions.iter().copied().collect() };
        let kind = AttemptKind::Intent { connector: connector.into(), slices: vec![slice] };
        Attempt { epoch: 1, at: UnixMillis(0), kind }
    };
    let mut scan = Scan::default();
    scan.take(0, intent("other", 1, &[0, 1]));
    scan.take(1, intent("magfa", 2, &[1]));
    scan.take(2, intent("gone", 1, &[2]));
    let stood = Stand { frontier: 0, last_source: -1, point: 3 };
    let mut desk = Desk::new("magfa".into(), stood, scan, 1, &[]);
    desk.take(0, 0, paid(&budget, &chunk, 3), 10).unwrap();
    let asked = |desk: &mut Desk, now| {
        let mut asked: Vec<_> = std::iter::from_fn(|| desk.next_look_up(now)).collect();
        asked.sort_by_key(|message| message.position);
        asked.into_iter().map(|message| message.elsewhere.map(|by| by.to_string())).collect::<Vec<_>>()
    };
    let other = |name: &str| Some(name.to_owned());
    assert_eq!(asked(&mut desk, 10), [other("other"), None, other("gone")]);

    // Nor does it say anything when the message comes back from the table, and the routes were
    // changed in between.
    let now = Now { boot: 20, unix: UnixMillis(20) };
    for position in 0..3 {
        desk.wait(chunk.id, position, Wait { at: 50_000, why: Why::LookUp, code: 0 });
    }
    desk.defer(now, 1_000, 10);
    let row = desk.unsaved().rows[&chunk.id].clone().unwrap();
    let mut later = Desk::new("other".into(), stood, Scan::default(), 0, &[]);
    let record = answer(Version::NEWEST, 0, Answer::Paid(3), &chunk.encode(Version::NEWEST));
    later.load(Row { record, ..row }, now, 0).unwrap();
    assert_eq!(asked(&mut later, 60_000), [None, other("magfa"), other("gone")]);

    // A new attempt goes by the route.
    later.wait(chunk.id, 2, retry(0));
    later.retry_due(Now { boot: 0, unix: UnixMillis(0) }, None);
    let call = later.next_call(1, at(0), &rules());
    assert_eq!((call[0].position, call[0].elsewhere.clone()), (2, None));
}

/// At the table's bound nothing new is written into it; what has a row there leaves memory.
#[test]
fn what_has_a_row_leaves_memory_also_where_the_table_is_full() {
    let budget = Budget::new(1_000, 1_000_000);
    let (old, new) = (chunk(0, vec![1]), chunk(1, vec![2]));
    let now = Now { boot: 0, unix: UnixMillis(0) };
    let mut desk = self::desk(0);
    for (source, chunk) in (0..).zip([&old, &new]) {
        desk.take(source, source, paid(&budget, chunk, 1), 0).unwrap();
    }
    assert_eq!(desk.next_call(9, at(0), &rules()).len(), 2);
    desk.wait(old.id, 0, retry(9_000));
    desk.defer(now, 1_000, 1);
    let record = answer(Version::NEWEST, 0, Answer::Paid(1), &old.encode(Version::NEWEST));
    let row = Row { record, ..desk.unsaved().rows[&old.id].clone().unwrap() };
    assert!(desk.unsaved().first.contains(&old.id));
    desk.saved();
    desk.load(row, now, 0).unwrap();
    desk.wait(new.id, 0, retry(9_000));
    desk.defer(now, 1_000, 0);
    assert_eq!(desk.unsaved().rows.keys().collect::<Vec<_>>(), [&old.id]);
    assert!(desk.unsaved().first.is_empty(), "it had its row before");
}

/// What comes back for a route that is stopped goes again, but for what is over.
#[test]
fn retries_for_a_stopped_route_leave_memory_again() {
    let chunk = chunk(0, vec![1]);
    let record = answer(Version::NEWEST, 0, Answer::Paid(1), &chunk.encode(Version::NEWEST));
    let attempted = None;
    let (why, code, due) = (Why::Retry, 0, UnixMillis(5));
    let waiting = Waiting { position: 0, attempt: 1, tries: 1, questions: 0, why, code, due, attempted };
    let (id, send_by) = (chunk.id, SEND_BY);
    let row = Row { chunk: id, account: 1, campaign: 0, offset: 0, send_by, record, messages: vec![waiting] };
    let mut desk = self::desk(5);
    desk.load(row, at(10), 0).unwrap();
    desk.retry_due(at(10), Some(20_000));
    assert!(!desk.has_ready());
    desk.defer(at(10), 1_000, 0);
    let row = desk.unsaved().rows[&id].clone().unwrap();
    assert_eq!(row.messages[0].due, UnixMillis(20_000));
    desk.saved();
    desk.load(row, at(20_000), 0).unwrap();
    desk.retry_due(at(SEND_BY.0), Some(SEND_BY.0 + 20_000));
    assert_eq!(desk.expired(SEND_BY).len(), 1);
}
