//! Rules that a type cannot say, checked all at once.

use std::fmt::{self, Display};
use std::ops::RangeInclusive;

use super::ConfigError;

/// One setting that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The full name, for example `ingest.http.connections`.
    pub key: String,
    /// What was expected, for example "from 1 to 65535, is 0".
    pub expected: String,
}

impl Violation {
    /// A violation of a rule by `key`.
    pub fn new(key: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { key: key.into(), expected: expected.into() }
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}", self.key, self.expected)
    }
}

/// Checks that a number is inside a range, both ends included.
///
/// # Errors
/// The violation, with the range and the value.
pub fn check_range<T: PartialOrd + Display>(
    key: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), Violation> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Violation::new(key, format!("from {} to {}, is {value}", range.start(), range.end())))
}

/// All violations found so far.
#[derive(Debug, Default)]
#[must_use]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps the violation, if the check found one.
    pub fn check(&mut self, checked: Result<(), Violation>) {
        self.0.extend(checked.err());
    }

    /// [`check_range`], kept.
    pub fn range<T: PartialOrd + Display>(&mut self, key: &str, value: T, range: RangeInclusive<T>) {
        self.check(check_range(key, value, range));
    }

    /// A rule over more than one setting: where `holds` is false, `key` is a violation.
    pub fn require(&mut self, holds: bool, key: &str, expected: &str) {
        if !holds {
            self.0.push(Violation::new(key, expected));
        }
    }

    /// # Errors
    /// [`ConfigError::Refused`] with every violation, if there is any.
    pub fn into_result(self) -> Result<(), ConfigError> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(ConfigError::refused(self.0.iter().map(Violation::to_string).collect()))
    }
}
