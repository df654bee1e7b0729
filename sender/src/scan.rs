//! What sms.attempts says of messages: read by a new holder before it sends anything. Pure.
//!
//! A message with a closing outcome is done. An intent without outcome is open: its call may
//! have happened. What a lower epoch wrote behind a higher fence never happened, because its
//! writer's deadline had passed; closing outcomes count whatever their epoch.

use domain::bits::Bits;
use domain::id::ChunkId;
use domain::outcome::Outcome;
use domain::time::UnixMillis;
use std::collections::HashMap;
use std::sync::Arc;
use wire::attempt::{Attempt, AttemptKind, Fences, IntentSlice, OutcomeSlice};

/// Where one message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stands {
    /// No attempt that counts.
    Untried,
    /// An intent without outcome, or with the outcome unknown.
    Open,
    /// The last attempt certainly did not close it: it may be tried again.
    MayRetry,
    /// A closing outcome was written.
    Closed,
}

/// By whom and when a message was attempted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attempted {
    /// The connector.
    pub(crate) by: Arc<str>,
    /// When the intent was written.
    pub(crate) at: UnixMillis,
}

#[derive(Clone, Copy, Debug)]
struct Message {
    /// The highest attempt of any intent, void ones too: numbers only grow.
    attempt: u8,
    stands: Stands,
}

/// What was read of one chunk.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    messages: Vec<Message>,
    /// Which messages had their last attempt by which connector, and when.
    by: Vec<(Attempted, Bits)>,
    /// The offset of the first intent of the chunk.
    pub(crate) first_intent: i64,
}

/// What was read of a stretch of attempts.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    fences: Fences,
    chunks: HashMap<ChunkId, Past>,
}

impl Past {
    fn new(size: u16, offset: i64) -> Self {
        let untried = Message { attempt: 0, stands: Stands::Untried };
        Past { messages: vec![untried; usize::from(size)], by: Vec::new(), first_intent: offset }
    }

    /// The message's last attempt, where it has one.
    pub(crate) fn attempted(&self, position: u8) -> Option<Attempted> {
        self.by.iter().find(|(_, bits)| bits.contains(position)).map(|(by, _)| by.clone())
    }

    fn went(&mut self, attempted: &Attempted, went: Bits) {
        for (_, bits) in &mut self.by {
            *bits = bits.minus(went);
        }
        self.by.retain(|(_, bits)| !bits.is_empty());
        match self.by.iter_mut().find(|(by, _)| by == attempted) {
            Some((_, bits)) => *bits = bits.union(went),
            None => self.by.push((attempted.clone(), went)),
        }
    }

    /// Where the message at `position` stands.
    pub(crate) fn stands(&self, position: u8) -> Stands {
        self.messages.get(usize::from(position)).map_or(Stands::Untried, |message| message.stands)
    }

    /// The highest attempt of the message, zero where there is none.
    pub(crate) fn attempt(&self, position: u8) -> u8 {
        self.messages.get(usize::from(position)).map_or(0, |message| message.attempt)
    }

    /// The messages that stand so.
    pub(crate) fn bits(&self, stands: Stands) -> Bits {
        (0..=u8::MAX)
            .zip(&self.messages)
            .filter(|(_, message)| message.stands == stands)
            .map(|(p, _)| p)
            .collect()
    }
}

impl Scan {
    /// A stretch that begins behind the fence of `epoch`.
    pub(crate) fn behind(epoch: i64) -> Self {
        Scan { fences: Fences::behind(epoch), chunks: HashMap::new() }
    }

    /// Takes the next record in.
    pub(crate) fn take(&mut self, offset: i64, record: Attempt) {
        let void = self.fences.pass(record.epoch).is_some();
        match record.kind {
            AttemptKind::Fence => {}
            AttemptKind::Intent { connector, slices } => {
                let attempted = Attempted { by: Arc::from(connector), at: record.at };
                slices.iter().for_each(|slice| self.intent(offset, &attempted, slice, void));
            }
            AttemptKind::Outcomes { slices, .. } => {
                slices.iter().for_each(|slice| self.outcomes(offset, slice, void));
            }
        }
    }

    /// What was read of a chunk; it is not needed again.
    pub(crate) fn remove(&mut self, chunk: ChunkId) -> Option<Past> {
        self.chunks.remove(&chunk)
    }

    /// What was read of a chunk.
    pub(crate) fn get(&self, chunk: ChunkId) -> Option<&Past> {
        self.chunks.get(&chunk)
    }

    /// The chunks that it speaks of.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = ChunkId> {
        self.chunks.keys().copied()
    }

    /// The offset of the first intent in here.
    pub(crate) fn first_intent(&self) -> Option<i64> {
        self.chunks.values().map(|past| past.first_intent).min()
    }

    /// Closes here what is closed in a later stretch.
    pub(crate) fn close_as(&mut self, later: &Scan) {
        for (chunk, past) in &mut self.chunks {
            let closed = later.get(*chunk).map_or(Bits::EMPTY, |later| later.bits(Stands::Closed));
            for position in closed.iter() {
                if let Some(message) = past.messages.get_mut(usize::from(position)) {
                    message.stands = Stands::Closed;
                }
            }
        }
    }

    /// Whether any message has an open intent.
    pub(crate) fn has_open(&self) -> bool {
        self.chunks.values().any(|past| past.messages.iter().any(|message| message.stands == Stands::Open))
    }

    fn intent(&mut self, offset: i64, attempted: &Attempted, slice: &IntentSlice, void: bool) {
        let past =
            self.chunks.entry(slice.of.chunk).or_insert_with(|| Past::new(slice.of.chunk_size, offset));
        if !void {
            past.went(attempted, slice.bits);
        }
        for position in slice.bits.iter() {
            let Some(message) = past.messages.get_mut(usize::from(position)) else { continue };
            message.attempt = message.attempt.max(slice.of.attempt);
            if !void && message.stands != Stands::Closed {
                message.stands = Stands::Open;
            }
        }
    }

    fn outcomes(&mut self, offset: i64, slice: &OutcomeSlice, void: bool) {
        let past =
            self.chunks.entry(slice.of.chunk).or_insert_with(|| Past::new(slice.of.chunk_size, offset));
        for heard in &slice.messages {
            let Some(message) = past.messages.get_mut(usize::from(heard.position)) else { continue };
            let of_the_last = slice.of.attempt >= message.attempt;
            message.attempt = message.attempt.max(slice.of.attempt);
            match heard.outcome {
                closing if closing.closes() => message.stands = Stands::Closed,
                _ if void || !of_the_last || message.stands == Stands::Closed => {}
                Outcome::Retry | Outcome::NotSent => message.stands = Stands::MayRetry,
                _ => message.stands = Stands::Open,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wire::attempt::{MessageOutcome, SliceOf};

    fn chunk() -> ChunkId {
        ChunkId::new(1 << 30).unwrap()
    }

    fn of(attempt: u8) -> SliceOf {
        SliceOf { account: 1, chunk: chunk(), chunk_size: 2, part: 0, attempt }
    }

    fn record(epoch: i64, kind: AttemptKind) -> Attempt {
        Attempt { epoch, at: UnixMillis(0), kind }
    }

    fn intent(epoch: i64, attempt: u8) -> Attempt {
        let slice = IntentSlice { of: of(attempt), bits: Bits::prefix(1) };
        record(epoch, AttemptKind::Intent { connector: "c".into(), slices: vec![slice] })
    }

    fn outcome(epoch: i64, attempt: u8, outcome: Outcome) -> Attempt {
        let message = MessageOutcome { position: 0, outcome, code: 0, operator_id: String::new() };
        let slice = OutcomeSlice { of: of(attempt), messages: vec![message] };
        record(epoch, AttemptKind::Outcomes { connector: "c".into(), slices: vec![slice] })
    }

    fn stands(records: Vec<Attempt>) -> (Stands, u8) {
        let mut scan = Scan::default();
        for (offset, record) in (0..).zip(records) {
            scan.take(offset, record);
        }
        scan.get(chunk()).map_or((Stands::Untried, 0), |past| (past.stands(0), past.attempt(0)))
    }

    #[test]
    fn what_the_records_say() {
        let fence = |epoch| record(epoch, AttemptKind::Fence);
        use Outcome::{LeftToReceipt, NotSent, Retry, Taken, Unknown};
        assert_eq!(stands(vec![]), (Stands::Untried, 0));
        assert_eq!(stands(vec![intent(1, 1)]), (Stands::Open, 1));
        assert_eq!(stands(vec![intent(1, 1), outcome(1, 1, Taken)]), (Stands::Closed, 1));
        assert_eq!(stands(vec![intent(1, 1), outcome(1, 1, Unknown)]), (Stands::Open, 1));
        assert_eq!(stands(vec![intent(1, 1), outcome(1, 1, Retry)]), (Stands::MayRetry, 1));
        assert_eq!(stands(vec![intent(1, 1), outcome(1, 1, NotSent), intent(1, 2)]), (Stands::Open, 2));
        // The outcome of an earlier attempt says nothing of the later one.
        assert_eq!(stands(vec![intent(1, 1), intent(1, 2), outcome(1, 1, Retry)]), (Stands::Open, 2));
        // Behind a higher fence only closing outcomes of a lower epoch count.
        assert_eq!(stands(vec![fence(2), intent(1, 1)]), (Stands::Untried, 1));
        assert_eq!(stands(vec![intent(1, 1), fence(2), outcome(1, 1, Retry)]), (Stands::Open, 1));
        assert_eq!(stands(vec![intent(1, 1), fence(2), outcome(1, 1, Taken)]), (Stands::Closed, 1));
        assert_eq!(stands(vec![outcome(1, 1, LeftToReceipt), intent(2, 2)]), (Stands::Closed, 2));
    }

    #[test]
    fn the_messages_beside_are_untouched() {
        let mut scan = Scan::default();
        scan.take(7, intent(1, 1));
        let past = scan.get(chunk()).unwrap();
        assert_eq!((past.stands(1), past.attempt(1), past.first_intent), (Stands::Untried, 0, 7));
        assert_eq!(past.bits(Stands::Open), Bits::prefix(1));
        assert!(scan.has_open());
        assert!(scan.remove(chunk()).is_some() && !scan.has_open());
    }
}
