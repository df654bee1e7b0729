//! How fast an operator is fed that says "too much": half as fast at once, then a little more
//! each second. Pure: time comes in.

/// What is added each second.
const GROWTH_A_SECOND: f64 = 1.05;
/// Answers to calls that left before the rate was halved say nothing of the new one.
const HALVED_AT_MOST_EVERY_MS: i64 = 1_000;
/// However often it is halved, so many messages a second still go (or half of what is permitted,
/// where that is less): only answers tell when it is over, and what was measured in a quiet
/// second says little of what an operator can take.
const SLOWEST: f64 = 10.0;
/// Grown so far beyond what was too much, a connector without a rate of its own is free again.
const FREE_BEYOND: f64 = 2.0;

/// The rate of a connector: what is permitted, or less after it said "too much".
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    /// Messages a second; nothing: as many as it takes.
    permitted: Option<f64>,
    slowed: Option<Slowed>,
}

#[derive(Clone, Copy, Debug)]
struct Slowed {
    rate: f64,
    /// The rate that was too much.
    too_much: f64,
    grown_at: i64,
    halved_at: i64,
}

impl Throttle {
    pub(crate) fn new(permitted: Option<f64>) -> Self {
        Throttle { permitted, slowed: None }
    }

    /// What is permitted from now on.
    pub(crate) fn permit(&mut self, permitted: Option<f64>) {
        self.permitted = permitted;
    }

    /// Messages a second at `now`; nothing: as many as the operator takes.
    pub(crate) fn rate(&mut self, now: i64) -> Option<f64> {
        if let Some(slowed) = &mut self.slowed {
            let seconds = (now - slowed.grown_at).max(0) as f64 / 1_000.0;
            slowed.rate *= GROWTH_A_SECOND.powf(seconds);
            slowed.grown_at = slowed.grown_at.max(now);
        }
        let over = |slowed: &Slowed| match self.permitted {
            Some(permitted) => slowed.rate >= permitted,
            None => slowed.rate >= slowed.too_much * FREE_BEYOND,
        };
        self.slowed = self.slowed.filter(|slowed| !over(slowed));
        self.slowed.map(|slowed| slowed.rate).or(self.permitted)
    }

    /// Whether it is slower than permitted, as it was when last looked at.
    pub(crate) fn is_slowed(&self) -> bool {
        self.slowed.is_some()
    }

    /// The operator said "too much" when it was given `measured` messages a second.
    pub(crate) fn too_much(&mut self, measured: f64, now: i64) {
        if self.slowed.is_some_and(|slowed| now - slowed.halved_at < HALVED_AT_MOST_EVERY_MS) {
            return;
        }
        // What was given counts, where it is less than what might have been.
        let slowest = self.permitted.map_or(SLOWEST, |permitted| SLOWEST.min(permitted / 2.0));
        let too_much = self.rate(now).map_or(measured, |rate| rate.min(measured)).max(slowest);
        let rate = (too_much / 2.0).max(slowest);
        self.slowed = Some(Slowed { rate, too_much, grown_at: now, halved_at: now });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halved_at_once_and_grown_back_slowly() {
        let mut throttle = Throttle::new(Some(1_000.0));
        throttle.too_much(1_000.0, 0);
        assert_eq!(throttle.rate(0), Some(500.0));
        // Answers to what was already under way.
        throttle.too_much(900.0, 500);
        let rate = throttle.rate(1_000).unwrap_or_default();
        assert!((524.0..526.0).contains(&rate), "{rate}");
        // ln 2 / ln 1.05 is 14.2 seconds.
        assert!(throttle.rate(14_100).is_some_and(|rate| rate < 1_000.0) && throttle.is_slowed());
        assert_eq!(throttle.rate(14_300), Some(1_000.0));
        assert!(!throttle.is_slowed());
    }

    #[test]
    fn an_unlimited_one_is_free_again_in_the_end() {
        let mut throttle = Throttle::new(None);
        assert_eq!(throttle.rate(0), None);
        throttle.too_much(800.0, 0);
        assert_eq!(throttle.rate(0), Some(400.0));
        assert!(throttle.rate(28_000).is_some_and(|rate| rate > 1_500.0));
        assert_eq!(throttle.rate(29_000), None);
    }

    proptest! {
        /// However often an operator complains, something is left, and never more than is
        /// permitted.
        #[test]
        fn between_one_and_what_is_permitted(
            permitted in 1.0f64..10_000.0,
            complaints in prop::collection::vec((0i64..5_000, 0.0f64..20_000.0), 0..100),
        ) {
            let mut throttle = Throttle::new(Some(permitted));
            let mut now = 0;
            for (after, measured) in complaints {
                now += after;
                throttle.too_much(measured, now);
                let rate = throttle.rate(now).unwrap_or(f64::INFINITY);
                prop_assert!((SLOWEST.min(permitted / 2.0)..=permitted).contains(&rate), "{rate}");
            }
        }
    }
}
