//! All money SQL. See `README.md` for what the books guarantee, and what they do not.
//!
//! Roles call these functions inside their own transactions, after they have moved their
//! positions: so an effect and the offset it came from are stored together or not at all.

pub mod account;
pub mod admin;
pub mod audit;
mod entries;
pub mod funds;
pub mod hold;
pub mod ranges;
pub mod settle;
pub mod statement;
pub mod tariff;

use domain::hold::PricesError;
use domain::id::ChunkId;
use domain::settle::BreaksL4;
use domain::tariff::TariffError;

/// The one ordered list of migrations, for all tables of smshub.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Why the books refuse.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Postgres.
    #[error("postgres: {0}")]
    Postgres(#[from] sqlx::Error),
    /// There is no such account.
    #[error("no account {0}")]
    NoAccount(i64),
    /// Nothing was ever held for this chunk.
    #[error("no hold for chunk {0}")]
    NoHold(ChunkId),
    /// The id is another account's.
    #[error("there is an account {0} already")]
    Taken(i64),
    /// The account would have more sender lines than it may.
    #[error("account {0} would have more than {max} lines", max = admin::fields::LINES_MAX)]
    TooManyLines(i64),
    /// The prices are no tariff.
    #[error(transparent)]
    NoTariff(#[from] TariffError),
    /// A price list cannot hold since a time that is over.
    #[error("expected a time that is not over")]
    Past,
    /// Somebody else made another version of the tariff meanwhile.
    #[error("version {0} of the tariff was made meanwhile")]
    Overtaken(i32),
    /// A charge is a positive amount.
    #[error("a charge must be at least 1, was {0}")]
    NotACharge(i64),
    /// The balance would not fit in 63 bits.
    #[error("the balance of account {0} would pass what 63 bits hold")]
    TooMuch(i64),
    /// The stored tariff cannot be one.
    #[error("tariff version {version}: {why}")]
    Tariff {
        /// The version.
        version: u32,
        /// What is wrong with it.
        why: String,
    },
    /// A stored row breaks its rule: somebody wrote past this crate.
    #[error("the row of chunk {chunk} is corrupt: {why}")]
    Corrupt {
        /// The chunk's number as stored.
        chunk: i64,
        /// What is wrong with it.
        why: String,
    },
}

impl LedgerError {
    fn corrupt(chunk: i64, why: impl ToString) -> Self {
        LedgerError::Corrupt { chunk, why: why.to_string() }
    }

    fn prices(chunk: i64) -> impl Fn(PricesError) -> Self {
        move |error| LedgerError::corrupt(chunk, error)
    }

    fn l4(chunk: i64) -> impl Fn(BreaksL4) -> Self {
        move |error| LedgerError::corrupt(chunk, error)
    }

    /// Whether the transaction lost a race and may be tried again as it is.
    pub fn postgres(&self) -> Option<&sqlx::Error> {
        match self {
            LedgerError::Postgres(error) => Some(error),
            _ => None,
        }
    }
}
