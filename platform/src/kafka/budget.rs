//! How much a consumer may have in hand: messages and bytes, given back when a record ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Bounds on what is read and not yet done with.
#[derive(Debug)]
pub struct Budget {
    records_max: i64,
    bytes_max: i64,
    records: AtomicI64,
    bytes: AtomicI64,
}

/// What one record takes of a budget. It gives it back when it is dropped, so whatever
/// becomes of the record, the budget returns to zero.
#[derive(Debug)]
pub struct Charge {
    budget: Arc<Budget>,
    bytes: i64,
}

impl Budget {
    /// A budget of at most `records_max` records and `bytes_max` bytes. It may be overdrawn
    /// by the one record that fills it.
    pub fn new(records_max: u32, bytes_max: u64) -> Arc<Self> {
        Arc::new(Budget {
            records_max: records_max.into(),
            bytes_max: i64::try_from(bytes_max).unwrap_or(i64::MAX),
            records: AtomicI64::new(0),
            bytes: AtomicI64::new(0),
        })
    }

    /// Takes the part of one record of `bytes`.
    pub fn charge(self: &Arc<Self>, bytes: usize) -> Charge {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.records.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        Charge { budget: Arc::clone(self), bytes }
    }

    /// Whether nothing more should be read.
    pub fn is_spent(&self) -> bool {
        self.records.load(Ordering::Acquire) >= self.records_max
            || self.bytes.load(Ordering::Acquire) >= self.bytes_max
    }

    /// Whether so much has come back that reading is worth resuming: half of each bound.
    pub fn is_roomy(&self) -> bool {
        self.records.load(Ordering::Acquire) <= self.records_max / 2
            && self.bytes.load(Ordering::Acquire) <= self.bytes_max / 2
    }

    /// Records and bytes in hand.
    pub fn in_hand(&self) -> (i64, i64) {
        (self.records.load(Ordering::Acquire), self.bytes.load(Ordering::Acquire))
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.records.fetch_sub(1, Ordering::AcqRel);
        self.budget.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the schedule of taking and giving back, the budget returns to zero, and
        /// is spent exactly while a bound is reached.
        #[test]
        fn back_to_zero_after_any_schedule(steps in prop::collection::vec((any::<bool>(), 0usize..500), 0..200)) {
            let budget = Budget::new(10, 2_000);
            let mut held: Vec<(usize, Charge)> = Vec::new();
            for (take, number) in steps {
                if take {
                    held.push((number, budget.charge(number)));
                } else if !held.is_empty() {
                    held.swap_remove(number % held.len());
                }
                let bytes: usize = held.iter().map(|(bytes, _)| bytes).sum();
                prop_assert_eq!(budget.in_hand(), (held.len() as i64, bytes as i64));
                prop_assert_eq!(budget.is_spent(), held.len() >= 10 || bytes >= 2_000);
                prop_assert!(!(budget.is_spent() && budget.is_roomy()));
            }
            drop(held);
            prop_assert_eq!(budget.in_hand(), (0, 0));
            prop_assert!(budget.is_roomy());
        }
    }
}
