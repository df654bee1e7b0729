//! The operator itself: what it does with each call, apart from how the call came.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::answer::{self, StatusOf, code};
use crate::fate::{Fate, Outcome, latency_ms};
use crate::journal::{Element, Event, Frame, Journal, Submitted, What, push_element};
use crate::number::international;
use crate::stats::{Stats, StatusCounts};
use crate::store::{Entry, Store};
use crate::submission::{Judged, MAX_PER_CALL, Submission};
use crate::{Settings, now_ms};

/// After so long `/statuses` no longer knows an id: 24 hours.
const STATUS_LIFE_MS: i64 = 86_400_000;
/// `8` (reached the operator) comes after this share of the way to the final status.
const INTERMEDIATE_SHARE: i64 = 3;

/// A simulated operator. All methods may be called from any thread.
pub struct Operator {
    behaviour: RwLock<Arc<Behaviour>>,
    state: Mutex<State>,
}

/// The settings, with what is derived from them once.
pub(crate) struct Behaviour {
    pub(crate) settings: Settings,
    /// The value of an `Authorization` header after `Basic `.
    credentials: String,
}

struct State {
    store: Store,
    journal: Journal,
    stats: Stats,
    /// Number of the last call.
    call: u64,
}

/// What a call of Magfa's is answered with.
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    /// The number the call was given, from which its latency is drawn.
    call: u64,
}

/// Why an operator could not be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A setting is out of its range.
    #[error("{0}")]
    Settings(String),
    /// The journal cannot be read or written.
    #[error("journal: {0}")]
    Journal(#[from] io::Error),
}

impl Operator {
    /// An operator with its journal in `folder` (files of at most `journal_max` octets, two
    /// of them), that remembers what the journal says it took, up to the last
    /// `max_messages` elements.
    pub fn open(
        settings: Settings,
        max_messages: u64,
        folder: &Path,
        journal_max: u64,
    ) -> Result<Self, OpenError> {
        settings.check().map_err(OpenError::Settings)?;
        let (mut store, mut stats, mut call) = (Store::new(max_messages), Stats::default(), 0);
        let journal = Journal::open(folder, journal_max, |first, event| {
            call = event.call;
            replay(&mut store, &mut stats, first, event);
        })?;
        store.skip_to(journal.next_number());
        Ok(Self::with(settings, State { store, journal, stats, call }))
    }

    /// An operator that keeps everything in memory: the last `max_messages` elements, and
    /// the last `journal_max` octets of its journal.
    pub fn in_memory(settings: Settings, max_messages: u64, journal_max: usize) -> Result<Self, OpenError> {
        settings.check().map_err(OpenError::Settings)?;
        let journal = Journal::in_memory(journal_max);
        Ok(Self::with(
            settings,
            State { store: Store::new(max_messages), journal, stats: Stats::default(), call: 0 },
        ))
    }

    fn with(settings: Settings, state: State) -> Self {
        Self { behaviour: RwLock::new(Arc::new(Behaviour::new(settings))), state: Mutex::new(state) }
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.behaviour().settings.clone()
    }

    /// Changes the settings for the calls that come after; refused if one is out of range.
    pub fn set(&self, settings: Settings) -> Result<(), String> {
        settings.check()?;
        let behaviour = Arc::new(Behaviour::new(settings));
        *self.behaviour.write().unwrap_or_else(PoisonError::into_inner) = behaviour;
        Ok(())
    }

    /// Lays the named fields of a JSON object over the settings; all of it or nothing.
    pub(crate) fn change(&self, json: &[u8]) -> Result<Settings, String> {
        let mut behaviour = self.behaviour.write().unwrap_or_else(PoisonError::into_inner);
        let settings = behaviour.settings.overlaid(json)?;
        *behaviour = Arc::new(Behaviour::new(settings.clone()));
        Ok(settings)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.state().stats.clone()
    }

    /// The events of a journal kept in memory, oldest first. (One on the disk is read with
    /// [`crate::journal::read`].)
    pub fn remembered(&self) -> Vec<Event> {
        self.state().journal.remembered()
    }

    /// All submissions of a uid that are remembered, oldest first: the mid (0 if it was
    /// refused), the time in milliseconds since 1970, and what was decided.
    pub fn submissions(&self, uid: i64) -> Vec<(i64, i64, Fate)> {
        let state = self.state();
        let mut all: Vec<_> = state
            .store
            .submissions(uid)
            .map(|(number, entry)| match entry.fate {
                Fate::Accepted { .. } => (state.mid_of(number), entry.at_ms, entry.fate),
                Fate::Refused(_) => (0, entry.at_ms, entry.fate),
            })
            .collect();
        all.reverse();
        all
    }

    /// Forgets all messages and counters. Settings stay, mids and call numbers go on, and
    /// the journal keeps what it has.
    pub fn reset(&self) -> io::Result<()> {
        let mut state = self.state();
        let call = state.call;
        state.journal.append(now_ms(), call, &Frame::Reset)?;
        state.store.forget();
        state.stats = Stats::default();
        Ok(())
    }

    /// Writes to the disk what of the journal still waits in memory.
    pub fn flush(&self) -> io::Result<()> {
        self.state().journal.flush()
    }

    /// How many messages are remembered.
    pub(crate) fn remembered_messages(&self) -> u64 {
        self.state().store.len()
    }

    pub(crate) fn behaviour(&self) -> Arc<Behaviour> {
        Arc::clone(&self.behaviour.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// `POST /send`.
    pub(crate) fn send(&self, settings: &Settings, body: &[u8]) -> io::Result<Answer> {
        let Ok(submission) = serde_json::from_slice::<Submission<'_>>(body) else {
            return self.refuse(code::PARAMETERS);
        };
        if let Some(code) = submission.refusal() {
            return self.refuse(code);
        }
        let judged = submission.judge(settings);
        let elements = encoded(&judged);
        let (first_mid, call) = self.take(&judged, &elements)?;
        Ok(Answer { body: answer::sent(settings, &judged, first_mid), call })
    }

    /// Journal first, then memory: what could not be written was not taken.
    fn take(&self, judged: &[Judged<'_>], elements: &[u8]) -> io::Result<(i64, u64)> {
        let at_ms = now_ms();
        let mut guard = self.state();
        let state = &mut *guard;
        let first_mid = state.mid_of(state.store.next());
        let call = state.record(at_ms, &Frame::Send { first_mid, count: judged.len(), elements })?;
        state.stats.send_calls += 1;
        for &Judged { uid, fate, .. } in judged {
            take_one(&mut state.store, &mut state.stats, Entry { uid, at_ms, fate });
        }
        Ok((first_mid, call))
    }

    /// `GET /mid/{uid}`.
    pub(crate) fn mid(&self, uid: &str) -> io::Result<Answer> {
        let Ok(uid) = uid.parse() else {
            return self.refuse(code::PARAMETERS);
        };
        let mut state = self.state();
        let mid = state.store.newest_accepted(uid).map(|number| state.mid_of(number));
        let call = state.record(now_ms(), &Frame::Mid { uid, mid })?;
        count_mid(&mut state.stats, mid);
        Ok(Answer { body: answer::mid(mid), call })
    }

    /// `GET /statuses/{mid,mid,…}`.
    pub(crate) fn statuses(&self, ids: &str) -> io::Result<Answer> {
        let mut mids = Vec::with_capacity(MAX_PER_CALL);
        for id in ids.split(',') {
            match id.parse::<i64>() {
                Ok(_) if mids.len() == MAX_PER_CALL => return self.refuse(code::TOO_MANY),
                Ok(mid) => mids.push(mid),
                Err(_) => return self.refuse(code::BAD_ID),
            }
        }
        let now = now_ms();
        let mut counts = StatusCounts::default();
        let mut state = self.state();
        let of: Vec<StatusOf> = mids.iter().map(|mid| state.status(*mid, now)).collect();
        of.iter().for_each(|of| counts.count(of.status));
        let call = state.record(now, &Frame::Statuses(&counts))?;
        state.stats.statuses_calls += 1;
        state.stats.statuses.add(&counts);
        drop(state);
        Ok(Answer { body: answer::statuses(&of), call })
    }

    /// `GET /balance`.
    pub(crate) fn balance(&self, settings: &Settings) -> io::Result<Answer> {
        let mut state = self.state();
        let call = state.record(now_ms(), &Frame::Balance)?;
        state.stats.balance_calls += 1;
        Ok(Answer { body: answer::balance(settings.balance), call })
    }

    /// Any call refused as a whole.
    pub(crate) fn refuse(&self, code: u16) -> io::Result<Answer> {
        let mut state = self.state();
        let call = state.record(now_ms(), &Frame::Refused(code))?;
        state.stats.refused_calls += 1;
        Ok(Answer { body: answer::refused(code), call })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Behaviour {
    fn new(settings: Settings) -> Self {
        let plain = format!("{}/{}:{}", settings.user, settings.domain, settings.password);
        Self { settings, credentials: BASE64_STANDARD.encode(plain) }
    }

    /// Whether an `Authorization` header carries the credentials.
    pub(crate) fn admits(&self, header: &[u8]) -> bool {
        header.split_at_checked(6).is_some_and(|(scheme, sent)| {
            scheme.eq_ignore_ascii_case(b"Basic ") && sent.trim_ascii() == self.credentials.as_bytes()
        })
    }

    /// How long the answer is held back, in milliseconds.
    pub(crate) fn latency_ms(&self, answer: &Answer) -> u32 {
        latency_ms(&self.settings, answer.call)
    }
}

impl State {
    fn mid_of(&self, number: u64) -> i64 {
        self.journal.base().saturating_add_unsigned(number)
    }

    /// Writes the call down under the next number.
    fn record(&mut self, at_ms: i64, frame: &Frame<'_>) -> io::Result<u64> {
        self.journal.append(at_ms, self.call + 1, frame)?;
        self.call += 1;
        self.stats.calls += 1;
        Ok(self.call)
    }

    fn status(&self, mid: i64, now: i64) -> StatusOf {
        let number = mid.checked_sub(self.journal.base()).and_then(|number| u64::try_from(number).ok());
        let entry = number.and_then(|number| self.store.get(number));
        let Some(Entry { at_ms, fate: Fate::Accepted { outcome, delay_ms }, .. }) = entry else {
            return StatusOf { mid, status: -1, at_ms: None };
        };
        let delay = i64::from(delay_ms);
        let reached = at_ms + delay / INTERMEDIATE_SHARE;
        if now - at_ms > STATUS_LIFE_MS {
            StatusOf { mid, status: -1, at_ms: None }
        } else if now >= at_ms + delay {
            StatusOf { mid, status: outcome.status(), at_ms: Some(at_ms + delay) }
        } else if now >= reached && outcome != Outcome::NotReached {
            StatusOf { mid, status: 8, at_ms: Some(reached) }
        } else {
            StatusOf { mid, status: 0, at_ms: Some(at_ms) }
        }
    }
}

fn encoded(judged: &[Judged<'_>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(judged.len() * 48);
    let mut digits = itoa::Buffer::new();
    for element in judged {
        let recipient = match element.national {
            Some(national) => digits.format(international(national)),
            None => element.recipient,
        };
        push_element(&mut out, element.uid, element.parts, element.fate, recipient, element.sender);
    }
    out
}

fn take_one(store: &mut Store, stats: &mut Stats, entry: Entry) {
    let seen = store.push(entry);
    let Fate::Accepted { outcome, .. } = entry.fate else {
        stats.refused += 1;
        return;
    };
    stats.messages += 1;
    match outcome {
        Outcome::Delivered => stats.delivered += 1,
        Outcome::Undelivered => stats.undelivered += 1,
        Outcome::NotReached => stats.not_reached += 1,
    }
    if seen {
        stats.repeated_uids += 1;
    } else if entry.uid != crate::store::NO_UID {
        stats.distinct_uids += 1;
    }
}

fn count_mid(stats: &mut Stats, mid: Option<i64>) {
    stats.mid_calls += 1;
    stats.mids_unknown += u64::from(mid.is_none());
}

/// Takes an event of the journal as if its call came again; `first` is the number of its
/// first element.
fn replay(store: &mut Store, stats: &mut Stats, first: u64, event: Event) {
    store.skip_to(first);
    if event.what != What::Reset {
        stats.calls += 1;
    }
    match event.what {
        What::Send(elements) => {
            stats.send_calls += 1;
            for Element { uid, result, .. } in elements {
                let fate = match result {
                    Submitted::Refused(code) => Fate::Refused(code),
                    Submitted::Accepted { outcome, delay_ms, .. } => Fate::Accepted { outcome, delay_ms },
                };
                take_one(store, stats, Entry { uid, at_ms: event.at_ms, fate });
            }
        }
        What::Mid { mid, .. } => count_mid(stats, mid),
        What::Statuses(counts) => {
            stats.statuses_calls += 1;
            stats.statuses.add(&counts);
        }
        What::Balance => stats.balance_calls += 1,
        What::Refused(_) => stats.refused_calls += 1,
        What::Reset => {
            store.forget();
            *stats = Stats::default();
        }
    }
}
