//! What an operator remembers: of calls as they come, or again from its journal.

use std::collections::BTreeMap;

use crate::fate::{Fate, Outcome};
use crate::journal::{Element, Event, Mark, Submitted, What};
use crate::receipt::is_lasting;
use crate::stats::Stats;
use crate::store::{Entry, NO_UID, Store};

/// Everything but the journal.
pub(super) struct Memory {
    pub(super) store: Store,
    pub(super) stats: Stats,
    /// Number of the last call.
    pub(super) call: u64,
    /// Faults of receipts by the message's number, of what the store remembers.
    marks: BTreeMap<u64, Mark>,
}

impl Memory {
    pub(super) fn new(max_messages: u64) -> Self {
        Self { store: Store::new(max_messages), stats: Stats::default(), call: 0, marks: BTreeMap::new() }
    }

    /// Takes one judged element.
    pub(super) fn take(&mut self, entry: Entry) {
        let seen = self.store.push(entry);
        let stats = &mut self.stats;
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
        } else if entry.uid != NO_UID {
            stats.distinct_uids += 1;
        }
    }

    /// Remembers what is wrong with the receipts of the element of this number.
    pub(super) fn mark(&mut self, number: u64, mark: Mark) {
        if is_lasting(mark) {
            self.marks.insert(number, mark);
        }
        while self.marks.first_key_value().is_some_and(|(oldest, _)| *oldest < self.store.first()) {
            self.marks.pop_first();
        }
    }

    pub(super) fn has_marks(&self) -> bool {
        !self.marks.is_empty()
    }

    pub(super) fn mark_of(&self, number: u64) -> Option<Mark> {
        self.marks.get(&number).copied()
    }

    pub(super) fn count_mid(&mut self, mid: Option<i64>) {
        self.stats.mid_calls += 1;
        self.stats.mids_unknown += u64::from(mid.is_none());
    }

    pub(super) fn forget(&mut self) {
        self.store.forget();
        self.marks.clear();
        self.stats = Stats::default();
    }

    /// Takes an event of the journal as if its call came again; `first` is the number of its
    /// first element.
    pub(super) fn replay(&mut self, first: u64, event: Event) {
        self.store.skip_to(first);
        self.call = event.call;
        if event.what == What::Reset {
            return self.forget();
        }
        self.stats.calls += 1;
        let Event { at_ms, what, fault, .. } = event;
        if fault.is_some() {
            self.stats.count_faults(fault, std::iter::empty());
        }
        match what {
            What::Send(elements) => {
                self.stats.send_calls += 1;
                (first..).zip(elements).for_each(|(number, element)| self.retake(number, at_ms, element));
            }
            What::NotTaken(_) => self.stats.not_taken_calls += 1,
            What::Mid { mid, .. } => self.count_mid(mid),
            What::Statuses(counts) => {
                self.stats.statuses_calls += 1;
                self.stats.statuses.add(&counts);
            }
            What::Balance => self.stats.balance_calls += 1,
            What::Refused(_) => self.stats.refused_calls += 1,
            What::Reset => {}
        }
    }

    fn retake(&mut self, number: u64, at_ms: i64, Element { uid, result, marks, .. }: Element) {
        let fate = match result {
            Submitted::Accepted { outcome, delay_ms, .. } => Fate::Accepted { outcome, delay_ms },
            Submitted::Refused(code) => Fate::Refused(code),
            Submitted::NotTaken => return,
        };
        self.take(Entry { uid, at_ms, fate });
        self.stats.count_faults(None, marks.iter().map(|mark| mark.fault));
        marks.into_iter().for_each(|mark| self.mark(number, mark));
    }
}
