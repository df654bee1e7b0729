//! A campaign, and how far its file is taken in.

use std::collections::BTreeSet;

use domain::money::Money;
use domain::rows::Prefix;
use domain::time::UnixMillis;
use platform::http::problem::{Code, FieldCode};
use serde::{Deserialize, Serialize};

use super::file::{RowCode, RowFault};

/// Faults of rows that are kept.
pub(super) const ERRORS_KEPT: usize = 100;

/// What a customer may still do with a campaign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It takes rows.
    Open,
    /// It takes no more.
    Closed,
    /// What is not yet sent is not sent.
    Canceled,
}

/// A campaign.
#[derive(Clone, Debug)]
pub(crate) struct Campaign {
    pub(crate) id: i64,
    pub(crate) account: i64,
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) line: String,
    pub(crate) ttl_seconds: u32,
    /// Whether an upload stops in front of a row at fault, instead of leaving it out.
    pub(crate) stops_at_faults: bool,
    pub(crate) state: State,
    pub(crate) created_at: UnixMillis,
    pub(crate) closed_at: Option<UnixMillis>,
    pub(crate) canceled_at: Option<UnixMillis>,
    /// When rows were taken in last.
    pub(crate) uploaded_at: Option<UnixMillis>,
    pub(crate) taken: Taken,
}

/// How far a file is taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) prefix: Prefix,
    /// Messages that are paid for.
    pub(crate) accepted: u64,
    /// Of these.
    pub(crate) segments: u64,
    /// Of these.
    pub(crate) price: Money,
    /// Rows left out because of a fault.
    pub(crate) invalid: u64,
    /// The first faults.
    pub(crate) errors: Vec<RowError>,
    /// The numbers of the rows that billing refused.
    pub(crate) owed: BTreeSet<u64>,
}

/// A row at fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RowError {
    /// Its number, from 1; a header is none.
    pub(crate) row: u64,
    pub(crate) code: String,
    pub(crate) detail: String,
}

impl State {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            State::Open => "open",
            State::Closed => "closed",
            State::Canceled => "canceled",
        }
    }
}

impl Taken {
    /// Counts rows that are left out, and keeps the first faults.
    pub(super) fn left_out(&mut self, rows: usize, errors: &[RowError]) {
        self.invalid += rows as u64;
        let room = ERRORS_KEPT.saturating_sub(self.errors.len());
        self.errors.extend(errors.iter().take(room).cloned());
    }
}

impl RowError {
    pub(crate) fn new(row: u64, fault: RowFault) -> Self {
        let code = match fault.code {
            RowCode::Malformed => Code::MalformedRow.as_str().to_owned(),
            RowCode::Field(code) => word(code),
        };
        RowError { row, code, detail: fault.detail }
    }
}

/// The word of a field code, as it is written in answers.
fn word(code: FieldCode) -> String {
    serde_json::to_value(code).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
