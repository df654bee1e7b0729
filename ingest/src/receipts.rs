//! Receipts that operators push: who may, and what is written of them.
//!
//! An operator names messages by the ids that we gave them, and says what became of them in
//! codes of its own. Nothing is looked up here, so it works without the database: the
//! reconciler finds the messages, whenever they are known. (Only that the operator was heard of
//! is written there, without waiting for it.)

mod doors;
mod records;

pub(crate) use doors::{Doors, Refused};
pub(crate) use records::records;

use domain::id::MessageId;

/// Receipts in one call at most.
pub(crate) const RECEIPTS_MAX: usize = 1_000;
/// Calls worked on at once: what their bodies take together is bounded.
pub(crate) const CALLS_MAX: usize = 64;

/// What an operator says of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// The message whose id that is. Nothing: we never give such an id, so this is said of
    /// somebody else's message.
    pub(crate) message: Option<MessageId>,
    /// The operator's own code.
    pub(crate) code: i16,
}

/// The message that may have this id.
pub(crate) fn message(id: i128) -> Option<MessageId> {
    i64::try_from(id).ok().and_then(MessageId::new)
}
