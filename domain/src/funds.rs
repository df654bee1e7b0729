//! Funds at the door: whether a balance covers what is asked for, before billing judges it.
//!
//! A process that takes messages knows the balance as it was a moment ago, and what it has
//! promised itself since. What other processes promise it does not know: so what it may promise
//! without asking anyone is its part of half of the balance, and beyond that billing's verdict
//! is waited for.

use crate::money::Money;

/// What is known of an account when a call asks for a part of its balance.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The balance.
    pub balance: Money,
    /// What was promised of it, and is certainly not yet taken from it.
    pub promised: i128,
    /// What was promised of it, and may be taken from it already or not.
    pub uncertain: i128,
    /// Living processes that promise, this one among them.
    pub processes: u32,
}

/// Whether a balance covers a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// Whatever the other processes promise by the same rule.
    Ample,
    /// As far as this process knows: the verdict is waited for.
    Close,
    /// That depends on whether the uncertain promises are taken from it already.
    Uncertain,
    /// Not.
    Short,
}

impl Known {
    /// What all processes promise without asking is half of the balance at most. So when one
    /// comes or goes, and the others have not noticed yet, it still is less than all of it.
    const SHARE: i128 = 2;

    /// Judges a cost.
    pub fn covers(&self, cost: Money) -> Cover {
        let (balance, cost) = (i128::from(self.balance.get()), i128::from(cost.get()));
        let certainly = self.promised + cost;
        let at_most = certainly + self.uncertain;
        // What is free of charge is always paid.
        if cost == 0 || at_most * Self::SHARE * i128::from(self.processes.max(1)) <= balance {
            Cover::Ample
        } else if at_most <= balance {
            Cover::Close
        } else if certainly <= balance {
            Cover::Uncertain
        } else {
            Cover::Short
        }
    }

    /// What is left of the balance, less all promises; never negative.
    pub fn left(&self) -> Money {
        let left = i128::from(self.balance.get()) - self.promised - self.uncertain;
        Money::new(i64::try_from(left.max(0)).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn known(balance: i64, promised: i128, uncertain: i128, processes: u32) -> Known {
        Known { balance: Money::new(balance), promised, uncertain, processes }
    }

    #[test]
    fn each_process_promises_its_part_of_half() {
        let cover = |processes, promised, cost| known(1_000, promised, 0, processes).covers(Money::new(cost));
        assert_eq!(cover(1, 0, 500), Cover::Ample);
        assert_eq!(cover(1, 1, 500), Cover::Close);
        assert_eq!(cover(2, 0, 250), Cover::Ample);
        assert_eq!(cover(2, 1, 250), Cover::Close);
        assert_eq!(cover(2, 0, 1_000), Cover::Close);
        assert_eq!(cover(2, 1, 1_000), Cover::Short);
        assert_eq!(known(0, 0, 0, 0).covers(Money::ZERO), Cover::Ample);
        assert_eq!(known(0, 500, 0, 1).covers(Money::ZERO), Cover::Ample);
    }

    #[test]
    fn what_may_be_taken_already_refuses_nothing() {
        let cover = |cost| known(1_000, 300, 500, 1).covers(Money::new(cost));
        assert_eq!(
            [200, 201, 700, 701].map(cover),
            [Cover::Close, Cover::Uncertain, Cover::Uncertain, Cover::Short]
        );
        assert_eq!(known(1_000, 300, 500, 1).left(), Money::new(200));
        assert_eq!(known(1_000, 300, 800, 1).left(), Money::ZERO);
    }

    proptest! {
        /// What all processes answer at once without asking is never more than the balance, also
        /// while each still counts one process too few.
        #[test]
        fn all_parts_together_are_covered(
            balance in 0i64..=i64::MAX,
            costs in prop::collection::vec(prop::collection::vec(0i64..=i64::MAX / 1_000, 0..20), 1..20),
        ) {
            let noticed = u32::try_from(costs.len() - 1).unwrap_or(u32::MAX).max(1);
            let mut all = 0;
            for process in costs {
                let mut promised = 0;
                for cost in process {
                    if known(balance, promised, 0, noticed).covers(Money::new(cost)) == Cover::Ample {
                        promised += i128::from(cost);
                    }
                }
                all += promised;
            }
            prop_assert!(all <= i128::from(balance));
        }
    }
}
