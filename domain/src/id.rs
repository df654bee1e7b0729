//! Message ids: positive 63-bit integers, ordered by time, minted without coordination.
//!
//! `milliseconds since 2026-01-01 (41) | node (6) | sequence (8) | index in chunk (8)`.
//! A chunk's id is that of its first message: the index bits are zero. So every index that
//! the database keeps over ids grows at its right-hand edge, and an operator can carry our
//! id in its own-id field.

mod minter;

pub use minter::{MintError, Minter, Run};

use crate::time::UnixMillis;
use std::fmt;

/// 2026-01-01T00:00:00Z, the zero of the ids' clock.
pub const EPOCH: UnixMillis = UnixMillis(1_767_225_600_000);
/// Messages in a chunk at most.
pub const CHUNK_MESSAGES_MAX: usize = 256;
/// Nodes (processes that mint) at most.
pub const NODES_MAX: u8 = 64;

const INDEX_BITS: u32 = 8;
const SEQUENCE_BITS: u32 = 8;
const NODE_BITS: u32 = 6;
const NODE_SHIFT: u32 = INDEX_BITS + SEQUENCE_BITS;
const MILLIS_SHIFT: u32 = NODE_SHIFT + NODE_BITS;
const MILLIS_MAX: i64 = (1 << 41) - 1;
const INDEX_MASK: i64 = (1 << INDEX_BITS) - 1;

/// The id of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(i64);

/// The id of a chunk: that of its first message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkId(i64);

impl MessageId {
    /// The id with this number, if it can be one: positive, as is the number of its chunk.
    pub const fn new(number: i64) -> Option<Self> {
        if number > INDEX_MASK { Some(MessageId(number)) } else { None }
    }

    /// The number, positive.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The chunk this message belongs to.
    pub const fn chunk(self) -> ChunkId {
        ChunkId(self.0 & !INDEX_MASK)
    }

    /// The position inside the chunk.
    #[allow(clippy::cast_possible_truncation)] // eight bits remain after the mask
    pub const fn index(self) -> u8 {
        (self.0 & INDEX_MASK) as u8
    }
}

impl ChunkId {
    /// The chunk id with this number, if it can be one: positive, index bits zero.
    pub const fn new(number: i64) -> Option<Self> {
        if number > 0 && number & INDEX_MASK == 0 { Some(ChunkId(number)) } else { None }
    }

    /// The lowest chunk id that `time` can have, for ranges of ids. Times before the
    /// epoch give zero's range start, 1 millisecond after it at least.
    pub const fn floor(time: UnixMillis) -> i64 {
        let millis = time.0 - EPOCH.0;
        (if millis < 0 { 0 } else { millis }) << MILLIS_SHIFT
    }

    const fn from_parts(millis: i64, node: u8, sequence: u8) -> Option<Self> {
        if millis <= 0 || millis > MILLIS_MAX || node >= NODES_MAX {
            return None;
        }
        Some(ChunkId(millis << MILLIS_SHIFT | (node as i64) << NODE_SHIFT | (sequence as i64) << INDEX_BITS))
    }

    /// The number, positive, a multiple of 256.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The id of the message at `index`.
    pub const fn message(self, index: u8) -> MessageId {
        MessageId(self.0 | index as i64)
    }

    /// When it was minted.
    pub const fn minted_at(self) -> UnixMillis {
        UnixMillis(EPOCH.0 + (self.0 >> MILLIS_SHIFT))
    }

    /// The node that minted it.
    #[allow(clippy::cast_possible_truncation)] // six bits remain after the mask
    pub const fn node(self) -> u8 {
        (self.0 >> NODE_SHIFT & 0x3F) as u8
    }

    #[allow(clippy::cast_possible_truncation)] // eight bits remain after the mask
    const fn sequence(self) -> u8 {
        (self.0 >> INDEX_BITS & 0xFF) as u8
    }

    /// The id of the k-th chunk of the call whose first chunk this is: the next sequence;
    /// past 255 the millisecond rises by one and the sequence starts again; the node stays.
    /// Nothing where the ids' clock ends (in the year 2095).
    pub const fn nth(self, k: u32) -> Option<ChunkId> {
        let position = self.sequence() as i64 + k as i64;
        let millis = (self.0 >> MILLIS_SHIFT) + (position >> SEQUENCE_BITS);
        #[allow(clippy::cast_possible_truncation)] // eight bits remain after the mask
        let sequence = (position & 0xFF) as u8;
        ChunkId::from_parts(millis, self.node(), sequence)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_without_a_chunk_is_no_id() {
        for number in [i64::MIN, -1, 0, 1, 255] {
            assert_eq!(MessageId::new(number), None, "{number}");
        }
        assert_eq!(MessageId::new(256).map(|id| id.chunk().get()), Some(256));
    }

    proptest! {
        #[test]
        fn parts_lead_back(millis in 1..=MILLIS_MAX, node in 0u8..64, sequence: u8, index: u8) {
            let chunk = ChunkId::from_parts(millis, node, sequence).unwrap();
            let message = chunk.message(index);
            prop_assert!(message.get() > 0);
            prop_assert_eq!(message.chunk(), chunk);
            prop_assert_eq!(message.index(), index);
            prop_assert_eq!(chunk.node(), node);
            prop_assert_eq!(chunk.sequence(), sequence);
            prop_assert_eq!(chunk.minted_at(), UnixMillis(EPOCH.0 + millis));
            prop_assert_eq!(ChunkId::new(chunk.get()), Some(chunk));
            prop_assert_eq!(MessageId::new(message.get()), Some(message));
        }

        #[test]
        fn nth_steps_one_by_one(sequence: u8, k in 0u32..2000) {
            let first = ChunkId::from_parts(1_000, 5, sequence).unwrap();
            let (here, next) = (first.nth(k).unwrap(), first.nth(k + 1).unwrap());
            prop_assert!(here < next);
            prop_assert_eq!(here.nth(1), Some(next));
            prop_assert_eq!(next.node(), 5);
        }
    }

    #[test]
    fn what_cannot_be_an_id_is_none() {
        assert_eq!(MessageId::new(0), None);
        assert_eq!(MessageId::new(-1), None);
        assert_eq!(ChunkId::new(257), None);
        assert_eq!(ChunkId::from_parts(1, 64, 0), None);
        assert_eq!(ChunkId::from_parts(MILLIS_MAX, 0, 255).unwrap().nth(1), None);
    }
}
