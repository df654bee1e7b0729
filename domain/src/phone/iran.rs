//! Iranian mobile numbers, without the library.
//!
//! A shortcut for nearly all traffic, and only ever a "yes": whatever is not recognised
//! here is left to the library. A property test holds it against the library's metadata.

use super::{Msisdn, written::Written};

const COUNTRY: u64 = 98 * 10_u64.pow(10);
/// National mobile numbers: ten digits, the first of them 9.
const NATIONAL: std::ops::Range<u64> = 9_000_000_000..10_000_000_000;
/// What follows the first three digits.
const AFTER_PREFIX: u64 = 10_000_000;

/// Prefixes 900–999 of which every number is a mobile number, one bit each. Those where
/// it depends on further digits (995, 998, 999) are left out.
const MOBILE_PREFIXES: u128 =
    prefixes(900, 905) | prefixes(910, 923) | prefixes(930, 939) | prefixes(990, 994) | prefixes(996, 996);

/// The number, where it is `9…`, `09…`, `989…`, `00989…` or `+989…` of a prefix that is
/// wholly mobile. Needs Iran to be the country of numbers without a country code.
pub(super) fn mobile(written: &Written) -> Option<Msisdn> {
    // A value of fewer digits than were written has that many leading zeros.
    let national = match (written.international(), written.digits()) {
        (false, (10 | 11, value)) => value,
        (false, (12 | 14, value)) | (true, (12, value)) => value.checked_sub(COUNTRY)?,
        _ => return None,
    };
    if !NATIONAL.contains(&national) {
        return None;
    }
    let prefix = national / AFTER_PREFIX - 900;
    (MOBILE_PREFIXES >> prefix & 1 == 1).then_some(Msisdn(COUNTRY + national))
}

const fn prefixes(first: u32, last: u32) -> u128 {
    let count = last - first + 1;
    ((1 << count) - 1) << (first - 900)
}
