//! A set of positions inside a chunk: one bit a message, 256 at most.

use crate::id::CHUNK_MESSAGES_MAX;

/// A set of message positions (0–255) of one chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bits([u64; 4]);

/// The text is not 256 characters of `0` and `1`, or the bytes are more than 32.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a map of 256 bits")]
pub struct NotBits;

impl Bits {
    /// No position.
    pub const EMPTY: Bits = Bits([0; 4]);

    /// The first `length` positions; more than 256 counts as 256.
    pub fn prefix(length: usize) -> Self {
        let words = std::array::from_fn(|word| match length.saturating_sub(word * 64) {
            0 => 0,
            inside if inside >= 64 => u64::MAX,
            inside => (1 << inside) - 1,
        });
        Bits(words)
    }

    /// Adds a position.
    pub fn insert(&mut self, index: u8) {
        self.0[usize::from(index) / 64] |= 1 << (index % 64);
    }

    /// Takes a position out.
    pub fn remove(&mut self, index: u8) {
        self.0[usize::from(index) / 64] &= !(1 << (index % 64));
    }

    /// Whether the position is in the set.
    pub fn contains(&self, index: u8) -> bool {
        self.0[usize::from(index) / 64] >> (index % 64) & 1 == 1
    }

    /// Whether no position is in the set.
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// How many positions are in the set.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Positions in either set.
    pub fn union(self, other: Bits) -> Bits {
        Bits(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    /// Positions in both sets.
    pub fn intersection(self, other: Bits) -> Bits {
        Bits(std::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// Positions in this set and not in the other.
    pub fn minus(self, other: Bits) -> Bits {
        Bits(std::array::from_fn(|i| self.0[i] & !other.0[i]))
    }

    /// Whether every position of this set is in the other.
    pub fn is_subset(&self, other: &Bits) -> bool {
        self.minus(*other).is_empty()
    }

    /// The positions, rising.
    #[allow(clippy::cast_possible_truncation)] // positions end at 255
    pub fn iter(&self) -> impl Iterator<Item = u8> + use<> {
        self.0.into_iter().enumerate().flat_map(|(word, mut bits)| {
            std::iter::from_fn(move || {
                let lowest = (bits != 0).then(|| bits.trailing_zeros())?;
                bits &= bits - 1;
                Some((word as u32 * 64 + lowest) as u8)
            })
        })
    }

    /// As a database `bit(256)` literal: the leftmost character is position 0.
    pub fn to_bit_string(&self) -> String {
        (0..=u8::MAX).map(|index| if self.contains(index) { '1' } else { '0' }).collect()
    }

    /// From a database `bit(256)` literal.
    pub fn from_bit_string(text: &str) -> Result<Self, NotBits> {
        if text.len() != CHUNK_MESSAGES_MAX {
            return Err(NotBits);
        }
        let mut bits = Bits::EMPTY;
        for (index, character) in (0..=u8::MAX).zip(text.bytes()) {
            match character {
                b'0' => {}
                b'1' => bits.insert(index),
                _ => return Err(NotBits),
            }
        }
        Ok(bits)
    }

    /// As bytes, little-endian, without the zeros at the end: short for small chunks.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.0.iter().flat_map(|word| word.to_le_bytes()).collect();
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes
    }

    /// From the bytes of [`Bits::to_bytes`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotBits> {
        let mut padded = [0u8; 32];
        padded.get_mut(..bytes.len()).ok_or(NotBits)?.copy_from_slice(bytes);
        let mut words = [0u64; 4];
        for (word, eight) in words.iter_mut().zip(padded.chunks_exact(8)) {
            *word = eight.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        }
        Ok(Bits(words))
    }
}

impl FromIterator<u8> for Bits {
    fn from_iter<T: IntoIterator<Item = u8>>(positions: T) -> Self {
        let mut bits = Bits::EMPTY;
        for index in positions {
            bits.insert(index);
        }
        bits
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn behaves_as_a_set(a: BTreeSet<u8>, b: BTreeSet<u8>) {
            let (x, y): (Bits, Bits) = (a.iter().copied().collect(), b.iter().copied().collect());
            let set = |bits: Bits| bits.iter().collect::<BTreeSet<u8>>();
            prop_assert_eq!(set(x), a.clone());
            prop_assert_eq!(x.len(), a.len());
            prop_assert_eq!(set(x.union(y)), &a | &b);
            prop_assert_eq!(set(x.intersection(y)), &a & &b);
            prop_assert_eq!(set(x.minus(y)), &a - &b);
            prop_assert_eq!(x.is_subset(&y), a.is_subset(&b));
        }

        #[test]
        fn both_spellings_lead_back(a: BTreeSet<u8>) {
            let bits: Bits = a.into_iter().collect();
            prop_assert_eq!(Bits::from_bit_string(&bits.to_bit_string()), Ok(bits));
            prop_assert_eq!(Bits::from_bytes(&bits.to_bytes()), Ok(bits));
        }

        #[test]
        fn a_prefix_is_what_it_says(length in 0usize..300) {
            let bits = Bits::prefix(length);
            prop_assert_eq!(bits.len(), length.min(256));
            prop_assert!(bits.iter().all(|index| usize::from(index) < length));
        }
    }

    #[test]
    fn the_first_position_is_the_leftmost_character() {
        assert!(Bits::prefix(1).to_bit_string().starts_with("10"));
        assert_eq!(Bits::from_bit_string("01"), Err(NotBits));
        assert_eq!(Bits::from_bit_string(&"2".repeat(256)), Err(NotBits));
        assert_eq!(Bits::from_bytes(&[0; 33]), Err(NotBits));
    }
}
