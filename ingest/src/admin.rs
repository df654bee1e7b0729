//! What a decision about customers would mean, for the commands and the API of administrators.
//! The decisions themselves are carried out by [`ledger::admin`] and [`crate::keys`].

mod effect;
mod in_flight;
mod traffic;

pub use effect::{Effect, effect};
pub use in_flight::in_flight;
pub use traffic::{DAYS, LaneTraffic};

use chrono::{DateTime, Utc};

/// A time as people and programs write it.
///
/// # Errors
/// What was expected.
pub fn time(written: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(written.trim());
    time.map(|time| time.to_utc())
        .map_err(|_| "expected a time with its offset, such as 2026-12-01T00:00:00+03:30".into())
}
