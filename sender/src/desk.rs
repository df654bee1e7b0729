//! The desk of one partition: which chunks are in hand, what may be sent now, what waits,
//! and how far everything is done. Pure: time comes in, decisions go out.

mod courtesy;
mod deferral;
mod flight;
mod ready;
mod waiting;

use crate::courtesy::Rules;
use crate::deferred::{Ahead, Why};
use crate::scan::{Scan, Stands};
use bytes::Bytes;
pub(crate) use deferral::Unsaved;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::outcome::{Outcome, Refusal};
use domain::time::UnixMillis;
use flight::Flight;
use platform::kafka::budget::Charge;
use platform::kafka::frontier::{Frontier, FrontierMisuse};
use ready::Ready;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
pub(crate) use waiting::Wait;
use waiting::Waiting;
use wire::submitted::Chunk;

/// Messages that expire together at most: one record of sms.attempts carries them.
pub(crate) const EXPIRED_MAX: usize = 1_000;

/// A record of sms.billed that is paid for.
pub(crate) struct Paid {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) paid: u16,
    /// The record, envelope and all.
    pub(crate) record: Bytes,
    pub(crate) charge: Charge,
}

/// The time, by the two clocks that are needed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Of the clock that never goes back, in milliseconds.
    pub(crate) boot: i64,
    /// The database's time of day.
    pub(crate) unix: UnixMillis,
}

/// One message that leaves the desk: for a call, or because its time is over.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) position: u8,
    /// The number of the attempt that is about to be made, or of the last one.
    pub(crate) attempt: u8,
    /// When its last attempt was made.
    pub(crate) attempted_at: UnixMillis,
    /// The connector of its last attempt, where that is another than the route of now.
    pub(crate) elsewhere: Option<Arc<str>>,
}

/// What a record of sms.billed was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// The answer to the next source.
    New,
    /// A late record of a former holder of the billing: passed over.
    Again,
}

/// What may not be: a paid message would be passed over.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DeskError {
    /// The source after the last one is missing.
    #[error("source {found} came after {last}: records of sms.billed are missing")]
    Hole { last: i64, found: i64 },
    /// Offsets came out of order.
    #[error(transparent)]
    Frontier(#[from] FrontierMisuse),
}

/// The state of one partition.
pub(crate) struct Desk {
    /// The connector that messages go by.
    route: Arc<str>,
    frontier: Frontier,
    /// Offsets between the frontier and the newest, with their sources and chunks.
    sources: VecDeque<(i64, i64, Option<ChunkId>)>,
    last_source: i64,
    source_below: i64,
    flights: HashMap<ChunkId, Flight>,
    ready: Ready,
    /// Of retries and dead letters.
    retries: Waiting,
    look_ups: Waiting,
    waits: u64,
    /// Behind the newest record of sms.attempts that is known to be ours and acknowledged.
    attempts_end: i64,
    /// Offsets of chunks that were in the table when this desk began.
    ahead: BTreeSet<i64>,
    /// Chunks that came back from the table and ended in front of the frontier: their rows say
    /// so until it has passed them, because nothing else will.
    ended: BTreeMap<i64, ChunkId>,
    /// Ready when their time was over.
    over: Vec<(ChunkId, Bits)>,
    /// Ready, or waiting, when it was found that they are not to be sent.
    refused: VecDeque<(ChunkId, Bits, Refusal)>,
    scan: Scan,
    /// Offsets of sms.billed from here on came after the scan: it knows nothing of them.
    scan_until: i64,
    unsaved: Unsaved,
}

/// What the position transaction stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stand {
    /// Of sms.billed: everything below is done.
    pub(crate) frontier: i64,
    /// The highest source below the frontier.
    pub(crate) last_source: i64,
    /// Of sms.attempts: everything a successor must read lies at or above it.
    pub(crate) point: i64,
}

impl Desk {
    /// A desk where it was left, its point behind our fence, with what a scan up to that found
    /// of offsets of sms.billed below `scan_until`. `ahead` are the chunks from the frontier on
    /// that are in the table.
    pub(crate) fn new(route: Arc<str>, stood: Stand, scan: Scan, scan_until: i64, ahead: &[Ahead]) -> Self {
        let Stand { frontier, last_source, point: attempts_end } = stood;
        Desk {
            route,
            ahead: ahead.iter().map(|ahead| ahead.offset).collect(),
            ended: ahead
                .iter()
                .filter(|ahead| ahead.ended)
                .map(|ahead| (ahead.offset, ahead.chunk))
                .collect(),
            frontier: Frontier::new(frontier),
            sources: VecDeque::new(),
            last_source,
            source_below: last_source,
            flights: HashMap::new(),
            ready: Ready::default(),
            retries: Waiting::new(),
            look_ups: Waiting::new(),
            waits: 0,
            attempts_end,
            over: Vec::new(),
            refused: VecDeque::new(),
            scan,
            scan_until,
            unsaved: Unsaved::default(),
        }
    }

    /// All rows of the table that the scan speaks of are loaded: what is left in it is of
    /// records that are still to come, if any are.
    pub(crate) fn loaded(&mut self) {
        if self.frontier.next() >= self.scan_until {
            self.scan = Scan::default();
        }
    }

    /// Takes a record of sms.billed in. `look_up_at` is when open intents of the scan may be
    /// asked about: their calls are over by then.
    pub(crate) fn take(
        &mut self,
        offset: i64,
        source: i64,
        paid: Option<Paid>,
        look_up_at: i64,
    ) -> Result<Came, DeskError> {
        if source > self.last_source + 1 {
            return Err(DeskError::Hole { last: self.last_source, found: source });
        }
        let repetition = source <= self.last_source;
        self.last_source = self.last_source.max(source);
        self.frontier.open(offset)?;
        // What is in the table already is not to be done from here.
        let in_table = self.ahead.remove(&offset);
        let paid = paid.filter(|_| !repetition && !in_table);
        self.sources.push_back((offset, source, paid.as_ref().map(|paid| paid.chunk.id)));
        match paid {
            Some(paid) => self.begin(offset, paid, look_up_at),
            None => self.done(offset)?,
        }
        if offset + 1 >= self.scan_until {
            // What is left in it is of chunks that were done with before.
            self.scan = Scan::default();
        }
        Ok(if repetition { Came::Again } else { Came::New })
    }

    fn begin(&mut self, offset: i64, paid: Paid, look_up_at: i64) {
        let (id, account) = (paid.chunk.id, paid.chunk.account);
        let past = self.scan.remove(id);
        let flight = Flight::new(offset, paid, past.as_ref(), &self.route);
        let open = flight.work.as_ref().map_or(Bits::EMPTY, |work| work.open);
        let unclear = open.intersection(past.map_or(Bits::EMPTY, |past| past.bits(Stands::Open)));
        self.flights.insert(id, flight);
        for position in unclear.iter() {
            self.wait(id, position, Wait { at: look_up_at, why: Why::LookUp, code: 0 });
        }
        let now = open.minus(unclear);
        if !now.is_empty() {
            self.ready.push(account, id, now);
        }
        self.finish(id);
    }

    /// Messages for one call, at most `max`, with recipients that differ. What is over at `now`
    /// stays: [`Desk::expired`] finds it. So does what the rules refuse, for [`Desk::refused`].
    pub(crate) fn next_call(&mut self, max: usize, now: Now, rules: &Rules) -> Vec<Leaving> {
        let mut call = Vec::new();
        let mut recipients = HashSet::new();
        while call.len() < max {
            let Some((account, id, bits)) = self.ready.pop() else { break };
            let mut left = self.may_go(id, bits, now, rules);
            if left.is_empty() {
                continue;
            }
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            let Some(work) = flight.work.as_mut() else { continue };
            // Whatever we write from now on lies at or above what is acknowledged now.
            flight.first_record.get_or_insert(self.attempts_end);
            for position in left.iter() {
                let recipient = work.chunk.recipients.get(usize::from(position)).copied();
                if call.len() == max || !recipients.insert(recipient) {
                    break;
                }
                left.remove(position);
                call.push(work.attempt(position, now.unix));
            }
            if !left.is_empty() {
                self.ready.put_back(account, id, left);
                break;
            }
        }
        call
    }

    /// Messages that nobody took before `send_by`, wherever they stand in the queue, at most
    /// [`EXPIRED_MAX`].
    pub(crate) fn expired(&mut self, now: UnixMillis) -> Vec<Leaving> {
        let flights = &self.flights;
        let over = |id: ChunkId| {
            flights.get(&id).and_then(|flight| flight.work.as_ref()).is_none_or(|work| now >= work.send_by())
        };
        let mut taken = std::mem::take(&mut self.over);
        taken.extend(self.ready.take_out(EXPIRED_MAX, over));
        let mut expired = Vec::new();
        for (id, bits) in taken {
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            let Some(work) = flight.work.as_mut() else { continue };
            flight.first_record.get_or_insert(self.attempts_end);
            let mut left = bits.intersection(work.open);
            for position in left.iter().take(EXPIRED_MAX.saturating_sub(expired.len())) {
                left.remove(position);
                expired.push(work.as_it_is(position));
            }
            if !left.is_empty() {
                self.over.push((id, left));
            }
        }
        expired
    }

    /// Whether anything could be sent now.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Messages that could be sent now.
    pub(crate) fn backlog(&self) -> usize {
        self.ready.messages()
    }

    /// An acknowledged outcome. A closing one ends the message here.
    pub(crate) fn outcome(&mut self, chunk: ChunkId, position: u8, outcome: Outcome) {
        if outcome.closes() {
            self.close(chunk, [position].into_iter().collect());
        }
    }

    /// A record of ours is acknowledged at `offset` of sms.attempts.
    pub(crate) fn wrote(&mut self, offset: i64) {
        self.attempts_end = self.attempts_end.max(offset + 1);
    }

    /// A former holder's closing outcomes that came behind our fence.
    pub(crate) fn found_closed(&mut self, found: &Scan) {
        self.scan.close_as(found);
        for id in self.flights.keys().copied().collect::<Vec<_>>() {
            let closed = found.get(id).map_or(Bits::EMPTY, |past| past.bits(Stands::Closed));
            self.close(id, closed);
        }
    }

    fn close(&mut self, id: ChunkId, closed: Bits) {
        if let Some(work) = self.flights.get_mut(&id).and_then(|flight| flight.work.as_mut()) {
            work.open = work.open.minus(closed);
        }
        self.finish(id);
    }

    /// What may be stored now.
    pub(crate) fn stand(&self) -> Stand {
        let in_hand = self.flights.values().filter_map(|flight| flight.first_record);
        let first = in_hand.chain(self.scan.first_intent()).min();
        Stand {
            frontier: self.frontier.next(),
            last_source: self.source_below,
            point: first.unwrap_or(self.attempts_end).min(self.attempts_end),
        }
    }

    /// A chunk of which nothing is open is done with: what it took is given back.
    fn finish(&mut self, id: ChunkId) {
        let Some(flight) = self.flights.get_mut(&id) else { return };
        let Some(work) = flight.work.take_if(|work| work.open.is_empty()) else { return };
        let offset = flight.offset;
        if !flight.from_table {
            return self.leave(offset);
        }
        self.unsaved.orders.append(&mut flight.orders);
        self.flights.remove(&id);
        let is_ahead = offset >= self.frontier.next();
        if is_ahead {
            self.ended.insert(offset, id);
        }
        self.unsaved.rows.insert(id, is_ahead.then(|| work.ended_row(offset)));
    }

    /// The frontier may pass a chunk that came from sms.billed.
    fn leave(&mut self, offset: i64) {
        if let Err(error) = self.done(offset) {
            tracing::error!(%error, "the frontier was misused");
        }
    }

    fn is_from_table(&self, chunk: ChunkId) -> bool {
        self.flights.get(&chunk).is_some_and(|flight| flight.from_table)
    }

    fn done(&mut self, offset: i64) -> Result<(), FrontierMisuse> {
        let next = self.frontier.done(offset)?;
        while let Some((_, source, chunk)) = self.sources.pop_front_if(|(offset, _, _)| *offset < next) {
            self.source_below = self.source_below.max(source);
            // One that came back from the table is not the frontier's any more.
            if let Some(chunk) = chunk.filter(|chunk| !self.is_from_table(*chunk)) {
                self.flights.remove(&chunk);
            }
        }
        while let Some(passed) = self.ended.first_entry().filter(|first| *first.key() < next) {
            self.unsaved.rows.insert(passed.remove(), None);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
