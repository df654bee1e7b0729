//! Money: an integer of the smallest unit. Never a float, never a decimal.

use std::fmt;

/// An amount in the smallest unit of the installation's currency (rial).
///
/// It may be negative (a movement out of an account); balances and prices are checked
/// where they are made. Arithmetic is checked: there is no operator that could wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Money = Money(0);

    /// An amount of `units` of the smallest unit.
    pub const fn new(units: i64) -> Self {
        Money(units)
    }

    /// The amount in the smallest unit.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// The sum, or nothing where it does not fit in 63 bits.
    pub const fn checked_add(self, other: Money) -> Option<Money> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Money(sum)),
            None => None,
        }
    }

    /// The difference, or nothing where it does not fit in 63 bits.
    pub const fn checked_sub(self, other: Money) -> Option<Money> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Money(difference)),
            None => None,
        }
    }

    /// The amount `times` over, or nothing where it does not fit in 63 bits.
    pub const fn checked_mul(self, times: u32) -> Option<Money> {
        match self.0.checked_mul(times as i64) {
            Some(product) => Some(Money(product)),
            None => None,
        }
    }

    /// The sum of many amounts, or nothing where it does not fit in 63 bits.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Money>) -> Option<Money> {
        amounts.into_iter().try_fold(Money::ZERO, Money::checked_add)
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_never_wraps() {
        let most = Money::new(i64::MAX);
        assert_eq!(most.checked_add(Money::new(1)), None);
        assert_eq!(Money::new(i64::MIN).checked_sub(Money::new(1)), None);
        assert_eq!(most.checked_mul(2), None);
        assert_eq!(Money::checked_sum([Money::new(2), Money::new(3)]), Some(Money::new(5)));
        assert_eq!(Money::checked_sum([most, Money::new(1)]), None);
    }
}
