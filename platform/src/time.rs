//! How times are written for customers.

use chrono::{DateTime, SecondsFormat};
use domain::time::UnixMillis;

/// RFC 3339 in UTC, with milliseconds.
pub fn rfc3339(at: UnixMillis) -> String {
    let at = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
