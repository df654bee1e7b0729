//! How values are written, in answers and in paths.

pub(super) use platform::time::rfc3339 as time;

/// The number that an id is, as we write it: digits alone, without zeros in front.
pub(super) fn number(id: &str) -> Option<i64> {
    id.parse().ok().filter(|number: &i64| number.to_string() == id)
}
