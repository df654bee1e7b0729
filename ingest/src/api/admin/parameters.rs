//! Query parameters of lists.

use axum::extract::Query;
use axum::http::Uri;
use platform::http::problem::{FieldCode, Problem};

use crate::request::{Errors, Path};

/// Rows of a page, where none are asked for, and at most.
const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;
/// Characters of a parameter's name that are repeated in an answer.
const NAME_SHOWN_MAX: usize = 64;

/// The parameters of a call, and what is wrong with them.
pub(super) struct Parameters {
    given: Vec<(String, String)>,
    errors: Errors,
}

impl Parameters {
    /// Reads them; those that are not known, and those that stand twice, are noted.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Self {
        let given = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(given)| given);
        let mut parameters = Parameters { given: Vec::new(), errors: Errors::default() };
        for (name, value) in given.unwrap_or_default() {
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
                let detail = format!("known are {}", known.join(", "));
                parameters.note(&shown, FieldCode::UnknownField, &detail);
            } else if parameters.given.iter().any(|(other, _)| *other == name) {
                parameters.note(&name, FieldCode::OutOfRange, "expected once");
            } else {
                parameters.given.push((name, value));
            }
        }
        parameters
    }

    /// What a rule makes of a parameter, where it is given.
    pub(super) fn value<T>(&mut self, name: &str, rule: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.given.iter().find(|(given, _)| given == name).map(|(_, value)| rule(value))?;
        value.map_err(|expected| self.note(name, FieldCode::OutOfRange, &expected)).ok()
    }

    /// How many rows are asked for.
    pub(super) fn limit(&mut self) -> u32 {
        let limit = self.value("limit", |text| {
            let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| format!("expected 1 to {LIMIT_MAX}"))
        });
        limit.unwrap_or(LIMIT_DEFAULT)
    }

    /// What the page is behind: the cursor that an earlier page gave.
    pub(super) fn cursor<T: std::str::FromStr>(&mut self) -> Option<T> {
        self.value("cursor", |text| text.parse().map_err(|_| CURSOR.to_owned()))
    }

    /// # Errors
    /// 400 with everything that was noted.
    pub(super) fn finish(self) -> Result<(), Problem> {
        self.errors.into_result()
    }

    fn note(&mut self, name: &str, code: FieldCode, detail: &str) {
        self.errors.add(&Path::Field(&Path::Root, name), code, detail);
    }
}

/// What a cursor is expected to be.
const CURSOR: &str = "expected the next_cursor of an earlier page";
