//! An event as tables keep it: a message, and its state as one transaction left it.

use domain::id::MessageId;
use domain::status::{Corrupt, MessageState, STATE_BYTES, Status};

const ID_BYTES: usize = 8;
/// An event in a table.
pub(crate) const EVENT_BYTES: usize = ID_BYTES + STATE_BYTES;

/// A message whose status changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) message: MessageId,
    pub(crate) state: MessageState,
}

/// The statuses that an endpoint wants to be told.
#[derive(Clone, Debug)]
pub(crate) struct Wanted(Vec<Status>);

impl Event {
    /// Several, as a table has them.
    pub(super) fn read_all(bytes: &[u8]) -> Result<Vec<Event>, Corrupt> {
        let (events, rest) = bytes.as_chunks::<EVENT_BYTES>();
        if !rest.is_empty() {
            return Err(Corrupt);
        }
        events.iter().map(Event::read).collect()
    }

    fn read(bytes: &[u8; EVENT_BYTES]) -> Result<Event, Corrupt> {
        let (id, state) = bytes.split_first_chunk::<ID_BYTES>().ok_or(Corrupt)?;
        let message = MessageId::new(i64::from_le_bytes(*id)).ok_or(Corrupt)?;
        let state = MessageState::from_bytes(*state.first_chunk().ok_or(Corrupt)?)?;
        Ok(Event { message, state })
    }
}

impl Wanted {
    /// By their words. A word of a newer program means nothing to this one.
    pub(crate) fn new(words: &[String]) -> Self {
        let known = |status: &Status| words.iter().any(|word| word == status.as_str());
        Wanted(Status::ALL.into_iter().filter(known).collect())
    }

    pub(crate) fn has(&self, status: Status) -> bool {
        self.0.contains(&status)
    }
}
