#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn accepted(uid: i64) -> Entry {
    let fate = Fate::Accepted { outcome: Outcome::Delivered, delay_ms: 5 };
    Entry { uid, at_ms: 1_795_000_000_000 + uid, fate }
}

#[test]
fn the_oldest_are_forgotten_by_mid_and_by_uid() {
    let mut store = Store::new(SEGMENT);
    let total = i64::try_from(SEGMENT * 4).unwrap();
    for uid in 1..=total {
        assert!(!store.push(accepted(uid)));
    }
    assert!(store.len() >= SEGMENT && store.len() <= SEGMENT * 2, "{}", store.len());
    assert_eq!((store.get(1), store.newest_accepted(1)), (None, None));
    assert_eq!(store.get(SEGMENT * 4), Some(accepted(total)));
    assert_eq!(store.newest_accepted(total), Some(SEGMENT * 4));
    let still = i64::try_from(SEGMENT * 3 + 1).unwrap();
    assert_eq!(store.newest_accepted(still), Some(SEGMENT * 3 + 1));
}

#[test]
fn numbers_go_on_after_forgetting() {
    let mut store = Store::new(100);
    store.push(accepted(7));
    store.forget();
    assert_eq!((store.next(), store.newest_accepted(7), store.get(1)), (2, None, None));
    store.skip_to(50);
    store.push(accepted(7));
    assert_eq!(store.newest_accepted(7), Some(50));
}

#[test]
fn a_number_past_32_bits_is_found() {
    let mut store = Store::new(100);
    store.skip_to((1 << 32) - 1);
    for uid in [5, 6, 5] {
        store.push(accepted(uid));
    }
    assert_eq!(store.newest_accepted(5), Some((1 << 32) + 1));
    // The one number in 4 thousand million whose low bits are 0 is the only one not found.
    assert_eq!(store.newest_accepted(6), None);
}

proptest! {
    /// Against a plain map, with few uids and 16 buckets, so that chains and repeats abound.
    #[test]
    fn is_a_map_of_lists(uids in prop::collection::vec((0_i64..60, prop::bool::ANY), 0..300)) {
        let mut store = Store::new(16);
        let mut model: HashMap<i64, Vec<(u64, Entry)>> = HashMap::new();
        for (number, (uid, refused)) in (1..).zip(uids) {
            let mut entry = accepted(uid);
            if refused {
                entry.fate = Fate::Refused(27);
            }
            let before = model.entry(uid).or_default();
            let seen = before.iter().any(|(_, entry)| entry.fate != Fate::Refused(27));
            prop_assert_eq!(store.push(entry), seen && uid != NO_UID);
            before.insert(0, (number, entry));
        }
        for (uid, mut wanted) in model {
            for (number, entry) in &wanted {
                prop_assert_eq!(store.get(*number), Some(*entry));
            }
            if uid == NO_UID {
                wanted.clear();
            }
            prop_assert_eq!(store.submissions(uid).collect::<Vec<_>>(), wanted);
        }
    }
}
