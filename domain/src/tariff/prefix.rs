//! What a number begins with.

use crate::phone::Msisdn;
use std::fmt;
use std::str::FromStr;

/// Digits of a prefix at most: those of the longest number.
const DIGITS_MAX: usize = 15;

/// The first digits of canonical numbers (`98912`); the empty prefix is that of all.
///
/// Ordered by length first, so a longer prefix is the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    digits: u32,
    value: u64,
}

/// The text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected up to {DIGITS_MAX} digits that begin with a country code, such as 98912, or none")]
pub struct PrefixError;

impl Prefix {
    /// The prefix of every number.
    pub const EMPTY: Prefix = Prefix { digits: 0, value: 0 };

    /// The first digits of a number: so many, or all where it has fewer.
    pub(super) const fn of(msisdn: Msisdn, digits: u32) -> Prefix {
        let length = msisdn.get().ilog10() + 1;
        let dropped = length.saturating_sub(digits);
        Prefix { digits: length - dropped, value: msisdn.get() / 10_u64.pow(dropped) }
    }

    /// Whether every number with this prefix has the other one, too.
    pub(super) const fn begins_with(self, other: Prefix) -> bool {
        match self.digits.checked_sub(other.digits) {
            Some(more) => self.value / 10_u64.pow(more) == other.value,
            None => false,
        }
    }

    /// How many digits.
    pub(super) const fn digits(self) -> u32 {
        self.digits
    }
}

impl FromStr for Prefix {
    type Err = PrefixError;

    /// A prefix with a leading zero would match no number, so it is refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Ok(Prefix::EMPTY);
        }
        let wrong = text.len() > DIGITS_MAX
            || text.starts_with('0')
            || !text.bytes().all(|byte| byte.is_ascii_digit());
        if wrong {
            return Err(PrefixError);
        }
        let value: u64 = text.parse().map_err(|_| PrefixError)?;
        Ok(Prefix { digits: value.ilog10() + 1, value })
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.digits {
            0 => Ok(()),
            _ => self.value.fmt(f),
        }
    }
}
