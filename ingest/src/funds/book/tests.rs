//! The book against a model: a log for each lane, a ledger that bills it, and processes that see
//! snapshots and acknowledgements late and in any order.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const ACCOUNT: i64 = 7;
const IDLE: Duration = Duration::from_secs(10);
const LOST: Duration = Duration::from_secs(60);

/// A record in a lane's log.
#[derive(Clone, Copy, Debug)]
struct Logged {
    process: usize,
    number: u64,
    cost: i64,
    /// Accepted without waiting for a verdict.
    at_once: bool,
    refused: bool,
}

#[derive(Clone, Copy, Debug)]
struct Promise {
    process: usize,
    lane: Lane,
    number: u64,
    cost: i64,
    at_once: bool,
}

struct World {
    now: Instant,
    books: Vec<Book>,
    balance: i64,
    logs: [Vec<Logged>; 3],
    next: [usize; 3],
    /// Promised and not produced yet.
    promised: Vec<Promise>,
    /// Produced, and the process not told yet: lane and offset.
    unacknowledged: Vec<(Lane, usize)>,
    /// Taken by a process, and not given to its book yet.
    snapshots: Vec<(usize, Reading)>,
    /// Which chunks each book suspects.
    suspects: Vec<BTreeSet<ChunkId>>,
}

#[derive(Clone, Debug)]
enum Step {
    /// Asks for the cost at once.
    AtOnce(usize, usize, i64),
    /// Reads the balance first, then asks.
    Ask(usize, usize, i64),
    Produce(usize),
    /// The producer does not take it.
    GiveUp(usize),
    Acknowledge(usize),
    Bill(usize, usize),
    Snapshot(usize),
    Deliver(usize),
    Charge(i64),
}

fn step(charges: bool) -> impl Strategy<Value = Step> {
    let (process, lane, cost) = (0usize..2, 0usize..3, 0i64..400);
    let any = 0usize..100;
    prop_oneof![
        4 => (process.clone(), lane.clone(), 0i64..150).prop_map(|(p, l, c)| Step::AtOnce(p, l, c)),
        4 => (process.clone(), lane.clone(), cost).prop_map(|(p, l, c)| Step::Ask(p, l, c)),
        6 => any.clone().prop_map(Step::Produce),
        1 => any.clone().prop_map(Step::GiveUp),
        6 => any.clone().prop_map(Step::Acknowledge),
        5 => (lane, 1usize..4).prop_map(|(l, n)| Step::Bill(l, n)),
        3 => process.prop_map(Step::Snapshot),
        3 => any.prop_map(Step::Deliver),
        if charges { 1 } else { 0 } => (1i64..500).prop_map(Step::Charge),
    ]
}

fn chunk_of(lane: usize, offset: usize) -> ChunkId {
    let number = 1 + lane * 1_000_000 + offset;
    ChunkId::new(i64::try_from(number).unwrap() << 8).unwrap()
}

impl World {
    fn new(processes: usize, balance: i64) -> Self {
        let now = Instant::now();
        let book = || {
            let mut book = Book::new(Bounds { accounts: 10, promises: 10_000 }, 4);
            book.open(ACCOUNT, now).unwrap();
            book
        };
        World {
            now,
            books: (0..processes).map(|_| book()).collect(),
            balance,
            logs: Default::default(),
            next: [0; 3],
            promised: Vec::new(),
            unacknowledged: Vec::new(),
            snapshots: Vec::new(),
            suspects: vec![BTreeSet::new(); processes],
        }
    }

    fn reading(&self) -> Reading {
        let next = self.next.map(|next| i64::try_from(next).unwrap());
        Reading { balance: Money::new(self.balance), next, at: self.now }
    }

    fn step(&mut self, step: &Step) {
        self.now += Duration::from_millis(1);
        let pick = |of: usize, any: usize| (of > 0).then(|| any % of.max(1));
        match *step {
            Step::AtOnce(process, lane, cost) => self.at_once(process % self.books.len(), lane, cost),
            Step::Ask(process, lane, cost) => self.ask(process % self.books.len(), lane, cost),
            Step::Produce(any) => {
                if let Some(at) = pick(self.promised.len(), any) {
                    let Promise { process, lane, number, cost, at_once } = self.promised.swap_remove(at);
                    let log = &mut self.logs[lane.index()];
                    self.unacknowledged.push((lane, log.len()));
                    log.push(Logged { process, number, cost, at_once, refused: false });
                }
            }
            Step::GiveUp(any) => {
                if let Some(at) = pick(self.promised.len(), any) {
                    let given_up = self.promised.swap_remove(at);
                    self.books[given_up.process].forget(ACCOUNT, given_up.number);
                }
            }
            Step::Acknowledge(any) => {
                if let Some(at) = pick(self.unacknowledged.len(), any) {
                    let (lane, offset) = self.unacknowledged.swap_remove(at);
                    let Logged { process, number, .. } = self.logs[lane.index()][offset];
                    let chunk = chunk_of(lane.index(), offset);
                    self.books[process].confirm(ACCOUNT, number, chunk, i64::try_from(offset).unwrap());
                }
            }
            Step::Bill(lane, count) => self.bill(lane, count),
            Step::Snapshot(process) => {
                let reading = self.reading();
                self.snapshots.push((process % self.books.len(), reading));
            }
            Step::Deliver(any) => {
                if let Some(at) = pick(self.snapshots.len(), any) {
                    let (process, reading) = self.snapshots.swap_remove(at);
                    self.books[process].read(ACCOUNT, reading);
                }
            }
            Step::Charge(amount) => self.balance += amount,
        }
        for (book, suspects) in self.books.iter_mut().zip(&mut self.suspects) {
            suspects.extend(book.take_suspects());
        }
    }

    fn processes(&self) -> u32 {
        u32::try_from(self.books.len()).unwrap()
    }

    fn note(&mut self, process: usize, lane: Lane, cost: i64, numbers: Range<u64>, at_once: bool) {
        self.promised.extend(numbers.map(|number| Promise { process, lane, number, cost, at_once }));
    }

    fn at_once(&mut self, process: usize, lane: usize, cost: i64) {
        let (lane, costs) = (Lane::ALL[lane], [Money::new(cost)]);
        let asked = Asked { account: ACCOUNT, lane, costs: &costs };
        let (processes, now) = (self.processes(), self.now);
        if let Some(numbers) = self.books[process].promise_at_once(asked, processes, Some(IDLE), now) {
            self.note(process, lane, cost, numbers, true);
        }
    }

    fn ask(&mut self, process: usize, lane: usize, cost: i64) {
        let reading = self.reading();
        self.books[process].read(ACCOUNT, reading);
        let (lane, costs) = (Lane::ALL[lane], [Money::new(cost)]);
        let asked = Asked { account: ACCOUNT, lane, costs: &costs };
        let (processes, now) = (self.processes(), self.now);
        // Whoever is uncertain waits for acknowledgements, and looks again without another read.
        let mut given = self.books[process].promise(asked, processes, now);
        while given == Given::Uncertain {
            let own = |one: &(Lane, usize)| self.logs[one.0.index()][one.1].process == process;
            let Some(at) = self.unacknowledged.iter().position(own) else { return };
            self.step(&Step::Acknowledge(at));
            given = self.books[process].promise(asked, processes, now);
        }
        match given {
            Given::Ample(numbers) => self.note(process, lane, cost, numbers, true),
            Given::Close(numbers) => self.note(process, lane, cost, numbers, false),
            Given::Uncertain => {}
            // It is true: what was produced, and was not billed when the balance was read,
            // leaves less.
            Given::Short(left) => {
                let unbilled =
                    |log: &[Logged], next: usize| log[next..].iter().map(|one| one.cost).sum::<i64>();
                let unbilled: i64 =
                    self.logs.iter().zip(self.next).map(|(log, next)| unbilled(log, next)).sum();
                assert!(self.balance - unbilled < cost, "{} less {unbilled} covers {cost}", self.balance);
                assert!(left.get() < cost);
            }
            Given::Full => panic!("there is room"),
        }
    }

    fn bill(&mut self, lane: usize, count: usize) {
        for record in self.logs[lane].iter_mut().skip(self.next[lane]).take(count) {
            record.refused = record.cost > self.balance;
            self.balance -= if record.refused { 0 } else { record.cost };
            self.next[lane] += 1;
        }
    }

    /// Everything comes to its end.
    fn settle(&mut self) {
        while !self.promised.is_empty() {
            self.step(&Step::Produce(0));
        }
        while !self.unacknowledged.is_empty() {
            self.step(&Step::Acknowledge(0));
        }
        (0..3).for_each(|lane| self.step(&Step::Bill(lane, usize::MAX)));
        (0..self.books.len()).for_each(|process| self.step(&Step::Snapshot(process)));
        while !self.snapshots.is_empty() {
            self.step(&Step::Deliver(0));
        }
    }

    fn refused(&self) -> Vec<(ChunkId, Logged)> {
        let of_lane = |lane: usize| {
            let refused = self.logs[lane].iter().enumerate().filter(|(_, one)| one.refused);
            refused.map(move |(offset, one)| (chunk_of(lane, offset), *one)).collect::<Vec<_>>()
        };
        (0..3).flat_map(of_lane).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// While nobody else takes from the balance, whatever is promised is paid, in whatever order
    /// lanes are billed, and acknowledgements and snapshots come.
    #[test]
    fn one_process_promises_only_what_is_paid(
        balance in 0i64..1_000,
        steps in prop::collection::vec(step(true), 1..150),
    ) {
        let mut world = World::new(1, balance);
        steps.iter().for_each(|step| world.step(step));
        world.settle();
        prop_assert!(world.refused().is_empty(), "{:?}", world.refused());
        prop_assert_eq!(world.books[0].promises(), 0, "every promise ends");
        prop_assert_eq!(world.books[0].left(ACCOUNT), Some(Money::new(world.balance)));
    }

    /// With two of them a promise may be refused: that of a call that waits for its verdict, or
    /// one that its process suspects, asks about, and counts.
    #[test]
    fn what_is_refused_without_a_verdict_is_suspected(
        balance in 0i64..1_000,
        steps in prop::collection::vec(step(false), 1..150),
    ) {
        let mut world = World::new(2, balance);
        steps.iter().for_each(|step| world.step(step));
        world.settle();
        for (chunk, refused) in world.refused() {
            let suspected = world.suspects[refused.process].contains(&chunk);
            prop_assert!(!refused.at_once || suspected, "{:?}", refused);
        }
        prop_assert!(world.books.iter().all(|book| book.promises() == 0));
    }
}

fn asked(costs: &[Money]) -> Asked<'_> {
    Asked { account: ACCOUNT, lane: Lane::Express, costs }
}

fn read(balance: i64, next: i64, at: Instant) -> Reading {
    Reading { balance: Money::new(balance), next: [next; 3], at }
}

#[test]
fn what_nobody_will_ever_know_counts_for_a_while() {
    let now = Instant::now();
    let mut book = Book::new(Bounds { accounts: 1, promises: 2 }, 4);
    book.open(ACCOUNT, now).unwrap();
    book.read(ACCOUNT, read(100, 0, now));
    let all = [Money::new(100)];
    assert_eq!(book.promise(asked(&all), 1, now), Given::Close(0..1));
    book.lose(ACCOUNT, 0, now);
    assert_eq!(book.promise(asked(&all), 1, now), Given::Uncertain);
    book.look(IDLE, LOST, now + LOST / 2);
    assert_eq!(
        book.waits(ACCOUNT, Lane::Express, now + LOST / 2),
        Duration::ZERO,
        "billing is not what it waits for"
    );
    assert_eq!(book.promises(), 1);
    book.open(ACCOUNT, now + LOST).unwrap();
    book.look(IDLE, LOST, now + LOST);
    assert_eq!((book.promises(), book.promise(asked(&all), 1, now)), (0, Given::Close(1..2)));
}

#[test]
fn it_is_bounded_and_forgets_who_is_idle() {
    let now = Instant::now();
    let mut book = Book::new(Bounds { accounts: 2, promises: 3 }, 4);
    book.open(ACCOUNT, now).unwrap();
    book.read(ACCOUNT, read(1_000, 0, now));
    let one = [Money::new(1)];
    assert_eq!(book.promise(asked(&one), 1, now), Given::Ample(0..1));
    assert_eq!(book.promise(asked(&[one[0]; 3]), 1, now), Given::Full);
    assert_eq!(book.promise_at_once(asked(&[one[0]; 3]), 1, None, now), None);

    // Who waits for something is not forgotten, and neither is who is promised something.
    let waits = book.open(8, now).unwrap();
    assert!(book.open(9, now).is_none());
    drop(waits);
    assert!(book.open(9, now).is_some());
    book.look(IDLE, LOST, now + IDLE);
    assert_eq!(book.accounts(), [ACCOUNT]);
    book.forget(ACCOUNT, 0);
    book.look(IDLE, LOST, now + IDLE);
    assert_eq!(book.accounts(), [] as [i64; 0]);
}

#[test]
fn express_wants_a_balance_that_was_just_read() {
    let now = Instant::now();
    let mut book = Book::new(Bounds { accounts: 2, promises: 9 }, 4);
    book.open(ACCOUNT, now).unwrap();
    let one = [Money::new(1)];
    assert_eq!(book.promise_at_once(asked(&one), 1, None, now), None, "it was never read");
    book.read(ACCOUNT, read(1_000, 0, now));
    let late = now + Duration::from_secs(6);
    assert_eq!(book.promise_at_once(asked(&one), 1, Some(Duration::from_secs(5)), late), None);
    assert_eq!(book.promise_at_once(asked(&one), 1, None, late), Some(0..1));
}

#[test]
fn a_lane_waits_since_its_oldest_promise() {
    let now = Instant::now();
    let mut book = Book::new(Bounds { accounts: 2, promises: 9 }, 4);
    book.open(ACCOUNT, now).unwrap();
    book.read(ACCOUNT, read(1_000, 0, now));
    let second = Duration::from_secs(1);
    for k in 0..3 {
        let given = book.promise(asked(&[Money::ZERO]), 1, now + second * k);
        assert!(matches!(given, Given::Ample(_)));
    }
    let waits = |book: &mut Book| {
        book.look(IDLE, LOST, now + second * 3);
        Lane::ALL.map(|lane| book.waits(ACCOUNT, lane, now + second * 3).as_secs())
    };
    assert_eq!(waits(&mut book), [3, 0, 0]);
    book.confirm(ACCOUNT, 0, chunk_of(0, 0), 0);
    book.confirm(ACCOUNT, 1, chunk_of(0, 1), 1);
    assert_eq!(waits(&mut book), [3, 0, 0], "what is free of charge waits too");
    book.read(ACCOUNT, read(1_000, 1, now));
    assert_eq!(waits(&mut book), [2, 0, 0]);
    book.read(ACCOUNT, read(1_000, 0, now));
    assert_eq!(waits(&mut book), [2, 0, 0], "an older snapshot changes nothing");
    book.read(ACCOUNT, read(1_000, 2, now));
    assert_eq!(waits(&mut book), [1, 0, 0]);
}
