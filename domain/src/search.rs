//! How chunks are found by a recipient or by the customer's reference without reading them: by
//! keys where a chunk has one message, by a Bloom filter of its keys where it has several.
//!
//! Keys and filters are stored, and made again by whoever searches: neither may ever change.

use crate::phone::Msisdn;
use xxhash_rust::xxh3::Xxh3;

/// Bits of a filter for each key: three of a thousand chunks are looked into in vain.
const BITS_A_KEY: usize = 12;
/// Bits of a key in a filter.
const PROBES: u64 = 8;
/// The least size of a filter, in bytes.
const FILTER_BYTES_MIN: usize = 8;

/// What a recipient's messages are found by. The account is part of it: nobody finds another's.
pub fn recipient_key(account: i64, recipient: Msisdn) -> i64 {
    key(account, b'r', &recipient.get().to_le_bytes())
}

/// What the messages with a reference of the customer's are found by.
pub fn reference_key(account: i64, reference: &str) -> i64 {
    key(account, b'f', reference.as_bytes())
}

fn key(account: i64, kind: u8, value: &[u8]) -> i64 {
    let mut hash = Xxh3::new();
    hash.update(&account.to_le_bytes());
    hash.update(&[kind]);
    hash.update(value);
    hash.digest().cast_signed()
}

/// The filter that holds these keys; repeated ones cost nothing.
pub fn filter(mut keys: Vec<i64>) -> Vec<u8> {
    keys.sort_unstable();
    keys.dedup();
    let mut filter = vec![0; (keys.len() * BITS_A_KEY).div_ceil(8).max(FILTER_BYTES_MIN)];
    for key in keys {
        for (byte, bit) in places(filter.len(), key) {
            if let Some(byte) = filter.get_mut(byte) {
                *byte |= bit;
            }
        }
    }
    filter
}

/// Whether a filter may hold a key: never wrong where it does. An empty one holds nothing.
pub fn may_hold(filter: &[u8], key: i64) -> bool {
    !filter.is_empty()
        && places(filter.len(), key).all(|(byte, bit)| filter.get(byte).is_some_and(|byte| byte & bit != 0))
}

/// Byte and bit of each probe, in a filter of so many bytes, at least one.
fn places(bytes: usize, key: i64) -> impl Iterator<Item = (usize, u8)> {
    let key = key.cast_unsigned();
    let (first, step) = (key & 0xFFFF_FFFF, key >> 32 | 1);
    let bits = bytes as u64 * 8;
    (0..PROBES).map(move |probe| {
        let place = (first + probe * step) % bits;
        (usize::try_from(place / 8).unwrap_or(usize::MAX), 1 << (place % 8))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// Golden: with other numbers nothing that is stored would be found.
    #[test]
    fn golden_vectors() {
        let recipient = Msisdn::from_canonical(989_123_456_789).unwrap();
        let keys = vec![recipient_key(7, recipient), reference_key(7, "login-77")];
        assert_eq!(keys, GOLDEN_KEYS);
        assert_eq!(filter(keys), GOLDEN_FILTER);
    }

    proptest! {
        #[test]
        fn what_is_in_it_is_found(keys in prop::collection::vec(any::<i64>(), 1..512)) {
            let filter = filter(keys.clone());
            prop_assert!(keys.iter().all(|key| may_hold(&filter, *key)));
        }
    }

    #[test]
    fn little_else_is_found() {
        let key = |n: i64| reference_key(1, &n.to_string());
        let filter = filter((0..200).map(key).collect());
        let wrong = (1_000..21_000).filter(|n| may_hold(&filter, key(*n))).count();
        assert!(wrong < 120, "{wrong} of 20,000");
        assert!(!may_hold(&[], key(0)));
    }

    #[test]
    fn accounts_and_kinds_have_keys_of_their_own() {
        let recipient = Msisdn::from_canonical(989_123_456_789).unwrap();
        assert_ne!(recipient_key(1, recipient), recipient_key(2, recipient));
        assert_ne!(reference_key(1, "a"), reference_key(2, "a"));
    }

    const GOLDEN_KEYS: [i64; 2] = [8180793780827641049, -3001669381840761888];
    const GOLDEN_FILTER: [u8; 8] = [16, 137, 68, 34, 17, 136, 68, 34];
}
