//! Counters shown by `GET /control/stats`; rebuilt from the journal at a restart.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::fault::{Fault, Stage};

/// What was received and answered since the start of the journal or the last reset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls to Magfa's paths, all kinds.
    pub calls: u64,
    /// Send calls whose elements were judged.
    pub send_calls: u64,
    /// Calls of `/mid/{uid}`.
    pub mid_calls: u64,
    /// Calls of `/statuses/{…}`.
    pub statuses_calls: u64,
    /// Calls of `/balance`.
    pub balance_calls: u64,
    /// Calls refused as a whole: credentials, JSON, array lengths, method.
    pub refused_calls: u64,
    /// Elements accepted; each got a mid.
    pub messages: u64,
    /// Accepted elements whose uid had not been accepted before (0, no uid, is not counted).
    pub distinct_uids: u64,
    /// Accepted elements whose uid had been accepted before, as far as it is remembered.
    pub repeated_uids: u64,
    /// Elements refused.
    pub refused: u64,
    /// Accepted messages whose fate is to be delivered.
    pub delivered: u64,
    /// Accepted messages whose fate is status 2.
    pub undelivered: u64,
    /// Accepted messages whose fate is status 16.
    pub not_reached: u64,
    /// `/mid` answers of −1.
    pub mids_unknown: u64,
    /// Elements of `/statuses` answers, by the status given.
    pub statuses: StatusCounts,
    /// Send calls of which a fault let nothing be taken; they are not in `send_calls`.
    pub not_taken_calls: u64,
    /// How often each fault was applied: calls, or messages where it is about receipts.
    /// `dead` counts how often it was set, and not over restarts.
    pub faults: BTreeMap<Fault, u64>,
    /// Receipts pushed and acknowledged. These three are not in the journal.
    pub pushed: u64,
    /// Pushes that were not answered with 200 and were repeated.
    pub push_retries: u64,
    /// Receipts that found no room in the queue of pushes.
    pub push_dropped: u64,
}

impl Stats {
    /// Counts a fault applied to a call, and those of the receipts of its elements.
    pub(crate) fn count_faults(&mut self, call: Option<Fault>, elements: impl Iterator<Item = Fault>) {
        let receipts = elements.filter(|fault| fault.stage() == Stage::Receipt);
        for fault in call.into_iter().chain(receipts) {
            *self.faults.entry(fault).or_default() += 1;
        }
    }
}

/// How many elements of `/statuses` answers had which status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct StatusCounts {
    /// −1: not known, forgotten or older than 24 hours.
    pub unknown: u64,
    /// 0: nothing yet.
    pub nothing: u64,
    /// 8: reached the operator.
    pub intermediate: u64,
    /// 1: delivered.
    pub delivered: u64,
    /// 2: not delivered.
    pub undelivered: u64,
    /// 16: did not reach the operator.
    pub not_reached: u64,
}

impl StatusCounts {
    /// Counts one element by its status.
    pub(crate) fn count(&mut self, status: i8) {
        match status {
            0 => self.nothing += 1,
            1 => self.delivered += 1,
            2 => self.undelivered += 1,
            8 => self.intermediate += 1,
            16 => self.not_reached += 1,
            _ => self.unknown += 1,
        }
    }

    /// Adds another call's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        self.unknown += other.unknown;
        self.nothing += other.nothing;
        self.intermediate += other.intermediate;
        self.delivered += other.delivered;
        self.undelivered += other.undelivered;
        self.not_reached += other.not_reached;
    }
}
