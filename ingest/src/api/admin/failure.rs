//! Why a call of an administrator cannot be done, as it is answered.

use domain::tariff::TariffError;
use ledger::LedgerError;
use platform::http::problem::{Code, FieldCode, FieldError, Problem};
use platform::postgres::lost_a_race;

use crate::idempotency::NotBooked;
use crate::keys::KeyError;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub(in crate::api) enum Failure {
    /// The books refuse.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// So do the keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// There is no such thing.
    #[error("not found")]
    NotFound,
    /// What is wrong with its `Idempotency-Key`.
    #[error("the Idempotency-Key")]
    Repeated(Problem),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::Ledger(error.into())
    }
}

impl From<NotBooked> for Failure {
    fn from(error: NotBooked) -> Self {
        error.problem().map_or_else(Failure::Ledger, Failure::Repeated)
    }
}

impl Failure {
    /// The answer; `unanswered` is its detail where Postgres did not say what became of it.
    pub(super) fn into_problem(self, unanswered: &'static str) -> Problem {
        let invalid = |field: String, code: FieldCode, detail: String| {
            Problem::invalid(vec![FieldError::new(field, code, detail)])
        };
        match self {
            Failure::NotFound
            | Failure::Ledger(LedgerError::NoAccount(_))
            | Failure::Key(KeyError::NoAccount(_) | KeyError::NoKey(_) | KeyError::NotInUse(_)) => {
                Problem::new(Code::NotFound)
            }
            Failure::Repeated(problem) => problem,
            Failure::Ledger(LedgerError::TooMuch(_)) => invalid(
                "amount".into(),
                FieldCode::OutOfRange,
                "expected an amount with which the balance fits in 63 bits".into(),
            ),
            Failure::Ledger(LedgerError::Past) => invalid(
                "effective_at".into(),
                FieldCode::OutOfRange,
                "expected a time that is not over, or none: from now on".into(),
            ),
            Failure::Ledger(LedgerError::NoTariff(error)) => {
                let (field, code) = prices(&error);
                invalid(field, code, error.to_string())
            }
            Failure::Ledger(LedgerError::Postgres(error)) | Failure::Key(KeyError::Postgres(error)) => {
                unavailable(&error, unanswered)
            }
            other => {
                tracing::error!(error = %other, "an administrator's call failed");
                Problem::new(Code::InternalError)
            }
        }
    }
}

fn prices(error: &TariffError) -> (String, FieldCode) {
    let row = |index: usize, field: &str| format!("prices[{index}]{field}");
    match error {
        TariffError::TooManyRows => ("prices".into(), FieldCode::TooMany),
        TariffError::NegativePrice(index) => (row(*index, ".price"), FieldCode::OutOfRange),
        TariffError::DuplicateRow(index) => (row(*index, ""), FieldCode::OutOfRange),
        TariffError::NoCatchAll(_) => ("prices".into(), FieldCode::Required),
    }
}

fn unavailable(error: &sqlx::Error, unanswered: &'static str) -> Problem {
    tracing::warn!(%error, "an administrator's call did not reach the database");
    let detail = if lost_a_race(error) {
        "somebody else holds what is to be changed; nothing was changed"
    } else {
        unanswered
    };
    Problem::new(Code::Unavailable).detail(detail)
}
