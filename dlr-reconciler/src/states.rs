//! The states of one chunk as they are stored, edited in place. Pure.

use crate::merge::Heard;
use domain::bits::Bits;
use domain::outcome::Receipt;
use domain::status::{Corrupt, Fact, MessageState, STATE_BYTES, Status};

/// What merging facts into a chunk's states changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Whether any byte changed.
    pub(crate) changed: bool,
    /// Messages newly delivered: their hold is settled.
    pub(crate) delivered: Bits,
    /// Messages that newly ended otherwise after being paid for: their hold is voided.
    pub(crate) failed: Bits,
    /// How many messages newly ended in each status.
    pub(crate) by_status: [u16; Status::ALL.len()],
    /// Receipts that newly contradict a final status.
    pub(crate) late: u16,
    /// Facts of positions that the chunk does not have.
    pub(crate) beyond: u16,
}

/// The states of a chunk of which nothing is known yet.
pub(crate) fn fresh(size: u16) -> Vec<u8> {
    MessageState::default().to_bytes().repeat(usize::from(size))
}

/// Merges what was heard together into the states. Of contradicting receipts the delivery
/// wins, so deliveries go first.
pub(crate) fn apply(states: &mut [u8], heard: &[&Heard]) -> Result<Ends, Corrupt> {
    let mut ends = Ends::default();
    let facts = || heard.iter().flat_map(|heard| &heard.facts);
    for (position, fact) in facts().filter(|(_, fact)| delivers(fact)) {
        one(states, *position, *fact, &mut ends)?;
    }
    for (position, fact) in facts().filter(|(_, fact)| !delivers(fact)) {
        one(states, *position, *fact, &mut ends)?;
    }
    Ok(ends)
}

fn delivers(fact: &Fact) -> bool {
    matches!(fact, Fact::Receipt { receipt: Receipt::Delivered, .. })
}

fn one(states: &mut [u8], position: u8, fact: Fact, ends: &mut Ends) -> Result<(), Corrupt> {
    let start = usize::from(position) * STATE_BYTES;
    let Some(bytes) = states.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<STATE_BYTES>()) else {
        ends.beyond = ends.beyond.saturating_add(1);
        return Ok(());
    };
    let before = MessageState::from_bytes(*bytes)?;
    let mut state = before;
    state.merge(fact);
    if state == before {
        return Ok(());
    }
    *bytes = state.to_bytes();
    ends.changed = true;
    ends.late += u16::from(state.late_receipt() && !before.late_receipt());
    if state.status().is_final() && !before.status().is_final() {
        ends.ended(position, state.status());
    }
    Ok(())
}

impl Ends {
    fn ended(&mut self, position: u8, status: Status) {
        match status {
            Status::Refused => {} // was never held
            _ if status.is_paid() => self.delivered.insert(position),
            _ => self.failed.insert(position),
        }
        if let Some(index) = Status::ALL.iter().position(|known| *known == status) {
            self.by_status[index] += 1;
        }
    }

    /// Whether money moves.
    pub(crate) fn moves_money(&self) -> bool {
        !self.delivered.is_empty() || !self.failed.is_empty()
    }
}

/// The messages that await a receipt, and the earliest time at which an operator took one
/// of them, in milliseconds after the chunk was minted.
pub(crate) fn awaiting(states: &[u8]) -> Result<(Bits, u32), Corrupt> {
    let mut open = Bits::EMPTY;
    let mut first = u32::MAX;
    let (states, rest) = states.as_chunks::<STATE_BYTES>();
    for (position, bytes) in (0..=u8::MAX).zip(states) {
        let state = MessageState::from_bytes(*bytes)?;
        if state.awaits_receipt() {
            open.insert(position);
            first = first.min(state.sent_after().unwrap_or(u32::MAX));
        }
    }
    if rest.is_empty() { Ok((open, first)) } else { Err(Corrupt) }
}
