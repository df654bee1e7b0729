//! The desk of one partition: which chunks are in hand, what may be sent now, what waits,
//! and how far everything is done. Pure: time comes in, decisions go out.

use crate::scan::{Scan, Stands};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::outcome::Outcome;
use domain::time::UnixMillis;
use platform::kafka::budget::Charge;
use platform::kafka::frontier::{Frontier, FrontierMisuse};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use wire::submitted::Chunk;

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

struct Flight {
    chunk: Arc<Chunk>,
    offset: i64,
    open: Bits,
    /// Nothing is open any more; it stays in hand until the frontier has passed it, because
    /// the point must not pass its intents before.
    done: bool,
    attempts: Vec<u8>,
    tries: Vec<u8>,
    /// No intent of this chunk lies below this offset of sms.attempts.
    first_intent: Option<i64>,
    _charge: Charge,
}

/// The state of one partition.
pub(crate) struct Desk {
    frontier: Frontier,
    /// Offsets between the frontier and the newest, with their sources and chunks.
    sources: VecDeque<(i64, i64, Option<ChunkId>)>,
    last_source: i64,
    source_below: i64,
    flights: HashMap<ChunkId, Flight>,
    ready: VecDeque<(ChunkId, Bits)>,
    waiting: BTreeMap<(i64, u64), (ChunkId, u8, Wait)>,
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
            waiting: BTreeMap::new(),
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
    ) -> Result<(), DeskError> {
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
        Ok(())
    }

    fn begin(&mut self, offset: i64, paid: Paid, look_up_at: i64) {
        let id = paid.chunk.id;
        let past = self.scan.remove(id);
        let bits = |stands| past.as_ref().map_or(Bits::EMPTY, |past| past.bits(stands));
        let open = Bits::prefix(usize::from(paid.paid)).minus(bits(Stands::Closed));
        let unclear = open.intersection(bits(Stands::Open));
        let attempt =
            |index: usize| u8::try_from(index).ok().and_then(|p| past.as_ref().map(|past| past.attempt(p)));
        let flight = Flight {
            offset,
            open,
            done: false,
            attempts: (0..paid.chunk.len()).map(|index| attempt(index).unwrap_or(0)).collect(),
            tries: vec![0; paid.chunk.len()],
            first_intent: past.as_ref().map(|past| past.first_intent),
            chunk: paid.chunk,
            _charge: paid.charge,
        };
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
    /// time is over at `now`.
    pub(crate) fn next_call(&mut self, max: usize, now: UnixMillis) -> (Vec<Leaving>, Vec<Leaving>) {
        let (mut call, mut expired) = (Vec::new(), Vec::new());
        let mut recipients = HashSet::new();
        while let Some((id, bits)) = self.ready.pop_front() {
            let Some(flight) = self.flights.get_mut(&id) else { continue };
            let over = now >= flight.chunk.send_by;
            let mut left = bits.intersection(flight.open);
            for position in left.iter() {
                let index = usize::from(position);
                let recipient = flight.chunk.recipients.get(index).copied();
                if !over && (call.len() == max || !recipients.insert(recipient)) {
                    break;
                }
                left.remove(position);
                let Some(attempt) = flight.attempts.get_mut(index) else { continue };
                if !over {
                    *attempt = attempt.saturating_add(1);
                    // Whatever we write from now on lies at or above what is acknowledged now.
                    flight.first_intent.get_or_insert(self.attempts_end);
                }
                let leaving =
                    Leaving { chunk: Arc::clone(&flight.chunk), position, attempt: (*attempt).max(1) };
                if over { expired.push(leaving) } else { call.push(leaving) }
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

    /// Moves what is due at `now` on: retries become ready, look-ups are returned.
    pub(crate) fn due(&mut self, now: i64, look_ups_max: usize) -> Vec<Leaving> {
        let mut look_ups = Vec::new();
        while let Some((&(due, number), &(id, position, why))) = self.waiting.first_key_value() {
            if due > now || (why == Wait::LookUp && look_ups.len() >= look_ups_max) {
                break;
            }
            self.waiting.remove(&(due, number));
            let Some(flight) = self.flights.get(&id).filter(|flight| flight.open.contains(position)) else {
                continue;
            };
            match why {
                Wait::Retry => self.ready.push_back((id, [position].into_iter().collect())),
                Wait::LookUp => look_ups.push(Leaving {
                    chunk: Arc::clone(&flight.chunk),
                    position,
                    attempt: flight.attempts.get(usize::from(position)).copied().unwrap_or(1).max(1),
                }),
            }
        }
        look_ups
    }

    /// A message waits until `at`.
    pub(crate) fn wait(&mut self, chunk: ChunkId, position: u8, at: i64, why: Wait) {
        self.waits += 1;
        self.waiting.insert((at, self.waits), (chunk, position, why));
    }

    /// Counts one more try of a message. Returns how many it has had, and its `send_by`.
    pub(crate) fn count_try(&mut self, chunk: ChunkId, position: u8) -> Option<(u8, UnixMillis)> {
        let flight = self.flights.get_mut(&chunk)?;
        let tries = flight.tries.get_mut(usize::from(position))?;
        *tries = tries.saturating_add(1);
        Some((*tries, flight.chunk.send_by))
    }

    /// An acknowledged outcome. A closing one ends the message here.
    pub(crate) fn outcome(&mut self, chunk: ChunkId, position: u8, outcome: Outcome) {
        if let Some(flight) = self.flights.get_mut(&chunk).filter(|_| outcome.closes()) {
            flight.open.remove(position);
            self.finish(chunk);
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
            if let Some(flight) = self.flights.get_mut(&id) {
                flight.open = flight.open.minus(closed);
            }
            self.finish(id);
        }
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

    /// A chunk of which nothing is open is done with.
    fn finish(&mut self, id: ChunkId) {
        let ended = self.flights.get_mut(&id).filter(|flight| flight.open.is_empty() && !flight.done);
        let Some(flight) = ended else { return };
        flight.done = true;
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

#[cfg(test)]
mod tests;
