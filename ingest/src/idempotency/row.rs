//! A row of the table `idempotency` as it was found, and what that means for who asks again.

use domain::id::{ChunkId, Run};
use domain::money::Money;
use domain::time::UnixMillis;

use super::request::RequestHash;
use super::stamps::{Stamps, Told};

/// What the states are called in the table.
pub(super) mod state {
    pub(in super::super) const WORKING: &str = "working";
    pub(in super::super) const RELEASED: &str = "released";
    pub(in super::super) const ACCEPTED: &str = "accepted";
    pub(in super::super) const REFUSED: &str = "refused";
    pub(in super::super) const CHARGED: &str = "charged";
}

/// The row of a key.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Row {
    pub(super) account_id: i64,
    pub(super) key: String,
    pub(super) attempt: i64,
    pub(super) state: String,
    request_hash: Vec<u8>,
    /// Whether the process that worked on it lives.
    alive: bool,
    taken_at_ms: Option<i64>,
    first_id: Option<i64>,
    price: Option<i64>,
    chunks: Option<i32>,
    messages: Option<i32>,
    tariff_version: Option<i32>,
    rules: Option<i32>,
    lane: Option<String>,
    line: Option<String>,
    left_out: Option<Vec<i32>>,
    balance: Option<i64>,
    paid: Option<Vec<i16>>,
}

/// What a row means for a request with its key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Another request was made with this key.
    Conflict,
    /// Somebody works on it.
    InProgress,
    /// It was answered.
    Told(Stamps, Told),
    /// Nobody works on it, and what became of it is not known.
    Free(Stamps),
}

impl Row {
    /// What the row means for a request of this hash.
    pub(super) fn means(&self, hash: &RequestHash) -> Meaning {
        // A charge is another request too: its path is another.
        let Some(stamps) = self.stamps().filter(|_| self.request_hash == hash.as_slice()) else {
            return Meaning::Conflict;
        };
        match self.state.as_str() {
            state::ACCEPTED => Meaning::Told(stamps, Told::Accepted(self.paid())),
            state::REFUSED => {
                Meaning::Told(stamps, Told::Refused(Money::new(self.balance.unwrap_or_default())))
            }
            state::WORKING if self.alive => Meaning::InProgress,
            state::WORKING | state::RELEASED => Meaning::Free(stamps),
            // What a newer program knows of it, this one does not.
            _ => Meaning::InProgress,
        }
    }

    fn stamps(&self) -> Option<Stamps> {
        let count = |stored: Option<i32>| u32::try_from(stored?).ok();
        Some(Stamps {
            taken_at: UnixMillis(self.taken_at_ms?),
            lane: self.lane.as_ref()?.parse().ok()?,
            line: self.line.clone()?,
            tariff_version: count(self.tariff_version)?,
            rules: self.rules?,
            run: Run { first: ChunkId::new(self.first_id?)?, count: count(self.chunks)? },
            left_out: self.left_out.iter().flatten().filter_map(|at| count(Some(*at))).collect(),
            messages: count(self.messages)?,
            price: Money::new(self.price?),
        })
    }

    fn paid(&self) -> Option<Vec<u16>> {
        let paid = self.paid.as_ref()?;
        Some(paid.iter().map(|paid| u16::try_from(*paid).unwrap_or(0)).collect())
    }
}
