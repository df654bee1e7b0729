//! The desk of one partition: which chunks are in hand, what may be sent now, what waits,
//! and how far everything is done. Pure: time comes in, decisions go out.

mod flight;

use crate::scan::{Scan, Stands};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::outcome::Outcome;
use domain::time::UnixMillis;
use flight::Flight;
use platform::kafka::budget::Charge;
use platform::kafka::frontier::{Frontier, FrontierMisuse};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use wire::submitted::Chunk;

/// Messages that expire together at most: one record of sms.attempts carries them.
const EXPIRED_MAX: usize = 1_000;

/// A record of sms.billed that is paid for.
pub(crate) struct Paid {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) paid: u16,
    pub(crate) charge: Charge,
}

/// One message that leaves the desk: for a call, or because its time is over.
#[derive(Clone, Debug)]
pub(crate) struct Leaving {
    pub(crate) chunk: Arc<Chunk>,
    pub(crate) position: u8,
    /// The number of the attempt that is about to be made, or of the last one.
    pub(crate) attempt: u8,
}

/// Why a message waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// It may be tried again.
    Retry,
    /// The operator is to be asked whether it has it.
    LookUp,
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

/// Messages that wait, by due time and number.
type Waiting = BTreeMap<(i64, u64), (ChunkId, u8)>;

/// The state of one partition.
pub(crate) struct Desk {
    frontier: Frontier,
    /// Offsets between the frontier and the newest, with their sources and chunks.
    sources: VecDeque<(i64, i64, Option<ChunkId>)>,
    last_source: i64,
    source_below: i64,
    flights: HashMap<ChunkId, Flight>,
    ready: VecDeque<(ChunkId, Bits)>,
    retries: Waiting,
    look_ups: Waiting,
    waits: u64,
    /// Behind the newest record of sms.attempts that is known to be ours and acknowledged.
    attempts_end: i64,
    scan: Scan,
    /// Offsets of sms.billed from here on came after the scan: it knows nothing of them.
    scan_until: i64,
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
    /// A desk at the stored position, with what a scan up to our fence found of offsets of
    /// sms.billed below `scan_until`. `attempts_end` lies behind the fence.
    pub(crate) fn new(
        frontier: i64,
        last_source: i64,
        attempts_end: i64,
        scan: Scan,
        scan_until: i64,
    ) -> Self {
        let scan = if frontier < scan_until { scan } else { Scan::default() };
        Desk {
            frontier: Frontier::new(frontier),
            sources: VecDeque::new(),
            last_source,
            source_below: last_source,
            flights: HashMap::new(),
            ready: VecDeque::new(),
            retries: Waiting::new(),
            look_ups: Waiting::new(),
            waits: 0,
            attempts_end,
            scan,
            scan_until,
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
        let paid = paid.filter(|_| !repetition);
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
        let id = paid.chunk.id;
        let past = self.scan.remove(id);
        let flight = Flight::new(offset, paid, past.as_ref());
        let open = flight.work.as_ref().map_or(Bits::EMPTY, |work| work.open);
        let unclear = open.intersection(past.map_or(Bits::EMPTY, |past| past.bits(Stands::Open)));
        self.flights.insert(id, flight);
        for position in unclear.iter() {
            self.wait(id, position, look_up_at, Wait::LookUp);
        }
        let now = open.minus(unclear);
        if !now.is_empty() {
            self.ready.push_back((id, now));
        }
        self.finish(id);
    }

    /// Messages for one call, at most `max`, with recipients that differ; and messages whose
    /// time is over at `now`, at most [`EXPIRED_MAX`].
    pub(crate) fn next_call(&mut self, max: usize, now: UnixMillis) -> (Vec<Leaving>, Vec<Leaving>) {
        let (mut call, mut expired) = (Vec::new(), Vec::new());
        let mut recipients = HashSet::new();
        while let Some((id, bits)) = self.ready.pop_front() {
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            let Some(work) = flight.work.as_mut() else { continue };
            // Whatever we write from now on lies at or above what is acknowledged now.
            flight.first_intent.get_or_insert(self.attempts_end);
            let over = now >= work.chunk.send_by;
            let mut left = bits.intersection(work.open);
            for position in left.iter() {
                if over && expired.len() == EXPIRED_MAX || !over && call.len() == max {
                    break;
                }
                let recipient = work.chunk.recipients.get(usize::from(position)).copied();
                if !over && !recipients.insert(recipient) {
                    break;
                }
                left.remove(position);
                if over { expired.push(work.as_it_is(position)) } else { call.push(work.attempt(position)) }
            }
            if !left.is_empty() {
                self.ready.push_front((id, left));
                break;
            }
        }
        (call, expired)
    }

    /// Whether anything could be sent now.
    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Makes what is to be retried at `now` ready.
    pub(crate) fn retry_due(&mut self, now: i64) {
        while let Some((id, position)) = next_due(&mut self.retries, now) {
            self.ready.push_back((id, [position].into_iter().collect()));
        }
    }

    /// Messages about which the operator is to be asked at `now`, at most `max`.
    pub(crate) fn look_ups_due(&mut self, now: i64, max: usize) -> Vec<Leaving> {
        let mut due = Vec::new();
        while due.len() < max {
            let Some((id, position)) = next_due(&mut self.look_ups, now) else { break };
            let work = self.flights.get(&id).and_then(|flight| flight.work.as_ref());
            due.extend(work.filter(|work| work.open.contains(position)).map(|work| work.as_it_is(position)));
        }
        due
    }

    /// A message waits until `at`.
    pub(crate) fn wait(&mut self, chunk: ChunkId, position: u8, at: i64, why: Wait) {
        self.waits += 1;
        let waiting = match why {
            Wait::Retry => &mut self.retries,
            Wait::LookUp => &mut self.look_ups,
        };
        waiting.insert((at, self.waits), (chunk, position));
    }

    /// Counts a try in vain. Returns how many there were, and the message's `send_by`.
    pub(crate) fn count_try(&mut self, chunk: ChunkId, position: u8) -> Option<(u8, UnixMillis)> {
        self.flights.get_mut(&chunk)?.work.as_mut()?.count_try(position)
    }

    /// Counts a question in vain. Returns how many there were.
    pub(crate) fn count_question(&mut self, chunk: ChunkId, position: u8) -> Option<u8> {
        self.flights.get_mut(&chunk)?.work.as_mut()?.count_question(position)
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
        let in_hand = self.flights.values().filter_map(|flight| flight.first_intent);
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
        if flight.work.as_ref().is_none_or(|work| !work.open.is_empty()) {
            return;
        }
        flight.work = None;
        let offset = flight.offset;
        if let Err(error) = self.done(offset) {
            tracing::error!(%error, "the frontier was misused");
        }
    }

    fn done(&mut self, offset: i64) -> Result<(), FrontierMisuse> {
        let next = self.frontier.done(offset)?;
        while let Some((_, source, chunk)) = self.sources.pop_front_if(|(offset, _, _)| *offset < next) {
            self.source_below = self.source_below.max(source);
            if let Some(chunk) = chunk {
                self.flights.remove(&chunk);
            }
        }
        Ok(())
    }
}

/// The first that is due at `now`, which waits no longer.
fn next_due(waiting: &mut Waiting, now: i64) -> Option<(ChunkId, u8)> {
    let first = waiting.first_entry().filter(|first| first.key().0 <= now)?;
    Some(first.remove())
}

#[cfg(test)]
mod tests;
