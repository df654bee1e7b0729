//! Receipts that came with our ids alone. They do not say which attempt they belong to, and
//! they count only where they come by a connector that the message went by: whoever knows one
//! connector's secret must not decide about what another carries. Pure.
//!
//! A delivery counts at once, whichever attempt it is of, as soon as it is known that the
//! operator has the message or may have it. Everything else belongs to the attempt that closed
//! the message, and waits until that is known (ADR 7).

mod carriers;

pub(crate) use carriers::{Carried, Carriers};

use crate::merge::{Heard, Slice};
use crate::read::after;
use domain::bits::Bits;
use domain::outcome::{CLOSING_ATTEMPT, Receipt};
use domain::status::{Corrupt, Fact, MessageState, STATE_BYTES};
use std::sync::Arc;

/// What became of the receipts of a chunk that do not say their attempt.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sorted {
    /// To be merged now.
    pub(crate) facts: Vec<(u8, Fact)>,
    /// Messages of which some have to wait for the attempt that closes them.
    pub(crate) waiting: Bits,
    /// By which connectors receipts came of messages that went by others, one for each.
    pub(crate) foreign: Vec<Arc<str>>,
}

/// Sorts such receipts by what the chunk's states say, as they are under the row's lock.
pub(crate) fn sort(states: &[u8], heard: &[&Heard], carriers: &Carriers) -> Result<Sorted, Corrupt> {
    let mut sorted = Sorted::default();
    for slice in silent(heard) {
        for (position, fact) in facts(slice) {
            let Some(state) = state(states, position)? else {
                // Beyond the chunk: counted where it is merged.
                sorted.facts.push((position, fact));
                continue;
            };
            let closed = state.closed_attempt();
            if delivers(&fact) && carriers.had(position, &slice.connector) {
                sorted.facts.push((position, fact));
            } else if closed.is_none() && !state.status().is_final() {
                sorted.waiting.insert(position);
            } else if carriers.closed(closed, position, &slice.connector) {
                sorted.facts.push((position, fact));
            } else {
                sorted.foreign.push(Arc::clone(&slice.connector));
            }
        }
    }
    Ok(sorted)
}

/// The messages of such receipts.
pub(crate) fn positions(heard: &[&Heard]) -> Bits {
    silent(heard).flat_map(facts).map(|(position, _)| position).collect()
}

/// Whether a fact is of such a receipt.
pub(crate) const fn is_silent(fact: &Fact) -> bool {
    matches!(fact, Fact::Receipt { attempt: CLOSING_ATTEMPT, .. })
}

/// Whether a fact ends a message as delivered.
pub(crate) const fn delivers(fact: &Fact) -> bool {
    matches!(fact, Fact::Receipt { receipt: Receipt::Delivered, .. })
}

/// What is left of a slice for the messages that wait; nothing where none does.
pub(crate) fn left(slice: &Slice, waiting: Bits) -> Option<Slice> {
    if slice.slice.attempt != CLOSING_ATTEMPT {
        return None;
    }
    let mut left = slice.clone();
    left.slice.messages.retain(|message| waiting.contains(message.position) && tells(message.receipt));
    (!left.slice.messages.is_empty()).then_some(left)
}

/// Whether a receipt can change a state.
pub(crate) const fn tells(receipt: Receipt) -> bool {
    matches!(receipt, Receipt::Delivered | Receipt::Undelivered)
}

/// The facts in a slice.
pub(crate) fn facts(slice: &Slice) -> impl Iterator<Item = (u8, Fact)> + use<'_> {
    let (attempt, at) = (slice.slice.attempt, after(slice.slice.chunk, slice.at));
    let telling = slice.slice.messages.iter().filter(|message| tells(message.receipt));
    telling.map(move |message| {
        let (receipt, code) = (message.receipt, message.code);
        (message.position, Fact::Receipt { attempt, receipt, code, at })
    })
}

fn silent<'a>(heard: &'a [&'a Heard]) -> impl Iterator<Item = &'a Slice> {
    heard.iter().flat_map(|heard| &heard.slices).filter(|slice| slice.slice.attempt == CLOSING_ATTEMPT)
}

fn state(states: &[u8], position: u8) -> Result<Option<MessageState>, Corrupt> {
    let start = usize::from(position) * STATE_BYTES;
    let bytes = states.get(start..).and_then(|rest| rest.first_chunk::<STATE_BYTES>());
    bytes.map(|bytes| MessageState::from_bytes(*bytes)).transpose()
}
