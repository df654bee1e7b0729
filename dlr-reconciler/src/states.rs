//! The states of one chunk as they are stored, edited in place. Pure.

use crate::merge::Heard;
use crate::pushed::{delivers, is_silent};
use domain::bits::Bits;
use domain::status::{Corrupt, Cost, Costs, Fact, MessageState, STATE_BYTES, Status};

/// What merging facts into a chunk's states changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    /// Whether any byte changed.
    pub(crate) changed: bool,
    /// Whether the attempt that closed a message newly is known: receipts may wait for it.
    pub(crate) closed: bool,
    /// Messages whose status changed.
    pub(crate) moved: Bits,
    /// Messages that newly ended and are paid for: their hold is settled.
    pub(crate) settle: Bits,
    /// Messages that newly ended and are refunded: their hold is voided.
    pub(crate) void: Bits,
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

/// Merges what was heard together into the states, and of the receipts that do not say which
/// attempt they belong to those that are `admitted`. Of contradicting receipts the delivery
/// wins, so deliveries go first. What newly ended costs what the table says now.
pub(crate) fn apply(
    states: &mut [u8],
    heard: &[&Heard],
    admitted: &[(u8, Fact)],
    costs: &Costs,
) -> Result<Ends, Corrupt> {
    let mut ends = Ends::default();
    let said = || heard.iter().flat_map(|heard| &heard.facts).filter(|(_, fact)| !is_silent(fact));
    let facts = || said().chain(admitted);
    for (position, fact) in facts().filter(|(_, fact)| delivers(fact)) {
        one(states, *position, *fact, costs, &mut ends)?;
    }
    for (position, fact) in facts().filter(|(_, fact)| !delivers(fact)) {
        one(states, *position, *fact, costs, &mut ends)?;
    }
    Ok(ends)
}

fn one(states: &mut [u8], position: u8, fact: Fact, costs: &Costs, ends: &mut Ends) -> Result<(), Corrupt> {
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
    ends.closed |= state.closed_attempt().is_some() && before.closed_attempt().is_none();
    if state.status() != before.status() {
        ends.moved.insert(position);
    }
    ends.late += u16::from(state.late_receipt() && !before.late_receipt());
    if state.status().is_final() && !before.status().is_final() {
        ends.ended(position, state.status(), costs);
    }
    Ok(())
}

impl Ends {
    fn ended(&mut self, position: u8, status: Status, costs: &Costs) {
        match costs.of(status) {
            Some(Cost::Paid) => self.settle.insert(position),
            Some(Cost::Refunded) => self.void.insert(position),
            None => {} // was never held for
        }
        if let Some(index) = Status::ALL.iter().position(|known| *known == status) {
            self.by_status[index] += 1;
        }
    }

    /// Whether any message newly ended.
    pub(crate) fn any(&self) -> bool {
        self.by_status.iter().any(|messages| *messages > 0)
    }

    /// Whether money moves.
    pub(crate) fn moves_money(&self) -> bool {
        !self.settle.is_empty() || !self.void.is_empty()
    }
}

/// Whether every message of the chunk is final.
pub(crate) fn are_finished(states: &[u8]) -> Result<bool, Corrupt> {
    let (states, rest) = states.as_chunks::<STATE_BYTES>();
    let mut all = rest.is_empty() && !states.is_empty();
    for bytes in states {
        all &= MessageState::from_bytes(*bytes)?.status().is_final();
    }
    Ok(all)
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
