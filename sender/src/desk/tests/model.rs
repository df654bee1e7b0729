//! The desk with its surroundings: an operator that may or may not get what is sent, the log
//! of attempts, the table `deferred`, positions that are stored now and then, and processes
//! that die at any moment and are followed by another one.

#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)] // small numbers

mod schedules;

use super::*;
use crate::deferred::{Ahead, Order, Row, Verb};
use domain::hours::Hours;
use platform::kafka::budget::Budget;
use std::collections::BTreeMap;
use wire::Version;
use wire::attempt::{Attempt, AttemptKind, IntentSlice, MessageOutcome, OutcomeSlice, SliceOf};
use wire::billed::{Answer, answer};

use schedules::Happens;

type Message = (ChunkId, u8);

struct Model {
    desk: Desk,
    budget: Arc<Budget>,
    billed: Vec<(Arc<Chunk>, u16)>,
    delivered: usize,
    attempts: Vec<Attempt>,
    table: BTreeMap<ChunkId, Row>,
    orders: BTreeMap<i64, Order>,
    ordered: i64,
    stored: Stand,
    epoch: i64,
    calls: Vec<(Vec<Leaving>, Vec<bool>)>,
    /// What is not to be sent, on its way to the log.
    closing: Vec<(Refusal, Vec<Leaving>)>,
    rules: Rules,
    canceled: Vec<i64>,
    opt_outs: Vec<(i64, i64)>,
    /// What the operator has.
    has: HashSet<Message>,
    /// What closed, with its outcome.
    closed: BTreeMap<Message, Outcome>,
    now: i64,
}

impl Model {
    fn new() -> Self {
        Model {
            desk: desk(0),
            budget: Budget::new(1_000, 1_000_000),
            billed: vec![],
            delivered: 0,
            attempts: vec![],
            table: BTreeMap::new(),
            orders: BTreeMap::new(),
            ordered: 0,
            stored: Stand { frontier: 0, last_source: -1, point: 0 },
            epoch: 1,
            calls: vec![],
            closing: vec![],
            rules: Rules::of(&[], &[], Some((AD, day()))),
            canceled: vec![],
            opt_outs: vec![],
            has: HashSet::new(),
            closed: BTreeMap::new(),
            now: 0,
        }
    }

    fn time(&self) -> Now {
        // The clock that never goes back began somewhere else.
        Now { boot: self.now + 7_777, unix: UnixMillis(self.now) }
    }

    fn record(chunk: &Chunk, source: usize, paid: u16) -> Bytes {
        answer(Version::NEWEST, source as i64, Answer::Paid(paid), &chunk.encode(Version::NEWEST))
    }

    fn deliver(&mut self) {
        let Some((chunk, paid)) = self.billed.get(self.delivered) else { return };
        let record = Model::record(chunk, self.delivered, *paid);
        let paid = Paid { chunk: Arc::clone(chunk), paid: *paid, record, charge: self.budget.charge(1) };
        let offset = self.delivered as i64;
        self.desk.take(offset, offset, Some(paid), self.time().boot + 5).unwrap();
        self.delivered += 1;
    }

    fn write(&mut self, kind: AttemptKind) {
        self.attempts.push(Attempt { epoch: self.epoch, at: UnixMillis(self.now), kind });
        self.desk.wrote(self.attempts.len() as i64 - 1);
    }

    fn call(&mut self, max: usize, reaches: &[bool]) {
        let call = self.desk.next_call(max, self.time(), &self.rules);
        if call.is_empty() {
            return;
        }
        let slices = call.iter().map(|leaving| IntentSlice {
            of: slice_of(leaving),
            bits: [leaving.position].into_iter().collect(),
        });
        self.write(AttemptKind::Intent { connector: "c".into(), slices: slices.collect() });
        let reaches: Vec<bool> =
            call.iter().zip(reaches.iter().cycle()).map(|(_, reaches)| *reaches).collect();
        for (leaving, reaches) in call.iter().zip(&reaches) {
            let message = (leaving.chunk.id, leaving.position);
            assert!(!self.closed.contains_key(&message), "sent after it was closed");
            assert!(!self.has.contains(&message), "sent although the operator has it");
            self.assert_courteous(leaving);
            if *reaches {
                self.has.insert(message);
            }
        }
        self.calls.push((call, reaches));
    }

    fn assert_courteous(&self, leaving: &Leaving) {
        let chunk = &leaving.chunk;
        assert!(!self.canceled.contains(&chunk.campaign), "sent although it is cancelled");
        let recipient = chunk.recipients[usize::from(leaving.position)].get() as i64;
        assert!(
            !self.opt_outs.contains(&(chunk.account, recipient)),
            "sent although the recipient opted out"
        );
        assert!(chunk.line != AD || day().closed_until(self.time().unix).is_none(), "advertising at night");
    }

    fn cancel(&mut self, campaign: i64) {
        self.canceled.push(campaign);
        self.rules = Rules::of(&self.canceled, &self.opt_outs, Some((AD, day())));
    }

    fn opt_out(&mut self, account: i64, number: u64) {
        self.opt_outs.push((account, 989_120_000_000 + number as i64));
        self.rules = Rules::of(&self.canceled, &self.opt_outs, Some((AD, day())));
    }

    fn refuse(&mut self, most: usize) {
        self.closing.extend(self.desk.refused(most));
    }

    /// One of the records of what is not to be sent reaches the log.
    fn close(&mut self, at: usize) {
        let (why, messages) = self.closing.swap_remove(at);
        for leaving in &messages {
            let message = (leaving.chunk.id, leaving.position);
            assert!(!self.has.contains(&message), "refused, and the operator has it");
        }
        if !messages.is_empty() {
            self.outcomes(&messages, &vec![Outcome::Refused(why); messages.len()]);
        }
    }

    /// What a call's answer may say depends on what the operator got.
    fn end(&mut self, at: usize, wanted: &[Outcome]) {
        let (call, reaches) = self.calls.swap_remove(at);
        let outcomes: Vec<Outcome> = reaches
            .iter()
            .zip(wanted.iter().cycle())
            .map(|(reaches, wanted)| match wanted {
                Outcome::Taken if !reaches => Outcome::Unknown,
                Outcome::Retry | Outcome::NotSent | Outcome::Refused(_) if *reaches => Outcome::Taken,
                wanted => *wanted,
            })
            .collect();
        self.outcomes(&call, &outcomes);
    }

    fn outcomes(&mut self, messages: &[Leaving], outcomes: &[Outcome]) {
        let slices = messages.iter().zip(outcomes).map(|(leaving, outcome)| OutcomeSlice {
            of: slice_of(leaving),
            messages: vec![MessageOutcome {
                position: leaving.position,
                outcome: *outcome,
                code: 0,
                operator_id: String::new(),
            }],
        });
        self.write(AttemptKind::Outcomes { connector: "c".into(), slices: slices.collect() });
        for (leaving, outcome) in messages.iter().zip(outcomes) {
            let (id, position) = (leaving.chunk.id, leaving.position);
            self.desk.outcome(id, position, *outcome);
            let at = self.time().boot + i64::from(leaving.attempt % 7);
            match outcome {
                closing if closing.closes() => {
                    let before = self.closed.insert((id, position), *outcome);
                    assert_eq!(
                        before, None,
                        "{id}/{position} is closed again, as {outcome:?} at {}",
                        self.now
                    );
                }
                Outcome::Unknown => self.desk.wait(id, position, Wait { at, why: Why::LookUp, code: 0 }),
                // Every third attempt in vain needs a person.
                _ if leaving.attempt % 3 == 0 => {
                    let at = self.time().boot + SEND_BY.0 - self.now;
                    self.desk.wait(id, position, Wait { at, why: Why::Dead, code: 31 });
                }
                _ => self.desk.wait(id, position, retry(at)),
            }
        }
    }

    fn look_up(&mut self) {
        let boot = self.time().boot;
        let Some(leaving) = self.desk.next_look_up(boot) else { return };
        let known = self.has.contains(&(leaving.chunk.id, leaving.position));
        self.outcomes(&[leaving], &[if known { Outcome::Taken } else { Outcome::NotSent }]);
    }

    fn expire(&mut self) {
        let expired = self.desk.expired(self.time().unix);
        for leaving in &expired {
            assert!(
                !self.has.contains(&(leaving.chunk.id, leaving.position)),
                "expired, and the operator has it"
            );
        }
        if !expired.is_empty() {
            self.outcomes(&expired, &vec![Outcome::Expired; expired.len()]);
        }
    }

    fn store(&mut self) {
        let stand = self.desk.stand();
        assert!(
            stand.frontier >= self.stored.frontier && stand.point >= self.stored.point,
            "positions only rise"
        );
        let unsaved = self.desk.unsaved();
        for (chunk, row) in &unsaved.rows {
            match row {
                Some(row) => drop(self.table.insert(*chunk, row.clone())),
                None => drop(self.table.remove(chunk)),
            }
        }
        for order in &unsaved.orders {
            self.orders.remove(order);
        }
        self.stored = stand;
        self.desk.saved();
        for (chunk, paid) in self.billed.iter().take(stand.frontier as usize) {
            let closed = (0..u8::try_from(*paid).unwrap()).all(|p| self.closed.contains_key(&(chunk.id, p)));
            assert!(closed || self.table.contains_key(&chunk.id), "the frontier passed what nobody keeps");
        }
    }

    fn look(&mut self) {
        let now = self.time();
        let known: HashSet<ChunkId> = self.desk.kept_chunks().collect();
        let is_day = self.rules.is_day(now.unix);
        let now_due = |row: &Row| {
            row.due().is_some_and(|due| due <= now.unix)
                || row.is_quiet() && is_day
                || row.cancelable().is_some_and(|campaign| self.canceled.contains(&campaign))
        };
        let due = |row: &&Row| now_due(row) && !known.contains(&row.chunk);
        let mut rows: Vec<Row> = self.table.values().filter(due).cloned().collect();
        rows.extend(self.orders.values().filter_map(|order| self.table.get(&order.chunk)).cloned());
        for row in rows {
            self.desk.load(row, now, now.boot + 5).unwrap();
        }
        self.desk.mind(now, &self.rules);
        for order in self.orders.clone().into_values() {
            let dropped = self.desk.obey(&order);
            if !dropped.is_empty() {
                self.outcomes(&dropped, &vec![Outcome::Refused(Refusal::Dropped); dropped.len()]);
            }
        }
    }

    fn order(&mut self, row: &prop::sample::Index, requeue: bool) {
        if self.table.is_empty() {
            return;
        }
        let row = self.table.values().nth(row.index(self.table.len())).unwrap();
        let verb = if requeue { Verb::Requeue } else { Verb::Drop };
        self.ordered += 1;
        let order = Order { id: self.ordered, partition: 0, chunk: row.chunk, messages: row.dead(), verb };
        self.orders.insert(order.id, order);
    }

    /// The process dies with all its calls under way; another one begins.
    fn crash(&mut self) {
        self.calls.clear();
        self.closing.clear();
        self.epoch += 1;
        self.attempts.push(Attempt { epoch: self.epoch, at: UnixMillis(self.now), kind: AttemptKind::Fence });
        let fence = self.attempts.len() as i64 - 1;
        let mut scan = Scan::default();
        for (offset, record) in (0..).zip(&self.attempts).skip(self.stored.point as usize) {
            scan.take(offset, record.clone());
        }
        let rows: Vec<Row> = scan.chunks().filter_map(|chunk| self.table.get(&chunk)).cloned().collect();
        let Stand { frontier, last_source, .. } = self.stored;
        let ahead = self.table.values().filter(|row| row.offset >= frontier);
        let ahead =
            ahead.map(|row| Ahead { offset: row.offset, chunk: row.chunk, ended: row.messages.is_empty() });
        let ahead: Vec<Ahead> = ahead.collect();
        self.desk = {
            let stood = Stand { frontier, last_source, point: fence + 1 };
            Desk::new("magfa".into(), stood, scan, self.billed.len() as i64, &ahead)
        };
        let now = self.time();
        for row in rows {
            self.desk.load(row, now, now.boot + 5).unwrap();
        }
        self.desk.loaded();
        self.delivered = frontier as usize;
    }

    fn step(&mut self, step: Happens) {
        match step {
            Happens::Arrive { recipients, paid } => {
                let prefix = paid.index(recipients.len()) + 1;
                let chunk = chunk(self.billed.len() as i64, recipients);
                self.billed.push((chunk, u16::try_from(prefix).unwrap()));
            }
            Happens::Deliver(count) => (0..count).for_each(|_| self.deliver()),
            Happens::Call { max, reaches } => self.call(max, &reaches),
            Happens::End { call, outcomes } if !self.calls.is_empty() => {
                self.end(call.index(self.calls.len()), &outcomes);
            }
            Happens::End { .. } => {}
            Happens::LookUp => self.look_up(),
            Happens::Time(by) => {
                self.now += by;
                // Sometimes the route is stopped.
                let not_before = (self.now % 4 == 0).then(|| self.time().boot + 5);
                self.desk.retry_due(self.time(), not_before);
            }
            Happens::Defer { after, room } => self.desk.defer(self.time(), after, room),
            Happens::Cancel(campaign) => self.cancel(campaign),
            Happens::OptOut { account, number } => self.opt_out(account, number),
            Happens::Mind => self.desk.mind(self.time(), &self.rules),
            Happens::Refuse(most) => self.refuse(most),
            Happens::Close(at) if !self.closing.is_empty() => self.close(at.index(self.closing.len())),
            Happens::Close(_) => {}
            Happens::Morning => self.now = self.now.max(MORNING_MS),
            Happens::Store => self.store(),
            Happens::Look => self.look(),
            Happens::Order { row, verb } => self.order(&row, verb),
            Happens::Crash => self.crash(),
        }
    }

    /// Everything is answered from now on, and time goes on until nothing waits.
    fn settle(&mut self) {
        for round in 0..2_000 {
            self.deliver();
            self.call(100, &[true]);
            self.refuse(100);
            while !self.closing.is_empty() {
                self.close(0);
            }
            while !self.calls.is_empty() {
                self.end(0, &[Outcome::Taken]);
            }
            self.look_up();
            self.look();
            self.expire();
            self.desk.defer(self.time(), 0, 100);
            self.store();
            let done = self.delivered == self.billed.len() && self.table.is_empty();
            if done && self.stored.frontier == self.billed.len() as i64 {
                return;
            }
            // Near the end what only a person could free expires.
            self.now += if round < 1_000 { 3 } else { SEND_BY.0 / 500 };
            self.desk.retry_due(self.time(), None);
        }
        panic!("it does not come to rest: {:?}", self.table);
    }
}

/// Advertising is sent from the first minute of the day on.
const MORNING_MS: i64 = 60_000;

fn day() -> Hours {
    Hours::new(1, 24 * 60, 0).unwrap()
}

fn slice_of(leaving: &Leaving) -> SliceOf {
    SliceOf {
        account: leaving.chunk.account,
        chunk: leaving.chunk.id,
        chunk_size: u16::try_from(leaving.chunk.len()).unwrap(),
        part: 0,
        attempt: leaving.attempt,
    }
}
