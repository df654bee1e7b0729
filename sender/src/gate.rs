//! What an operator is given now, by one connector of this process: whether it is stopped,
//! whether it can be reached, and how fast. All lanes share it; it is the only thing they
//! share. Pure: time comes in.

mod breaker;
mod rate;
mod throttle;

pub(crate) use breaker::{BreakerLimits, State};

use breaker::Breaker;
use domain::lane::Lane;
use rate::Rate;
use throttle::Throttle;

/// Messages are counted over so long, to know how fast an operator was fed, in milliseconds.
const COUNTED_OVER_MS: i64 = 1_000;
/// A probe has so many messages: few are unknown when it fails.
const PROBE_MESSAGES: usize = 1;

/// How a call ended, as far as the connector is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// It was answered.
    Answered,
    /// It was answered: too much.
    TooMuch,
    /// It was answered: our own configuration is refused, with this code.
    RefusesUs(i16),
    /// There was no answer.
    NoAnswer,
}

/// What one connector may be given.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    breaker: Breaker,
    throttle: Throttle,
    /// Nothing: as fast as it takes.
    rate: Option<Rate>,
    /// The operator's code for which it is stopped.
    stopped: Option<i16>,
    counted_since: i64,
    counted: usize,
    /// Messages in the last whole stretch.
    before: usize,
}

impl Gate {
    /// One that permits so many messages a second; nothing: as many as the operator takes.
    pub(crate) fn new(limits: BreakerLimits, permitted: Option<f64>, now: i64) -> Self {
        Gate {
            breaker: Breaker::new(limits),
            throttle: Throttle::new(permitted),
            rate: permitted.map(|permitted| Rate::new(permitted, now)),
            stopped: None,
            counted_since: now,
            counted: 0,
            before: 0,
        }
    }

    /// How many messages of `lane` may leave at `now`, at most `wanted`. Those that do are to
    /// be counted by [`Gate::left`] before it is asked again.
    pub(crate) fn admits(&mut self, lane: Lane, wanted: usize, now: i64) -> usize {
        if self.stopped.is_some() || wanted == 0 {
            return 0;
        }
        let wanted = if self.breaker.state().is_closed() { wanted } else { PROBE_MESSAGES };
        self.follow_throttle(now);
        let permitted = self.rate.as_mut().map_or(wanted, |rate| rate.permits(lane, wanted, now));
        if permitted == 0 || !self.breaker.admits(now) { 0 } else { permitted }
    }

    /// Whether the operator may be asked something at `now`: that counts as a probe, too, and
    /// how it ended is to be reported.
    pub(crate) fn admits_question(&mut self, now: i64) -> bool {
        self.stopped.is_none() && self.breaker.admits(now)
    }

    /// So many messages of `lane` left, of those that were admitted.
    pub(crate) fn left(&mut self, lane: Lane, messages: usize, now: i64) {
        if messages == 0 {
            return self.breaker.unused(now);
        }
        if let Some(rate) = &mut self.rate {
            rate.take(lane, messages);
        }
        self.count(now);
        self.counted += messages;
    }

    /// A call has ended so.
    pub(crate) fn heard(&mut self, signal: Signal, now: i64) {
        match signal {
            Signal::NoAnswer => return self.breaker.failed(now),
            Signal::Answered => {}
            Signal::TooMuch => {
                self.count(now);
                let measured = self.before.max(self.counted) as f64 * 1_000.0 / COUNTED_OVER_MS as f64;
                self.throttle.too_much(measured, now);
            }
            Signal::RefusesUs(code) => self.stopped = Some(code),
        }
        self.breaker.answered();
    }

    /// What is permitted from now on: this process's part.
    pub(crate) fn permit(&mut self, permitted: Option<f64>) {
        self.throttle.permit(permitted);
    }

    /// Stops it as another process did, or resumes it.
    pub(crate) fn set_stopped(&mut self, code: Option<i16>) {
        self.stopped = code;
    }

    /// The operator's code for which it is stopped.
    pub(crate) fn stopped(&self) -> Option<i16> {
        self.stopped
    }

    /// The state of its breaker.
    pub(crate) fn breaker(&self) -> State {
        self.breaker.state()
    }

    /// Messages a second at `now`, where they are limited.
    pub(crate) fn per_second(&mut self, now: i64) -> Option<f64> {
        self.throttle.rate(now)
    }

    /// Whether the operator's "too much" makes it slower than permitted.
    pub(crate) fn is_slowed(&self) -> bool {
        self.throttle.is_slowed()
    }

    fn follow_throttle(&mut self, now: i64) {
        match (self.throttle.rate(now), &mut self.rate) {
            (None, rate) => *rate = None,
            (Some(per_second), Some(rate)) => rate.set(per_second, now),
            (Some(per_second), rate) => *rate = Some(Rate::new(per_second, now)),
        }
    }

    fn count(&mut self, now: i64) {
        let since = now - self.counted_since;
        if since >= COUNTED_OVER_MS {
            self.before = if since < 2 * COUNTED_OVER_MS { self.counted } else { 0 };
            (self.counted, self.counted_since) = (0, now);
        }
    }
}

#[cfg(test)]
mod tests;
