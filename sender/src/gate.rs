//! What an operator is given now, by one connector of this process: whether it is stopped,
//! whether it can be reached, and how fast. All lanes share it; it is the only thing they
//! share. Pure: time comes in.

mod breaker;
mod rate;
mod throttle;

pub(crate) use breaker::{BreakerLimits, State};
pub(crate) use rate::Rate;

use breaker::Breaker;
use domain::lane::Lane;
use throttle::Throttle;

/// Messages are counted over so long, to know how fast an operator was fed, in milliseconds.
const COUNTED_OVER_MS: i64 = 1_000;
/// A probe has so many messages: few are unknown when it fails.
const PROBE_MESSAGES: usize = 1;

/// How a call or a question ended, as far as the connector is concerned.
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
    /// An operator may answer questions and take nothing, or the other way round; and one kind
    /// of questions and not the other.
    look_ups: Breaker,
    polls: Breaker,
    /// When it was silent last, or began to answer after that.
    silent_at: i64,
    throttle: Throttle,
    /// Nothing: as fast as it takes.
    rate: Option<Rate>,
    /// Until when what is permitted is ours.
    permitted_until: i64,
    /// Whether the processes have agreed on it: before that it may be stopped.
    agreed: bool,
    /// The operator's code for which it is stopped.
    stopped: Option<i16>,
    counted_since: i64,
    counted: usize,
    /// Messages in the last whole stretch.
    before: usize,
}

impl Gate {
    /// One that admits nothing before the processes have agreed on it: [`Gate::agreed`].
    pub(crate) fn new(limits: BreakerLimits, now: i64) -> Self {
        Gate {
            breaker: Breaker::new(limits),
            look_ups: Breaker::new(limits),
            polls: Breaker::new(limits),
            silent_at: i64::MIN,
            throttle: Throttle::new(None),
            rate: None,
            permitted_until: i64::MIN,
            agreed: false,
            stopped: None,
            counted_since: now,
            counted: 0,
            before: 0,
        }
    }

    /// How many messages of `lane` may leave at `now`, at most `wanted`. Those that do are to
    /// be counted by [`Gate::left`] before it is asked again.
    pub(crate) fn admits(&mut self, lane: Lane, wanted: usize, now: i64) -> usize {
        if !self.is_open(now) || wanted == 0 {
            return 0;
        }
        let wanted = if self.breaker.state().is_closed() { wanted } else { PROBE_MESSAGES };
        self.follow_throttle(now);
        let permitted = self.rate.as_mut().map_or(wanted, |rate| rate.permits(lane, wanted, now));
        if permitted == 0 || !self.breaker.admits(now) { 0 } else { permitted }
    }

    /// Whether the operator may be asked what became of a message at `now`. How that ended is
    /// to be reported to [`Gate::heard_look_up`].
    pub(crate) fn admits_look_up(&mut self, now: i64) -> bool {
        self.agreed && self.stopped.is_none() && self.look_ups.admits(now)
    }

    /// The same for receipts, with [`Gate::heard_poll`]. Whether it takes messages from us does
    /// not matter.
    pub(crate) fn admits_poll(&mut self, now: i64) -> bool {
        self.polls.admits(now)
    }

    /// Whether receipts could be asked for at `now`.
    pub(crate) fn would_admit_poll(&self, now: i64) -> bool {
        self.polls.would_admit(now)
    }

    /// The call that was admitted was not made.
    pub(crate) fn unused(&mut self, now: i64) {
        self.breaker.unused(now);
    }

    /// Whether it was agreed on, is not stopped, and what is permitted has not lapsed.
    fn is_open(&self, now: i64) -> bool {
        self.agreed && self.stopped.is_none() && now < self.permitted_until
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
            Signal::NoAnswer => {
                self.breaker.failed(now);
                return self.is_silent(self.breaker.state(), now);
            }
            Signal::Answered => {}
            Signal::TooMuch => {
                self.count(now);
                let measured = self.before.max(self.counted) as f64 * 1_000.0 / COUNTED_OVER_MS as f64;
                self.throttle.too_much(measured, now);
            }
            Signal::RefusesUs(code) => self.stopped = Some(code),
        }
        self.is_silent(self.breaker.state(), now);
        self.breaker.answered();
    }

    /// A look-up has ended so. An answer to it says nothing of calls. Refused questions are
    /// repeated as seldom as those without an answer.
    pub(crate) fn heard_look_up(&mut self, signal: Signal, now: i64) {
        self.is_silent(self.look_ups.state(), now);
        match signal {
            Signal::NoAnswer | Signal::TooMuch | Signal::RefusesUs(_) => self.look_ups.failed(now),
            Signal::Answered => self.look_ups.answered(),
        }
        if signal == Signal::NoAnswer {
            self.is_silent(self.look_ups.state(), now);
        }
    }

    /// A poll has ended so.
    pub(crate) fn heard_poll(&mut self, answered: bool, now: i64) {
        if answered { self.polls.answered() } else { self.polls.failed(now) }
    }

    /// It has not answered in a row, or only now does again: calls that it has not read yet may
    /// be in its buffers. Without failures in a row a silence would never end: some calls are
    /// always lost.
    fn is_silent(&mut self, state: State, now: i64) {
        if !state.is_closed() {
            self.silent_at = now;
        }
    }

    /// For how long it has not been silent, in milliseconds.
    pub(crate) fn answers_for(&self, now: i64) -> i64 {
        now.saturating_sub(self.silent_at)
    }

    /// The processes agreed: it is stopped for this code, or not, and this process's part of
    /// what is permitted is so much (nothing: as many as the operator takes) until then.
    pub(crate) fn agreed(&mut self, stopped: Option<i16>, permitted: Option<f64>, until: i64) {
        self.agreed = true;
        self.stopped = stopped;
        self.throttle.permit(permitted);
        self.permitted_until = if permitted.is_some() { until } else { i64::MAX };
    }

    /// The operator's code for which it is stopped.
    pub(crate) fn stopped(&self) -> Option<i16> {
        self.stopped
    }

    /// The state of its breaker of calls.
    pub(crate) fn breaker(&self) -> State {
        self.breaker.state()
    }

    /// The state of its breaker of look-ups.
    pub(crate) fn look_ups(&self) -> State {
        self.look_ups.state()
    }

    /// How long look-ups do not go, in milliseconds.
    pub(crate) fn no_look_ups_for(&self, now: i64) -> i64 {
        self.look_ups.open_for(now)
    }

    /// The state of its breaker of polls.
    pub(crate) fn polls(&self) -> State {
        self.polls.state()
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
