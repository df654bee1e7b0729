//! The loop under random schedules: whatever order and time the work takes, and whichever
//! partitions come and go, the bounds hold and nothing is missed or seen twice.

use crate::reader::{Reader, limits};
use crate::shared::{Shared, number, numbered};
use domain::lane::Lane;
use platform::kafka::consumer::{ConsumerLimits, Flow, Record};
use platform::kafka::frontier::Frontier;
use platform::kafka::topics::Stage;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const RECORDS: usize = 400;
const LONGEST: i64 = 410;
/// Records that the loop hands over together at most.
const BATCH: i64 = 512;

/// A small generator: the schedule of a seed is always the same.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

struct Part {
    serial: u64,
    flow: Arc<Flow>,
    frontier: Frontier,
    /// The offset that must come next under this serial.
    expected: i64,
}

/// A worker: holds records, finishes them in any order.
struct Worker {
    reader: Reader,
    limits: ConsumerLimits,
    parts: BTreeMap<i32, Part>,
    in_hand: Vec<Record>,
    dropped: usize,
    dice: Dice,
}

impl Worker {
    fn assign(&mut self, partition: i32, from: i64) {
        let (serial, flow) = self.reader.records.assign(0, partition, from);
        let part = Part { serial, flow, frontier: Frontier::new(from), expected: from };
        self.parts.insert(partition, part);
    }

    fn receive(&mut self, batch: Vec<Record>) {
        for record in batch {
            let part = self.parts.get_mut(&record.partition).unwrap();
            if record.serial != part.serial {
                self.dropped += 1;
                continue;
            }
            assert_eq!(record.offset, part.expected, "each record once and in order");
            assert_eq!(number(&record.value), record.offset);
            part.expected += 1;
            part.frontier.open(record.offset).unwrap();
            let ahead = part.expected - part.frontier.next();
            assert!(ahead <= i64::from(self.limits.ahead_records) + BATCH, "{ahead} ahead");
            self.in_hand.push(record);
        }
        let (records, bytes) = self.reader.budget.in_hand();
        assert!(records >= i64::try_from(self.in_hand.len()).unwrap());
        assert!(records <= i64::from(self.limits.in_hand_records), "{records} records in hand");
        let bound = i64::try_from(self.limits.in_hand_bytes).unwrap();
        assert!(bytes < bound + LONGEST, "{bytes} bytes in hand");
    }

    /// Finishes a random record.
    fn finish(&mut self) {
        let record = self.in_hand.swap_remove(self.dice.below(self.in_hand.len()));
        let part = self.parts.get_mut(&record.partition).unwrap();
        if record.serial == part.serial {
            let before = part.frontier.next();
            let position = part.frontier.done(record.offset).unwrap();
            assert!(position >= before && position <= part.expected);
            part.flow.done_below(position);
        }
    }

    /// Takes a partition away in mid-stream, and begins again where its frontier stands.
    fn reassign(&mut self, partition: i32) {
        let position = self.parts[&partition].frontier.next();
        if self.dice.below(2) == 0 {
            self.reader.records.unassign(0, partition);
        }
        self.assign(partition, position);
    }

    fn is_done(&self) -> bool {
        self.parts.values().all(|part| part.frontier.next() == RECORDS as i64)
    }
}

async fn run(topic: String, shared: &Shared, limits: ConsumerLimits, seed: u64, reassigning: bool) {
    let reader = Reader::start(&shared.settings, &limits, vec![topic]);
    let (parts, in_hand) = (BTreeMap::new(), Vec::new());
    let mut worker = Worker { reader, limits, parts, in_hand, dropped: 0, dice: Dice(seed) };
    for partition in 0..4 {
        worker.assign(partition, 0);
    }
    let mut spent = 0;
    let mut quiet = 0;
    while !worker.is_done() {
        // Sometimes the worker is slow to come for records, sometimes it has nothing else to do.
        let wait = Duration::from_millis(if worker.in_hand.is_empty() { 50 } else { 0 });
        match tokio::time::timeout(wait, worker.reader.records.next()).await {
            Ok(batch) => {
                let batch = batch.expect("the loop runs");
                assert!(batch.unreadable.is_empty(), "{:?}", batch.unreadable);
                worker.receive(batch.records);
                quiet = 0;
            }
            Err(_) => quiet += u32::from(worker.in_hand.is_empty()),
        }
        assert!(quiet < 600, "30 seconds with nothing in hand and nothing to read");
        spent += u32::from(worker.reader.budget.is_spent());
        let finishing = worker.dice.below(40);
        for _ in 0..finishing.min(worker.in_hand.len()) {
            worker.finish();
        }
        if reassigning && worker.dice.below(25) == 0 {
            let partition = i32::try_from(worker.dice.below(4)).unwrap();
            worker.reassign(partition);
        }
    }
    assert!(spent > 0 || worker.limits.in_hand_records > 4 * 512, "the bounds were never reached");
    // What is left are records of earlier assignments.
    worker.in_hand.clear();
    while worker.reader.records.try_next().is_some() {}
    let (budget, reader) = (Arc::clone(&worker.reader.budget), worker.reader);
    assert_eq!(reader.stop().map_err(|error| error.to_string()), Ok(()));
    assert_eq!(budget.in_hand(), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_order_any_time_any_assignment() {
    let shared = Shared::get();
    let topic = shared.topic(Stage::Submitted, Lane::Express);
    let filling = Arc::clone(&shared);
    let to = topic.clone();
    let fill = move || (0..4).for_each(|partition| filling.fill(&to, partition, &numbered(RECORDS)));
    tokio::task::spawn_blocking(fill).await.unwrap();
    for seed in 1..=2 {
        // Bound by records, by bytes, by how far reading may run ahead.
        run(topic.clone(), &shared, limits(60, 1 << 20, 500), seed, false).await;
        run(topic.clone(), &shared, limits(1_000, 9_000, 500), seed, true).await;
        run(topic.clone(), &shared, limits(90, 12_000, 100), seed, true).await;
        run(topic.clone(), &shared, limits(4_000, 1 << 20, 40), seed, true).await;
    }
}
