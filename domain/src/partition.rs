//! Which partition an account's records go to. All topics agree, so an account's work
//! stays together from submission to receipt.

/// The name of the hash below, stored at install and compared at every start.
pub const HASH_NAME: &str = "xxh3_64-le8-seed0";

/// The partition of an account: `xxh3_64(account id, 8 bytes little-endian, seed 0)`
/// modulo the number of partitions.
///
/// `partitions` must be positive; zero is treated as one so that no caller can panic here
/// (the count is checked where it is read from the settings).
#[allow(clippy::cast_possible_truncation)] // a remainder below an i32 fits an i32
pub fn of_account(account: i64, partitions: i32) -> i32 {
    let hash = xxhash_rust::xxh3::xxh3_64(&account.to_le_bytes());
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

    const GOLDEN: [(i32, i32); 5] = [(6, 46), (3, 3), (5, 61), (0, 32), (6, 6)];
}
