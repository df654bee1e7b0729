//! What a decision about customers would mean, for the commands and the API of administrators.
//! The decisions themselves are carried out by [`ledger::admin`] and [`crate::keys`].

mod effect;
mod in_flight;
mod traffic;

pub use effect::{Effect, effect};
pub use in_flight::in_flight;
pub use traffic::{DAYS, LaneTraffic};

use chrono::{DateTime, Datelike, Utc};

/// A time as people and programs write it, of a year that has four digits in any offset.
///
/// # Errors
/// What was expected.
pub fn time(written: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(written.trim()).ok().map(|time| time.to_utc());
    time.filter(|time| (1..=9_998).contains(&time.year()))
        .ok_or_else(|| "expected a time with its offset, such as 2026-12-01T00:00:00+03:30".into())
}
