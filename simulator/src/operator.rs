//! The operator itself: what it does with each call, apart from how the call came.

mod calls;
mod disturbed;
mod memory;
mod state;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::watch;

use crate::fate::{Fate, latency_ms};
use crate::fault::{Disturbed, Fault, Faults, Rule};
use crate::journal::{Event, Frame, Journal};
use crate::push::Queue;
use crate::stats::Stats;
use crate::{Settings, fault, now_ms};
use memory::Memory;
use state::State;

/// A simulated operator. All methods may be called from any thread.
pub struct Operator {
    behaviour: RwLock<Arc<Behaviour>>,
    state: Mutex<State>,
    pub(crate) pushes: Queue,
    /// Until when nobody answers at the operator's port.
    dead_until: watch::Sender<Option<Instant>>,
}

/// The settings, with what is derived from them once, and the faults.
pub(crate) struct Behaviour {
    pub(crate) settings: Settings,
    /// None where there is no rule: the usual way then costs nothing more.
    faults: Option<Arc<Faults>>,
    /// The value of an `Authorization` header after `Basic `.
    credentials: String,
}

/// What a call of Magfa's is answered with.
pub(crate) struct Answer {
    pub(crate) body: Vec<u8>,
    /// The number the call was given, from which its latency is drawn.
    call: u64,
    /// What is to happen in place of a plain answer, if a fault is.
    pub(crate) disturbed: Option<Box<Disturbed>>,
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
        let mut memory = Memory::new(max_messages);
        let journal = Journal::open(folder, journal_max, |first, event| memory.replay(first, event))?;
        memory.store.skip_to(journal.next_number());
        Ok(Self::with(settings, State { journal, memory }))
    }

    /// An operator that keeps everything in memory: the last `max_messages` elements, and
    /// the last `journal_max` octets of its journal.
    pub fn in_memory(settings: Settings, max_messages: u64, journal_max: usize) -> Result<Self, OpenError> {
        settings.check().map_err(OpenError::Settings)?;
        let (journal, memory) = (Journal::in_memory(journal_max), Memory::new(max_messages));
        Ok(Self::with(settings, State { journal, memory }))
    }

    fn with(settings: Settings, state: State) -> Self {
        Self {
            behaviour: RwLock::new(Arc::new(Behaviour::new(settings, None))),
            state: Mutex::new(state),
            pushes: Queue::default(),
            dead_until: watch::Sender::new(None),
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.behaviour().settings.clone()
    }

    /// Changes the settings for the calls that come after; refused if one is out of range.
    pub fn set(&self, settings: Settings) -> Result<(), String> {
        settings.check()?;
        let mut behaviour = self.behaviour.write().unwrap_or_else(PoisonError::into_inner);
        *behaviour = Arc::new(Behaviour::new(settings, behaviour.faults.clone()));
        Ok(())
    }

    /// Lays the named fields of a JSON object over the settings; all of it or nothing.
    pub(crate) fn change(&self, json: &[u8]) -> Result<Settings, String> {
        let mut behaviour = self.behaviour.write().unwrap_or_else(PoisonError::into_inner);
        let settings = behaviour.settings.overlaid(json)?;
        *behaviour = Arc::new(Behaviour::new(settings.clone(), behaviour.faults.clone()));
        Ok(settings)
    }

    /// The fault rules in force, in their order (also those whose `for_ms` has passed).
    pub fn faults(&self) -> Vec<Rule> {
        self.behaviour().faults.as_ref().map_or_else(Vec::new, |faults| faults.rules())
    }

    /// Puts these fault rules in place of all others, for the calls that come after: counting
    /// begins anew, what the former rules hold open is closed, and a dead operator is alive
    /// again unless one of these says otherwise. Refused if one does not fit.
    pub fn set_faults(&self, rules: Vec<Rule>) -> Result<(), String> {
        let faults = Faults::new(rules)?;
        let dead_until = faults.dead_until();
        let faults = (!faults.is_empty()).then(|| Arc::new(faults));
        {
            let mut behaviour = self.behaviour.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(former) = &behaviour.faults {
                former.retire();
            }
            *behaviour = Arc::new(Behaviour::new(behaviour.settings.clone(), faults));
            self.dead_until.send_replace(dead_until);
        }
        let dead = dead_until.map(|_| Fault::Dead);
        self.state().memory.stats.count_faults(dead, std::iter::empty());
        Ok(())
    }

    /// As [`Operator::set_faults`], with a JSON array of rules.
    pub fn set_faults_json(&self, json: &[u8]) -> Result<(), String> {
        self.set_faults(fault::parse(json)?)
    }

    /// Tells until when the operator is dead, now and whenever it changes.
    pub(crate) fn dead_until(&self) -> watch::Receiver<Option<Instant>> {
        self.dead_until.subscribe()
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.state().memory.stats.clone()
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
            .memory
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

    /// Forgets all messages, counters and receipts to be pushed. Settings and faults stay, mids and call numbers go on, and
    /// the journal keeps what it has.
    pub fn reset(&self) -> io::Result<()> {
        let mut state = self.state();
        let call = state.memory.call;
        state.journal.append(now_ms(), call, &Frame::Reset)?;
        state.memory.forget();
        self.pushes.clear();
        Ok(())
    }

    /// Writes to the disk what of the journal still waits in memory.
    pub fn flush(&self) -> io::Result<()> {
        self.state().journal.flush()
    }

    /// How many messages are remembered.
    pub(crate) fn remembered_messages(&self) -> u64 {
        self.state().memory.store.len()
    }

    pub(crate) fn behaviour(&self) -> Arc<Behaviour> {
        Arc::clone(&self.behaviour.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn count_pushed(&self, receipts: usize) {
        self.state().memory.stats.pushed += receipts as u64;
    }

    pub(crate) fn count_push_retry(&self) {
        self.state().memory.stats.push_retries += 1;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Behaviour {
    fn new(settings: Settings, faults: Option<Arc<Faults>>) -> Self {
        let plain = format!("{}/{}:{}", settings.user, settings.domain, settings.password);
        Self { settings, faults, credentials: BASE64_STANDARD.encode(plain) }
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
