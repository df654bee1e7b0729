//! A link to an operator, as all lanes of this process share it: its name, and the gate that
//! says what it is given. Sockets are not shared: each lane has its own.

use crate::config::ConnectorLimits;
use crate::gate::{BreakerLimits, Gate, Rate, Signal, State};
use domain::lane::Lane;
use platform::health::Health;
use platform::ownership::clock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Alarm: the operator refuses our configuration, and nothing is sent until a person resumes.
pub(crate) const STOPPED: &str = "connector_stopped";
/// Alarm: calls had no answer, and the operator is only probed.
const UNREACHABLE: &str = "connector_unreachable";

/// An answer that took longer than this part of what a call may take is none of an operator that
/// reads what it is sent as it comes.
const PROMPT_PART: i64 = 4;

/// One link.
pub(crate) struct Connector {
    /// Its name in the settings.
    pub(crate) name: String,
    gate: Mutex<Gate>,
    /// How fast it is asked, which lanes share as they share its rate.
    look_ups: Mutex<Rate>,
    look_ups_per_second: u32,
    /// How long a call may take, in milliseconds.
    call_timeout_ms: i64,
    /// How long the operator knows what it took, in milliseconds.
    remembers_ms: i64,
    /// Messages that are ready, by lane.
    backlog: [AtomicUsize; 3],
    health: Health,
}

/// How a link stands, for other processes and people.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Standing {
    pub(crate) stopped: Option<i16>,
    pub(crate) breaker: State,
    pub(crate) look_ups: State,
    pub(crate) polls: State,
    /// Messages a second, where the operator's "too much" makes it slower than permitted.
    pub(crate) slowed_to: Option<f64>,
    pub(crate) backlog: usize,
}

impl Connector {
    pub(crate) fn new(name: &str, limits: &ConnectorLimits, call_timeout_ms: u64, health: &Health) -> Self {
        let now = clock::boot_ms();
        let ms = |setting: u64| i64::try_from(setting).unwrap_or(i64::MAX);
        let breaker = BreakerLimits {
            failures: limits.breaker_failures,
            open_first_ms: ms(limits.breaker_first_ms),
            open_longest_ms: ms(limits.breaker_longest_ms),
            probe_lost_ms: ms(call_timeout_ms.saturating_mul(2)),
        };
        Connector {
            name: name.to_owned(),
            gate: Mutex::new(Gate::new(breaker, now)),
            call_timeout_ms: ms(call_timeout_ms),
            look_ups: Mutex::new(Rate::new(f64::from(limits.look_ups_per_second), now)),
            look_ups_per_second: limits.look_ups_per_second,
            remembers_ms: i64::from(limits.remembers_s) * 1_000,
            backlog: Default::default(),
            health: health.clone(),
        }
    }

    /// How many messages of `lane` may leave now, at most `wanted`: see [`Gate::admits`].
    pub(crate) fn admits(&self, lane: Lane, wanted: usize) -> usize {
        self.gate().admits(lane, wanted, clock::boot_ms())
    }

    /// So many left.
    pub(crate) fn left(&self, lane: Lane, messages: usize) {
        self.gate().left(lane, messages, clock::boot_ms());
    }

    /// A call has ended so.
    pub(crate) fn heard(&self, signal: Signal) {
        let (before, after) = {
            let mut gate = self.gate();
            let before = (gate.stopped(), gate.breaker());
            gate.heard(signal, clock::boot_ms());
            (before, (gate.stopped(), gate.breaker()))
        };
        if before.0 != after.0 {
            self.tell_stopped(after.0);
        }
        self.tell_breaker(&self.name, before.1, after.1);
    }

    /// A look-up has ended so.
    pub(crate) fn heard_look_up(&self, signal: Signal) {
        if let Signal::RefusesUs(code) = signal {
            tracing::warn!(connector = self.name, code, "the operator refuses to be asked");
        }
        self.heard_by("look_ups", Gate::look_ups, |gate| gate.heard_look_up(signal, clock::boot_ms()));
    }

    /// A poll was answered, or not.
    pub(crate) fn heard_poll(&self, answered: bool) {
        self.heard_by("polls", Gate::polls, |gate| gate.heard_poll(answered, clock::boot_ms()));
    }

    /// What was heard may change the breaker of one kind of questions.
    fn heard_by(&self, questions: &str, state: fn(&Gate) -> State, hear: impl FnOnce(&mut Gate)) {
        let (before, after) = {
            let mut gate = self.gate();
            let before = state(&gate);
            hear(&mut gate);
            (before, state(&gate))
        };
        if before.is_closed() != after.is_closed() {
            self.tell_breaker(&format!("{}/{questions}", self.name), before, after);
        }
    }

    /// The call that was admitted was not made: where it was a probe, another may be.
    pub(crate) fn unused(&self) {
        self.gate().unused(clock::boot_ms());
    }

    /// Whether nothing is sent until a person resumes it.
    pub(crate) fn is_stopped(&self) -> bool {
        self.gate().stopped().is_some()
    }

    /// How long look-ups do not go but as probes, in milliseconds: nothing while it is stopped.
    pub(crate) fn no_look_ups_for(&self) -> Option<i64> {
        let gate = self.gate();
        gate.stopped().is_none().then(|| gate.no_look_ups_for(clock::boot_ms()))
    }

    /// Whether what it says it never saw, `took_ms` after it was asked, will not come any more:
    /// behind a silence, calls that it has not read yet may still be in its buffers.
    pub(crate) fn is_believed(&self, took_ms: i64) -> bool {
        let silent = self.gate().answers_for(clock::boot_ms()) < self.call_timeout_ms;
        !silent && took_ms <= self.call_timeout_ms / PROMPT_PART
    }

    /// Whether it would still know a message that it took so long ago.
    pub(crate) fn remembers(&self, attempted_ms_ago: i64) -> bool {
        attempted_ms_ago < self.remembers_ms
    }

    /// As the processes agreed: see [`Gate::agreed`].
    pub(crate) fn agreed(&self, stopped: Option<i16>, permitted: Option<f64>, until: i64) {
        let before = {
            let mut gate = self.gate();
            let before = gate.stopped();
            gate.agreed(stopped, permitted, until);
            before
        };
        if before != stopped {
            self.tell_stopped(stopped);
        }
    }

    /// Whether `lane` may make a look-up now. It is counted, and how it ended is to be reported.
    pub(crate) fn admits_look_up(&self, lane: Lane) -> bool {
        let now = clock::boot_ms();
        let mut rate = lock(&self.look_ups);
        let admitted = rate.permits(lane, 1, now) == 1 && self.gate().admits_look_up(now);
        if admitted {
            rate.take(lane, 1);
        }
        admitted
    }

    /// Whether receipts may be asked for now. How that ended is to be reported.
    pub(crate) fn admits_poll(&self) -> bool {
        self.gate().admits_poll(clock::boot_ms())
    }

    /// Whether they could be.
    pub(crate) fn would_admit_poll(&self) -> bool {
        self.gate().would_admit_poll(clock::boot_ms())
    }

    /// Look-ups a second at most.
    pub(crate) fn look_ups_per_second(&self) -> u32 {
        self.look_ups_per_second
    }

    /// A lane has so many messages ready.
    pub(crate) fn backlog_is(&self, lane: Lane, messages: usize) {
        if let Some(backlog) = self.backlog.get(lane as usize) {
            backlog.store(messages, Ordering::Relaxed);
        }
    }

    /// How it stands.
    pub(crate) fn standing(&self) -> Standing {
        let now = clock::boot_ms();
        let mut gate = self.gate();
        let rate = gate.per_second(now);
        Standing {
            stopped: gate.stopped(),
            breaker: gate.breaker(),
            look_ups: gate.look_ups(),
            polls: gate.polls(),
            slowed_to: rate.filter(|_| gate.is_slowed()),
            backlog: self.backlog.iter().map(|lane| lane.load(Ordering::Relaxed)).sum(),
        }
    }

    fn tell_stopped(&self, code: Option<i16>) {
        match code {
            Some(code) => {
                let detail = format!(
                    "the operator refuses our configuration with code {code}: nothing is sent. Mend it, then \
                     `smshub connector resume {}`",
                    self.name
                );
                self.health.raise_alarm(STOPPED, &self.name, &detail);
            }
            None => self.health.clear_alarm(STOPPED, &self.name),
        }
    }

    fn tell_breaker(&self, subject: &str, before: State, after: State) {
        match (before.is_closed(), after.is_closed()) {
            (true, false) => {
                let detail = "no answer in a row: only single probes go until one is answered";
                self.health.raise_alarm(UNREACHABLE, subject, detail);
            }
            (false, true) => self.health.clear_alarm(UNREACHABLE, subject),
            _ => {}
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        lock(&self.gate)
    }
}

/// A poisoned lock still holds a whole gate: it changes by finished calls.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
