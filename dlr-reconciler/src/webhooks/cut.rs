//! Cutting what waits for an endpoint into deliveries. Pure.

use super::event::EVENT_BYTES;

/// Events of a turn at most (a row is never parted between turns, so its own may be more).
pub(super) const TURN_EVENTS_MAX: usize = 500;

/// A row of `webhook_event`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Note {
    pub(super) endpoint_id: i64,
    pub(super) id: i64,
    pub(super) events: Vec<u8>,
    /// In milliseconds since 1970.
    pub(super) at_ms: i64,
}

/// A delivery to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) events: Vec<u8>,
    /// When the last of its events happened, in milliseconds since 1970.
    pub(super) happened_ms: i64,
}

impl Cut {
    /// How many events.
    pub(super) fn messages(&self) -> usize {
        self.events.len() / EVENT_BYTES
    }
}

/// Cuts notes of one endpoint, the oldest first, into deliveries of at most `batch` events, in
/// the order of what happened. Returns how many notes were used up, at least one.
pub(super) fn cut(notes: &[Note], batch: usize) -> (Vec<Cut>, usize) {
    let (mut events, mut used): (Vec<(&[u8], i64)>, usize) = (Vec::new(), 0);
    for note in notes {
        let more = note.events.chunks_exact(EVENT_BYTES);
        if used > 0 && events.len() + more.len() > TURN_EVENTS_MAX {
            break;
        }
        events.extend(more.map(|event| (event, note.at_ms)));
        used += 1;
    }
    let cuts = events.chunks(batch.max(1)).map(|events| Cut {
        events: events.iter().flat_map(|(event, _)| event.iter().copied()).collect(),
        happened_ms: events.iter().map(|(_, at)| *at).max().unwrap_or_default(),
    });
    (cuts.collect(), used)
}
