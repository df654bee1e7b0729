//! Everything that is wrong with a request.

use std::fmt::Display;

use platform::http::problem::{FieldCode, FieldError, Problem};

use super::Path;

/// Errors named in an answer at most; one more line then says how many there are.
const LISTED_MAX: usize = 100;

/// The field errors found so far.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    listed: Vec<FieldError>,
    more: usize,
}

impl Errors {
    /// Notes an error. Path and detail are written out only if it will be listed.
    pub(crate) fn add(&mut self, at: &Path<'_>, code: FieldCode, detail: impl Display) {
        if self.listed.len() == LISTED_MAX {
            self.more += 1;
            return;
        }
        self.listed.push(FieldError::new(at.to_string(), code, detail.to_string()));
    }

    /// Notes a value of another type than expected.
    pub(crate) fn wrong_type(&mut self, at: &Path<'_>, expected: &str) {
        self.add(at, FieldCode::WrongType, format_args!("expected {expected}"));
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }

    /// The answer.
    pub(crate) fn into_problem(mut self) -> Problem {
        if self.more > 0 {
            let detail = format!("{} further errors are not listed", self.more);
            self.listed.push(FieldError::new("errors", FieldCode::TooMany, detail));
        }
        Problem::invalid(self.listed)
    }

    /// The answer, if anything is wrong.
    pub(crate) fn into_result(self) -> Result<(), Problem> {
        if self.is_empty() { Ok(()) } else { Err(self.into_problem()) }
    }
}
