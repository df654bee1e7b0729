//! How many messages a second an operator is given, and how the lanes share them. Pure: time
//! comes in.
//!
//! A bucket fills with what the operator permits. Express may take all of it, standard leaves
//! a part and bulk a larger part, so a login code never waits behind a campaign; and bulk has
//! a small bucket of its own, so a flood of codes never stops a campaign altogether.

use domain::lane::Lane;

/// Parts of the bucket that standard and bulk leave to the lanes before them.
const STANDARD_LEAVES: f64 = 0.2;
const BULK_LEAVES: f64 = 0.4;
/// The part of the rate that bulk has in any case.
const BULK_MINIMUM: f64 = 0.05;
/// What fits into the bucket, in seconds of the rate.
const BUCKET_S: f64 = 0.25;

/// A bucket that the lanes share.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    /// Messages a second.
    per_second: f64,
    /// Messages that may go now; below zero where bulk took its minimum on credit.
    tokens: f64,
    bulk_tokens: f64,
    filled_at: i64,
}

impl Rate {
    /// A full bucket at `now`, in milliseconds.
    pub(crate) fn new(per_second: f64, now: i64) -> Self {
        let mut rate = Rate { per_second, tokens: 0.0, bulk_tokens: 0.0, filled_at: now };
        rate.tokens = rate.size();
        rate.bulk_tokens = rate.bulk_size();
        rate
    }

    /// Changes the rate; what is in the bucket stays, as far as it fits.
    pub(crate) fn set(&mut self, per_second: f64, now: i64) {
        self.fill(now);
        self.per_second = per_second;
        self.tokens = self.tokens.min(self.size());
        self.bulk_tokens = self.bulk_tokens.min(self.bulk_size());
    }

    /// How many messages of `lane` may go at `now`, at most `wanted`.
    pub(crate) fn permits(&mut self, lane: Lane, wanted: usize, now: i64) -> usize {
        if self.per_second <= 0.0 {
            return 0;
        }
        self.fill(now);
        let leaves = match lane {
            Lane::Express => 0.0,
            Lane::Standard => STANDARD_LEAVES,
            Lane::Bulk => BULK_LEAVES,
        };
        let free = self.tokens - self.size() * leaves;
        let free = if lane == Lane::Bulk { free.max(self.bulk_tokens) } else { free };
        // A call is only full where one fits: a slow operator is given single messages.
        if free < 1.0 { 0 } else { wanted.min(whole(free)) }
    }

    /// So many messages of `lane` go.
    pub(crate) fn take(&mut self, lane: Lane, messages: usize) {
        let messages = messages as f64;
        self.tokens -= messages;
        if lane == Lane::Bulk {
            self.bulk_tokens = (self.bulk_tokens - messages).max(0.0);
        }
    }

    fn fill(&mut self, now: i64) {
        let seconds = (now - self.filled_at).max(0) as f64 / 1_000.0;
        self.filled_at = self.filled_at.max(now);
        self.tokens = (self.tokens + seconds * self.per_second).min(self.size());
        self.bulk_tokens =
            (self.bulk_tokens + seconds * self.per_second * BULK_MINIMUM).min(self.bulk_size());
    }

    fn size(&self) -> f64 {
        // One message must fit beside what bulk leaves, however slow the operator is.
        (self.per_second * BUCKET_S).max(1.0 / (1.0 - BULK_LEAVES))
    }

    fn bulk_size(&self) -> f64 {
        (self.per_second * BUCKET_S * BULK_MINIMUM).max(1.0)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // cut off, on purpose
fn whole(number: f64) -> usize {
    number as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Lanes that take what they may every ten milliseconds for ten seconds.
    fn taken(per_second: f64, lanes: &[Lane]) -> [usize; 3] {
        let mut rate = Rate::new(per_second, 0);
        let mut taken = [0; 3];
        for now in (0..10_000).step_by(10) {
            for lane in lanes {
                let permitted = rate.permits(*lane, 100, now);
                rate.take(*lane, permitted);
                taken[*lane as usize] += permitted;
            }
        }
        taken
    }

    #[test]
    fn express_may_take_everything_but_the_minimum_of_bulk() {
        // Bulk asks first in each round.
        let [express, _, bulk] = taken(1_000.0, &[Lane::Bulk, Lane::Express]);
        assert!((9_000..=10_000).contains(&express), "{express}");
        assert!((400..=1_000).contains(&bulk), "{bulk}");
    }

    #[test]
    fn alone_bulk_has_the_whole_rate() {
        let [_, _, bulk] = taken(1_000.0, &[Lane::Bulk]);
        assert!((9_800..=10_300).contains(&bulk), "{bulk}");
        // Two messages a second are two messages a second.
        let [_, _, bulk] = taken(2.0, &[Lane::Bulk]);
        assert!((19..=22).contains(&bulk), "{bulk}");
    }

    #[test]
    fn an_express_message_goes_at_once_while_bulk_takes_all_it_may() {
        let mut rate = Rate::new(1_000.0, 0);
        for now in 0..2_000 {
            let permitted = rate.permits(Lane::Bulk, 100, now);
            rate.take(Lane::Bulk, permitted);
            assert!(rate.permits(Lane::Express, 1, now) == 1, "at {now}");
        }
    }

    proptest! {
        /// However the lanes ask, what goes in any stretch of time is at most the bucket, the
        /// rate over that time, and the minimum of bulk.
        #[test]
        fn never_more_than_permitted(
            per_second in 1.0f64..5_000.0,
            asks in prop::collection::vec((0i64..50, 0usize..3, 1usize..200), 1..300),
        ) {
            let mut rate = Rate::new(per_second, 0);
            let (mut now, mut sum) = (0, 0.0);
            for (after, lane, wanted) in asks {
                now += after;
                let permitted = rate.permits(Lane::ALL[lane], wanted, now);
                prop_assert!(permitted <= wanted);
                rate.take(Lane::ALL[lane], permitted);
                sum += permitted as f64;
                let seconds = now as f64 / 1_000.0;
                let bulk = rate.bulk_size() + seconds * per_second * BULK_MINIMUM;
                prop_assert!(sum <= rate.size() + seconds * per_second + bulk + 1.0);
            }
        }
    }
}
