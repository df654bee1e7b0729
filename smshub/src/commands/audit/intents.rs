//! P1: what the attempts of one partition say, read in order. Pure.
//!
//! A message is given to an operator at most once an attempt, in attempts whose numbers grow,
//! never after its closing outcome and never at or after its `send_by`. What is void, since it
//! lies behind the fence of a later holder, never happened, and its number may come again: who
//! wrote the fence need not have read what came behind it. A message is sent whole (every part
//! is zero), so a second intent of an attempt is never another part.
//!
//! Memory: a chunk is kept from when it is needed until [`KEPT_AFTER_MS`] behind its `send_by`,
//! about 80 octets and two a message. So in memory are at most twice as many as one partition
//! of one lane has in that time, or [`SWEEP_CHUNKS`].

use super::answers::Paid;
use bytes::Bytes;
use domain::id::ChunkId;
use domain::invariant::Invariant;
use domain::time::UnixMillis;
use ledger::audit::Report;
use std::collections::HashMap;
use wire::attempt::{Attempt, AttemptKind, Fences, IntentSlice, OutcomeSlice};

/// How far behind `send_by` an intent may seem to be: two seconds that the clocks of writer and
/// database may be apart (`ownership.clock_skew_max_ms`), and one between the decision and the
/// stamp on the record.
const TOLERANCE_MS: i64 = 3_000;
/// How long after its `send_by` a chunk is remembered, so that a late intent is told apart from
/// one of a chunk that nobody paid for.
const KEPT_AFTER_MS: i64 = 3_600_000;
/// Fewer chunks than this are not looked through for what may be forgotten.
const SWEEP_CHUNKS: usize = 65_536;

/// The intents of one partition.
pub(super) struct Intents {
    place: String,
    fences: Fences,
    chunks: HashMap<ChunkId, Chunk>,
    /// So many chunks are looked through for what may be forgotten.
    sweep_at: usize,
}

struct Chunk {
    send_by: UnixMillis,
    messages: Box<[Message]>,
}

#[derive(Clone, Copy, Default)]
struct Message {
    /// The highest attempt of an intent that counts.
    attempt: u8,
    closed: bool,
}

impl Chunk {
    fn is_long_over(&self, now: UnixMillis) -> bool {
        self.send_by.plus(KEPT_AFTER_MS) < now
    }
}

impl Message {
    /// What is wrong with another intent.
    fn wrong(self, attempt: u8, late: bool) -> Option<&'static str> {
        match self {
            Message { closed: true, .. } => Some("comes after a closing outcome"),
            Message { attempt: last, .. } if last == attempt => Some("is the second of this attempt"),
            Message { attempt: last, .. } if last > attempt => Some("comes after a higher attempt"),
            _ if late => Some("is not before its send_by"),
            _ => None,
        }
    }
}

impl Intents {
    /// Of the partition that is named so in findings.
    pub(super) fn new(place: String) -> Self {
        Intents { place, fences: Fences::default(), chunks: HashMap::new(), sweep_at: SWEEP_CHUNKS }
    }

    /// The record at `offset`; nothing where it cannot be read, which is a violation: whoever
    /// takes the partition stops there.
    pub(super) fn decode(&self, offset: i64, record: &Bytes, report: &mut Report) -> Option<Attempt> {
        let unreadable = |error| {
            report.checked(Invariant::P1, 1);
            report.violation(Invariant::P1, || format!("{}@{offset}: {error}", self.place));
        };
        Attempt::decode(record).map_err(unreadable).ok()
    }

    /// A chunk that was paid for, heard of at `now`.
    pub(super) fn paid(&mut self, paid: Paid, now: UnixMillis) {
        let chunk = || Chunk {
            send_by: paid.send_by,
            messages: vec![Message::default(); paid.messages].into_boxed_slice(),
        };
        // Billed again: what is known of its messages stays.
        self.chunks.entry(paid.chunk).or_insert_with(chunk);
        if self.chunks.len() >= self.sweep_at {
            self.chunks.retain(|_, chunk| !chunk.is_long_over(now));
            self.sweep_at = SWEEP_CHUNKS.max(2 * self.chunks.len());
        }
    }

    /// Whether the record speaks of chunks that were not heard of.
    pub(super) fn lacks(&self, attempt: &Attempt) -> bool {
        let lacks = |chunk| !self.chunks.contains_key(&chunk);
        match &attempt.kind {
            AttemptKind::Fence => false,
            AttemptKind::Intent { slices, .. } => slices.iter().any(|slice| lacks(slice.of.chunk)),
            AttemptKind::Outcomes { slices, .. } => slices.iter().any(|slice| lacks(slice.of.chunk)),
        }
    }

    /// Takes the record in that was written at `appended`. Chunks made since `known_since` were
    /// all heard of, if they were paid for before this.
    pub(super) fn take(
        &mut self,
        offset: i64,
        appended: UnixMillis,
        known_since: UnixMillis,
        attempt: &Attempt,
        report: &mut Report,
    ) {
        let behind = self.fences.pass(attempt.epoch);
        match &attempt.kind {
            AttemptKind::Fence => {}
            AttemptKind::Intent { slices, .. } => {
                // The writer's stamp is from when it decided, but its clock may be ahead. The
                // broker's time contains the wait for a broker, which nothing bounds. Both are
                // too late at worst, so the earlier one counts.
                let decided = attempt.at.min(appended);
                for slice in slices.iter().filter(|_| behind.is_none()) {
                    self.intent(offset, decided, known_since, slice, report);
                }
            }
            AttemptKind::Outcomes { slices, .. } => slices.iter().for_each(|slice| self.outcomes(slice)),
        }
    }

    fn intent(
        &mut self,
        offset: i64,
        decided: UnixMillis,
        known_since: UnixMillis,
        slice: &IntentSlice,
        report: &mut Report,
    ) {
        let (place, id, attempt) = (&self.place, slice.of.chunk, slice.of.attempt);
        let count = slice.bits.len() as u64;
        let violation = |report: &mut Report, position, what: &str| {
            report.violation(Invariant::P1, || {
                format!("{place}@{offset}: attempt {attempt} of message {} {what}", id.message(position))
            });
        };
        let Some(chunk) = self.chunks.get_mut(&id) else {
            if id.minted_at() < known_since {
                return report.unchecked(Invariant::P1, count);
            }
            report.checked(Invariant::P1, count);
            let what = "is of no paid chunk, or long behind its send_by";
            return slice.bits.iter().for_each(|position| violation(report, position, what));
        };
        report.checked(Invariant::P1, count);
        let late = decided >= chunk.send_by.plus(TOLERANCE_MS);
        for position in slice.bits.iter() {
            let Some(message) = chunk.messages.get_mut(usize::from(position)) else {
                violation(report, position, "is of none of its chunk");
                continue;
            };
            if let Some(what) = message.wrong(attempt, late) {
                violation(report, position, what);
            }
            message.attempt = message.attempt.max(attempt);
        }
    }

    /// Closing outcomes count whatever their epoch; others change nothing.
    fn outcomes(&mut self, slice: &OutcomeSlice) {
        let Some(chunk) = self.chunks.get_mut(&slice.of.chunk) else { return };
        for heard in slice.messages.iter().filter(|heard| heard.outcome.closes()) {
            if let Some(message) = chunk.messages.get_mut(usize::from(heard.position)) {
                message.closed = true;
            }
        }
    }
}

#[cfg(test)]
mod tests;
