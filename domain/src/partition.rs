//! Which partition an account's records go to. All topics agree, so an account's work
//! stays together from submission to receipt. Only receipts whose account is not known go by
//! their chunk: they are merged into the chunk's row under its lock, wherever they come from.

use crate::id::ChunkId;

/// The name of the hash below, stored at install and compared at every start.
pub const HASH_NAME: &str = "xxh3_64-le8-seed0";

/// The partition of an account: `xxh3_64(account id, 8 bytes little-endian, seed 0)`
/// modulo the number of partitions.
///
/// `partitions` must be positive; zero is treated as one so that no caller can panic here
/// (the count is checked where it is read from the settings).
pub fn of_account(account: i64, partitions: i32) -> i32 {
    of_number(account, partitions)
}

/// The partition of `sms.receipts` for receipts of a chunk whose account is not known: the
/// same hash over the chunk's id. All that is pushed about a chunk stays in order.
///
/// `partitions` as for [`of_account`].
pub fn of_chunk(chunk: ChunkId, partitions: i32) -> i32 {
    of_number(chunk.get(), partitions)
}

/// The partition of `sms.receipts` for a receipt that only the operator's own id names: all that
/// is pushed about it stays in order.
///
/// `partitions` as for [`of_account`].
pub fn of_operator_id(id: &str, partitions: i32) -> i32 {
    of_hash(xxhash_rust::xxh3::xxh3_64(id.as_bytes()), partitions)
}

fn of_number(number: i64, partitions: i32) -> i32 {
    of_hash(xxhash_rust::xxh3::xxh3_64(&number.to_le_bytes()), partitions)
}

#[allow(clippy::cast_possible_truncation)] // a remainder below an i32 fits an i32
fn of_hash(hash: u64, partitions: i32) -> i32 {
    (hash % u64::from(partitions.max(1).unsigned_abs())) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Golden: a change of these numbers would send an account's new records to another
    /// partition than its old ones. A change of hash is a new generation of topics.
    #[test]
    fn golden_vectors() {
        let of = |account| (of_account(account, 8), of_account(account, 64));
        assert_eq!([of(1), of(2), of(3), of(1_000_000), of(i64::MAX)], GOLDEN);
    }

    /// Chunks of one account, and so of one partition in the other topics, are spread.
    #[test]
    fn chunks_are_spread() {
        let chunk = |k: i64| ChunkId::new((1 << 22) + (k << 8));
        let mut counts = [0_u32; 8];
        for chunk in (0..8_000).filter_map(chunk) {
            let partition = of_chunk(chunk, 8);
            assert_eq!(partition, of_account(chunk.get(), 8), "one hash for both");
            counts[usize::try_from(partition).unwrap_or(usize::MAX)] += 1;
        }
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }

    const GOLDEN: [(i32, i32); 5] = [(6, 46), (3, 3), (5, 61), (0, 32), (6, 6)];
}
