//! Receipts that operators push: who may, and what is written of them.
//!
//! An operator names messages by the ids that we gave them, or, where its connector is set to
//! that, by its own, and says what became of them in codes of its own. Nothing is looked up here, so it works without the database: the
//! reconciler finds the messages, whenever they are known. (Only that the operator was heard of
//! is written there, without waiting for it.)

mod doors;
mod records;

pub(crate) use doors::{Door, Doors, Refused};
pub(crate) use records::records;

use domain::id::MessageId;

/// Receipts in one call at most.
pub(crate) const RECEIPTS_MAX: usize = 1_000;
/// Calls worked on at once: what their bodies take together is bounded.
pub(crate) const CALLS_MAX: usize = 64;

/// What an operator says of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Of which message.
    pub(crate) of: Of,
    /// The operator's own code.
    pub(crate) code: i16,
}

/// How an operator names a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Of {
    /// By our id.
    Message(MessageId),
    /// By its own, as `wire` compares them.
    OperatorId(String),
    /// By an id that we never give: this is said of somebody else's message.
    Nobody,
}

impl Of {
    /// The message that may have this id of ours.
    pub(crate) fn id(id: i128) -> Self {
        i64::try_from(id).ok().and_then(MessageId::new).map_or(Of::Nobody, Of::Message)
    }
}
