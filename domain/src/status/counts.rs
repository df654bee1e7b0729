//! How many of a chunk's messages have which status: stored beside the states, so that chunks
//! are counted without reading these.

use super::{Corrupt, STATE_BYTES, Status};

/// Messages of one chunk by status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusCounts([u16; Status::ALL.len()]);

/// The size of stored counts.
pub const COUNTS_BYTES: usize = 2 * Status::ALL.len();

impl StatusCounts {
    /// Of the stored states of a chunk. The place of a state that nothing was heard of yet may
    /// be all zeros.
    pub fn of(states: &[u8]) -> Result<Self, Corrupt> {
        let mut counts = StatusCounts::default();
        let (states, rest) = states.as_chunks::<STATE_BYTES>();
        for [code, ..] in states {
            let code = if *code == 0 { Status::Queued.code() } else { *code };
            let count = counts.0.get_mut(place_of(code).ok_or(Corrupt)?).ok_or(Corrupt)?;
            *count = count.checked_add(1).ok_or(Corrupt)?;
        }
        if rest.is_empty() { Ok(counts) } else { Err(Corrupt) }
    }

    /// How many have this status.
    pub fn of_status(&self, status: Status) -> u16 {
        place_of(status.code()).and_then(|place| self.0.get(place)).copied().unwrap_or(0)
    }

    /// The stored form: two bytes a status, the lower first, in the order of [`Status::ALL`].
    pub fn to_bytes(self) -> [u8; COUNTS_BYTES] {
        let mut bytes = [0; COUNTS_BYTES];
        for (two, count) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *two = count.to_le_bytes();
        }
        bytes
    }

    /// From the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Corrupt> {
        let bytes: &[u8; COUNTS_BYTES] = bytes.try_into().map_err(|_| Corrupt)?;
        let mut counts = StatusCounts::default();
        for (count, two) in counts.0.iter_mut().zip(bytes.as_chunks().0) {
            *count = u16::from_le_bytes(*two);
        }
        Ok(counts)
    }
}

/// The position in [`Status::ALL`] of the status with this code.
const fn place_of(code: u8) -> Option<usize> {
    match code {
        1 | 2 => Some(code as usize - 1),
        10..=16 => Some(code as usize - 8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn places_are_those_of_all() {
        for (place, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(place_of(status.code()), Some(place));
        }
        for code in (0..=u8::MAX).filter(|code| Status::from_code(*code).is_none()) {
            assert_eq!(place_of(code), None);
        }
    }

    proptest! {
        #[test]
        fn counts_lead_back(statuses in prop::collection::vec(0..Status::ALL.len(), 0..256)) {
            let states: Vec<u8> = statuses.iter()
                .flat_map(|place| { let mut state = [0; STATE_BYTES]; state[0] = Status::ALL[*place].code(); state })
                .collect();
            let counts = StatusCounts::of(&states).unwrap();
            for (place, status) in Status::ALL.into_iter().enumerate() {
                let expected = statuses.iter().filter(|of| **of == place).count();
                prop_assert_eq!(usize::from(counts.of_status(status)), expected);
            }
            prop_assert_eq!(StatusCounts::from_bytes(&counts.to_bytes()), Ok(counts));
        }
    }

    #[test]
    fn what_is_no_state_is_corrupt() {
        assert_eq!(StatusCounts::of(&[3; STATE_BYTES]), Err(Corrupt));
        assert_eq!(StatusCounts::of(&[1; STATE_BYTES - 1]), Err(Corrupt));
        assert_eq!(StatusCounts::of(&[0; STATE_BYTES]).map(|counts| counts.of_status(Status::Queued)), Ok(1));
        assert_eq!(StatusCounts::from_bytes(&[0; COUNTS_BYTES - 1]), Err(Corrupt));
    }
}
