//! When an operator cannot be reached it is left alone for a while, and then tried with one
//! call. Pure: time comes in.

/// Settings of a breaker.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BreakerLimits {
    /// Calls in a row without any answer before it opens.
    pub(crate) failures: u32,
    /// How long it stays open first, in milliseconds; doubled each time a probe fails.
    pub(crate) open_first_ms: i64,
    /// How long it stays open at most, in milliseconds.
    pub(crate) open_longest_ms: i64,
    /// A probe that was not heard of for so long is given up, in milliseconds.
    pub(crate) probe_lost_ms: i64,
}

/// A breaker, as its state says what may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Everything goes, with so many failures in a row behind it.
    Closed {
        /// Calls without an answer since the last with one.
        failures: u32,
    },
    /// Nothing goes until then.
    Open {
        /// When a probe may go, in milliseconds.
        until: i64,
        /// How long it was opened for.
        for_ms: i64,
    },
    /// One call is on its way; nothing else goes.
    HalfOpen {
        /// When it left.
        since: i64,
        /// How long it was open before.
        for_ms: i64,
    },
}

impl State {
    /// Whether everything goes.
    pub(crate) const fn is_closed(self) -> bool {
        matches!(self, State::Closed { .. })
    }
}

/// Opens when calls in a row had no answer.
#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    limits: BreakerLimits,
    state: State,
}

impl Breaker {
    pub(crate) fn new(limits: BreakerLimits) -> Self {
        Breaker { limits, state: State::Closed { failures: 0 } }
    }

    /// Its state, for people.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Whether a call may go at `now`. Where only a probe may, the caller is it, and is to
    /// report how it ended.
    pub(crate) fn admits(&mut self, now: i64) -> bool {
        if !self.would_admit(now) {
            return false;
        }
        if let State::Open { for_ms, .. } | State::HalfOpen { for_ms, .. } = self.state {
            self.state = State::HalfOpen { since: now, for_ms };
        }
        true
    }

    /// How long nothing goes from `now` on but a probe, in milliseconds.
    pub(crate) fn open_for(&self, now: i64) -> i64 {
        match self.state {
            State::Closed { .. } => 0,
            State::Open { until, .. } => (until - now).max(0),
            State::HalfOpen { for_ms, .. } => for_ms,
        }
    }

    /// Whether a call could go at `now`.
    pub(crate) fn would_admit(&self, now: i64) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until, .. } => now >= until,
            State::HalfOpen { since, .. } => now - since >= self.limits.probe_lost_ms,
        }
    }

    /// The probe that was admitted did not leave: another may.
    pub(crate) fn unused(&mut self, now: i64) {
        if let State::HalfOpen { for_ms, .. } = self.state {
            self.state = State::Open { until: now, for_ms };
        }
    }

    /// A call was answered, whatever the answer says.
    pub(crate) fn answered(&mut self) {
        self.state = State::Closed { failures: 0 };
    }

    /// A call had no answer.
    pub(crate) fn failed(&mut self, now: i64) {
        let BreakerLimits { failures: max, open_first_ms, open_longest_ms, .. } = self.limits;
        self.state = match self.state {
            State::Closed { failures } if failures + 1 < max => State::Closed { failures: failures + 1 },
            State::Closed { .. } => State::Open { until: now + open_first_ms, for_ms: open_first_ms },
            // Calls that were under way when it opened say nothing new.
            State::Open { .. } => self.state,
            State::HalfOpen { for_ms, .. } => {
                let for_ms = (for_ms * 2).min(open_longest_ms);
                State::Open { until: now + for_ms, for_ms }
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: BreakerLimits =
        BreakerLimits { failures: 3, open_first_ms: 100, open_longest_ms: 400, probe_lost_ms: 1_000 };

    fn opened(now: i64) -> Breaker {
        let mut breaker = Breaker::new(LIMITS);
        (0..3).for_each(|_| breaker.failed(now));
        breaker
    }

    #[test]
    fn failures_in_a_row_open_it_and_an_answer_between_does_not() {
        let mut breaker = Breaker::new(LIMITS);
        for _ in 0..10 {
            breaker.failed(0);
            breaker.failed(0);
            assert!(breaker.admits(0));
            breaker.answered();
        }
        assert!(!opened(0).admits(99));
    }

    #[test]
    fn one_probe_goes_and_decides() {
        let mut breaker = opened(0);
        assert!(breaker.admits(100) && !breaker.admits(100) && !breaker.admits(1_099));
        breaker.failed(150);
        // Twice as long, and again, up to the longest.
        assert!(!breaker.admits(349) && breaker.admits(350));
        breaker.failed(400);
        assert!(!breaker.admits(799) && breaker.admits(800));
        breaker.failed(800);
        assert!(!breaker.admits(1_199) && breaker.admits(1_200));
        breaker.answered();
        assert!(breaker.admits(1_201) && breaker.admits(1_201));
        assert_eq!(breaker.state(), State::Closed { failures: 0 });
    }

    #[test]
    fn a_probe_that_is_not_heard_of_does_not_close_it_for_ever() {
        let mut breaker = opened(0);
        assert!(breaker.admits(100));
        assert!(!breaker.admits(1_099) && breaker.admits(1_100));
    }

    proptest! {
        /// Whatever happens: while it is not closed, no two calls go within the time that a
        /// probe has to be heard of or the shortest pause.
        #[test]
        fn an_open_one_is_left_alone(steps in prop::collection::vec((1i64..200, 0u8..3), 1..200)) {
            let mut breaker = opened(0);
            let (mut now, mut last) = (0, None::<i64>);
            for (after, step) in steps {
                now += after;
                match step {
                    0 if !breaker.state().is_closed() && breaker.admits(now) => {
                        prop_assert!(last.is_none_or(|last| now - last >= LIMITS.open_first_ms));
                        last = Some(now);
                    }
                    1 => breaker.failed(now),
                    _ => {}
                }
            }
        }
    }
}
