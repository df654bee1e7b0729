//! Receipts that came with our ids alone. They do not say which attempt they belong to: it is
//! the one that closed the message, whichever that was. So they wait until it is known, and
//! they count only where they come by the connector that this attempt went by: whoever knows
//! one connector's secret must not decide about what another carries. Pure.

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
    /// Messages whose closing attempt is not known yet.
    pub(crate) waiting: Bits,
    /// By which connectors receipts came of messages that went by others, one for each.
    pub(crate) foreign: Vec<Arc<str>>,
}

/// By which connectors a chunk's messages went, as far as that is known.
#[derive(Debug, Default)]
pub(crate) struct Carriers {
    /// The calls that operators gave ids in: attempt, messages, connector.
    calls: Vec<(u8, Bits, Arc<str>)>,
    /// Connectors of calls in which they gave none.
    others: Vec<Arc<str>>,
}

impl Carriers {
    /// An operator gave ids to these messages.
    pub(crate) fn call(&mut self, attempt: u8, messages: Bits, connector: Arc<str>) {
        self.calls.push((attempt, messages, connector));
    }

    /// Messages of the chunk went by this connector; which, is not known.
    pub(crate) fn other(&mut self, connector: Arc<str>) {
        self.others.push(connector);
    }

    /// Whether a message may have gone by this connector. Where the operator gave an id in the
    /// closing attempt, that is known; otherwise it is one of those that the chunk went by.
    fn may_be(&self, attempt: Option<u8>, position: u8, connector: &str) -> bool {
        let mut exact = self
            .calls
            .iter()
            .filter(|(of, messages, _)| Some(*of) == attempt && messages.contains(position))
            .map(|(_, _, connector)| connector)
            .peekable();
        if exact.peek().is_some() {
            return exact.any(|known| **known == *connector);
        }
        let mut any = self.calls.iter().map(|(_, _, connector)| connector).chain(&self.others).peekable();
        any.peek().is_none() || any.any(|known| **known == *connector)
    }
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
            if closed.is_none() && !state.status().is_final() {
                sorted.waiting.insert(position);
            } else if carriers.may_be(closed, position, &slice.connector) {
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
