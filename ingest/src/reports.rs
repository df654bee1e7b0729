//! What became of messages: read from the rows that billing and dlr-reconciler keep, open
//! and in history alike (the views `all_…` find each chunk in one of them).
//!
//! A chunk is there once its content is recorded, normally within a second of the 202. A
//! message without a state row is queued; one beyond the paid prefix is refused, whether or
//! not that has reached its state row.

mod call;
pub(crate) mod list;
mod messages;
mod operator_ids;
mod rows;
pub(crate) mod statement;

use platform::http::problem::{Code, Problem};
use platform::postgres::Pool;

pub(crate) use call::{CallReport, call};
pub(crate) use messages::{MessageReport, message};

/// What reports are read with: connections of their own, so that however many there are,
/// nothing else waits for one.
pub(crate) struct Reader {
    pool: Pool,
    chunks_max: usize,
}

impl Reader {
    pub(crate) fn new(pool: Pool, chunks_max: usize) -> Self {
        Reader { pool, chunks_max }
    }

    fn pool(&self) -> &Pool {
        &self.pool
    }

    /// How many chunks are looked into for one answer, at most.
    fn chunks_max(&self) -> usize {
        self.chunks_max
    }
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// There is none, none yet, or it is another account's.
    #[error("not found")]
    NotFound,
    /// More chunks would have to be looked into than may be for one answer.
    #[error("too much would have to be looked through")]
    TooWide,
    /// What is known of messages is ahead of their contents: an outage is being made up for.
    #[error("contents of messages are still being recorded")]
    CatchingUp,
    /// Postgres.
    #[error("postgres: {0}")]
    Postgres(#[from] sqlx::Error),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] ledger::LedgerError),
    /// A stored row cannot be one of ours.
    #[error("the rows of chunk {chunk} are corrupt: {why}")]
    Corrupt { chunk: i64, why: String },
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::NotFound => Problem::new(Code::NotFound)
                .detail("no such message or batch of this account, or it is not recorded yet"),
            ReportError::TooWide => Problem::new(Code::Unavailable)
                .detail("too many messages would have to be looked through; ask for a shorter time"),
            ReportError::CatchingUp => {
                Problem::new(Code::Unavailable).detail("messages are still being recorded; ask again later")
            }
            ReportError::Postgres(_) | ReportError::Ledger(ledger::LedgerError::Postgres(_)) => {
                tracing::warn!(%error, "a report could not be read");
                Problem::new(Code::Unavailable).detail("reports cannot be read now")
            }
            ReportError::Ledger(_) | ReportError::Corrupt { .. } => {
                tracing::error!(%error, "a report could not be made");
                Problem::new(Code::InternalError)
            }
        }
    }
}
