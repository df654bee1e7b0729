//! Query parameters of lists.

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use chrono::DateTime;
use domain::time::UnixMillis;
use platform::http::problem::{FieldCode, Problem};

use super::query::shown;
use crate::request::{Errors, Path};

/// How many things a list shows where the client does not say.
const LIMIT_DEFAULT: usize = 50;
/// How many it shows at most.
const LIMIT_MAX: usize = 500;
/// The time that is listed where the client does not say, and the longest.
const DAYS_DEFAULT: i64 = 7;
const DAYS_MAX: i64 = 31;
const DAY_MS: i64 = 86_400_000;

/// The parameters of a request as they stand there.
pub(super) struct RawQuery(String);

impl<S: Sync> FromRequestParts<S> for RawQuery {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(RawQuery(parts.uri.query().unwrap_or_default().to_owned()))
    }
}

/// The parameters of a list; what is wrong with them is collected.
pub(super) struct Parameters {
    values: BTreeMap<&'static str, String>,
    errors: Errors,
}

impl Parameters {
    /// Reads those of these names, of which each may stand there once; no others may.
    pub(super) fn read(query: &RawQuery, names: &[&'static str]) -> Self {
        let mut parameters = Parameters { values: BTreeMap::new(), errors: Errors::default() };
        for (name, value) in form_urlencoded::parse(query.0.as_bytes()) {
            let Some(known) = names.iter().find(|known| **known == name) else {
                let detail = format!("known are {}", names.join(", "));
                parameters.fault(&shown(&name), FieldCode::UnknownField, &detail);
                continue;
            };
            if parameters.values.insert(known, value.into_owned()).is_some() {
                parameters.fault(known, FieldCode::WrongType, "it stands there twice");
            }
        }
        parameters
    }

    /// The value of one, as it is.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.values.get(name).cloned()
    }

    /// The value of one, as `parse` understands it, or the error.
    pub(super) fn of<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, (FieldCode, String)>,
    ) -> Option<T> {
        let value = self.text(name)?;
        match parse(&value) {
            Ok(value) => Some(value),
            Err((code, detail)) => {
                self.fault(name, code, &detail);
                None
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        self.of(name, |value| {
            let found = words.iter().find(|(word, _)| *word == value).map(|(_, meaning)| *meaning);
            let all: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            found.ok_or_else(|| (FieldCode::OutOfRange, format!("expected one of {}", all.join(", "))))
        })
    }

    /// `limit`.
    pub(super) fn limit(&mut self) -> usize {
        let limit = self.of("limit", |value| {
            let number: i64 =
                value.parse().map_err(|_| (FieldCode::WrongType, "expected an integer".to_owned()))?;
            let number = usize::try_from(number).ok().filter(|number| (1..=LIMIT_MAX).contains(number));
            number.ok_or((FieldCode::OutOfRange, format!("expected 1 to {LIMIT_MAX}")))
        });
        limit.unwrap_or(LIMIT_DEFAULT)
    }

    /// `from_time` and `to_time`: from the one to before the other. `begun` is where the list
    /// began that a cursor goes on with: a list without times does not move on while it is read,
    /// and one of the longest time does not become too long.
    pub(super) fn times(&mut self, now: UnixMillis, begun: Option<UnixMillis>) -> (UnixMillis, UnixMillis) {
        let (from, to) = (self.of("from_time", time), self.of("to_time", time));
        let end = to.unwrap_or(now);
        let begin = from.or(begun).unwrap_or(end.plus(-DAYS_DEFAULT * DAY_MS));
        if from.is_some() && begin >= end {
            self.fault("from_time", FieldCode::OutOfRange, "expected a time before to_time, or before now");
        } else if from.is_some() && from != begun && end.0.saturating_sub(begin.0) > DAYS_MAX * DAY_MS {
            let detail = format!("expected at most {DAYS_MAX} days before to_time, or before now");
            self.fault("from_time", FieldCode::OutOfRange, &detail);
        }
        // Clocks differ: what comes while the list is read is part of it.
        (begin, to.unwrap_or(UnixMillis(i64::MAX)))
    }

    /// Notes that something is wrong with one.
    pub(super) fn fault(&mut self, name: &str, code: FieldCode, detail: &str) {
        self.errors.add(&Path::Field(&Path::Root, name), code, detail);
    }

    /// # Errors
    /// 400 with everything that is wrong.
    pub(super) fn finish(self) -> Result<(), Problem> {
        self.errors.into_result()
    }
}

/// RFC 3339. A plus sign that was not written as `%2B` has become a space.
fn time(value: &str) -> Result<UnixMillis, (FieldCode, String)> {
    let time = DateTime::parse_from_rfc3339(value)
        .or_else(|_| DateTime::parse_from_rfc3339(&value.replace(' ', "+")))
        .map_err(|_| (FieldCode::WrongType, "expected a time such as 2026-11-21T12:00:00Z".to_owned()))?;
    Ok(UnixMillis(time.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_has_a_zone() {
        for written in ["2026-11-21T12:00:00Z", "2026-11-21T15:30:00+03:30", "2026-11-21T15:30:00 03:30"] {
            assert_eq!(time(written).unwrap(), UnixMillis(1_795_262_400_000), "{written}");
        }
        for wrong in ["", "2026-11-21", "2026-11-21T12:00:00", "1795262400", "2026-13-21T12:00:00Z"] {
            assert_eq!(time(wrong).unwrap_err().0, FieldCode::WrongType, "{wrong}");
        }
    }
}
