//! How values are written in answers.

use chrono::{DateTime, SecondsFormat};
use domain::time::UnixMillis;

/// RFC 3339 in UTC, with milliseconds.
pub(super) fn time(at: UnixMillis) -> String {
    let at = DateTime::from_timestamp_millis(at.0).unwrap_or_default();
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
