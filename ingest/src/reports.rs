//! What became of messages: read from the rows that billing and dlr-reconciler keep, open
//! and in history alike (the views `all_…` find each chunk in one of them).
//!
//! A chunk is there once its content is recorded, normally within a second of the 202. A
//! message without a state row is queued; one beyond the paid prefix is refused, whether or
//! not that has reached its state row.

mod call;
mod message;
mod operator_ids;
mod rows;

use platform::http::problem::{Code, Problem};

pub(crate) use call::{CallReport, call};
pub(crate) use message::{MessageReport, message};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// There is none, none yet, or it is another account's.
    #[error("not found")]
    NotFound,
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
