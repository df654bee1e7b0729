//! One minute of sending, in microseconds.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// The microseconds of a minute: what a full bucket holds.
pub(super) const MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(60_000_000 - 1);

/// The bucket of one account in one lane.
pub(super) struct Bucket<C: Clock = DefaultClock> {
    limiter: RateLimiter<NotKeyed, InMemoryState, C, StateInformationMiddleware>,
    clock: C,
}

/// There is not enough in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Empty {
    /// What there is, in microseconds.
    pub(super) left: u32,
    /// Until there is enough.
    pub(super) wait: Duration,
}

impl Bucket {
    pub(super) fn new() -> Self {
        Bucket::with_clock(DefaultClock::default())
    }
}

impl<C: Clock + Clone> Bucket<C> {
    /// A full one.
    fn with_clock(clock: C) -> Self {
        let limiter = RateLimiter::direct_with_clock(Quota::per_minute(MINUTE), clock.clone());
        Bucket { limiter: limiter.with_middleware(), clock }
    }

    /// Takes so many microseconds and says what is left, or takes nothing. More than a minute is
    /// never in it.
    pub(super) fn take(&self, micros: u64) -> Result<u32, Empty> {
        let cost = u32::try_from(micros.max(1)).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX);
        match self.limiter.check_n(cost) {
            Ok(Ok(state)) => Ok(state.remaining_burst_capacity()),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(self.clock.now());
                // It fills by a microsecond each microsecond.
                let missing = u32::try_from(wait.as_micros()).unwrap_or(u32::MAX);
                Err(Empty { left: cost.get().saturating_sub(missing), wait })
            }
            Err(_) => Err(Empty { left: 0, wait: Duration::from_secs(60) }),
        }
    }
}

/// What segments take of a bucket, in microseconds. Together they may need more than there ever is.
pub(super) fn cost(segments: u64, limit_per_minute: u32, processes: u32) -> u64 {
    let shared = u128::from(MINUTE.get()) * u128::from(processes.max(1)) * u128::from(segments);
    u64::try_from(shared.div_ceil(limit_per_minute.max(1).into())).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn bucket() -> (Bucket<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        (Bucket::with_clock(clock.clone()), clock)
    }

    #[test]
    fn a_minutes_worth_at_once_then_as_it_fills() {
        let (bucket, clock) = bucket();
        let segment = cost(1, 2_000, 1);
        assert_eq!(segment, 30_000);
        for sent in 1..=2_000 {
            assert_eq!(bucket.take(segment), Ok(MINUTE.get() - sent * 30_000), "{sent}");
        }
        assert_eq!(bucket.take(segment), Err(Empty { left: 0, wait: Duration::from_millis(30) }));
        clock.advance(Duration::from_millis(29));
        assert_eq!(bucket.take(segment), Err(Empty { left: 29_000, wait: Duration::from_millis(1) }));
        clock.advance(Duration::from_millis(1));
        assert_eq!(bucket.take(segment), Ok(0));
        // A refusal takes nothing, and a bucket does not overflow.
        clock.advance(Duration::from_secs(3_600));
        assert_eq!(bucket.take(segment), Ok(MINUTE.get() - 30_000));
    }

    #[test]
    fn another_limit_or_another_process_neither_fills_nor_empties_it() {
        let (bucket, _) = bucket();
        assert_eq!(bucket.take(cost(50, 100, 1)), Ok(30_000_000));
        // Half a minute is left: of a tenfold limit 500 segments, between two processes 250.
        assert_eq!(bucket.take(cost(250, 1_000, 2)), Ok(0));
        assert!(bucket.take(cost(1, 1_000, 2)).is_err());
    }

    #[test]
    fn a_whole_minute_can_be_taken_and_more_cannot() {
        assert_eq!(cost(4, 3, 1), 80_000_000);
        assert_eq!(cost(u64::MAX, 1, u32::MAX), u64::MAX);
        assert_eq!((cost(1, u32::MAX, 1), cost(1, 7, 1)), (1, 8_571_429));
        let (bucket, clock) = bucket();
        for more in [cost(4, 3, 1), u64::MAX, u64::from(MINUTE.get()) + 1] {
            assert!(bucket.take(more).is_err(), "{more}");
        }
        assert_eq!(bucket.take(cost(3, 3, 1)), Ok(0));
        clock.advance(Duration::from_secs(59));
        let second = Empty { left: 59_000_000, wait: Duration::from_secs(1) };
        assert_eq!(bucket.take(MINUTE.get().into()), Err(second));
        clock.advance(Duration::from_secs(1));
        assert_eq!(bucket.take(MINUTE.get().into()), Ok(0));
    }
}
