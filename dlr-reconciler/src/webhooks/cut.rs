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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Nothing is lost, repeated or moved; no delivery is larger than the endpoint wants, no
        /// turn larger than it may be.
        #[test]
        fn every_event_is_in_one_delivery(
            sizes in prop::collection::vec(1usize..=256, 1..20),
            batch in 1usize..=500,
        ) {
            let mut number = 0u64;
            let notes: Vec<Note> = (1..).zip(&sizes).map(|(id, size)| {
                let events = (0..*size).flat_map(|_| {
                    number += 1;
                    [number.to_le_bytes(); EVENT_BYTES / 8].concat()
                });
                Note { endpoint_id: 1, id, events: events.collect(), at_ms: id }
            }).collect();
            let (cuts, used) = cut(&notes, batch);
            prop_assert!(used > 0);
            let taken: Vec<u8> = notes[..used].iter().flat_map(|note| note.events.clone()).collect();
            let told: Vec<u8> = cuts.iter().flat_map(|cut| cut.events.clone()).collect();
            prop_assert_eq!(&taken, &told);
            prop_assert!(cuts.iter().all(|cut| (1..=batch).contains(&cut.messages())));
            let events = taken.len() / EVENT_BYTES;
            prop_assert!(events <= TURN_EVENTS_MAX);
            let more = sizes.get(used).map(|next| events + next);
            prop_assert!(more.is_none_or(|more| more > TURN_EVENTS_MAX), "what fits is taken");
            prop_assert!(cuts.windows(2).all(|two| two[0].happened_ms <= two[1].happened_ms));
        }
    }
}
