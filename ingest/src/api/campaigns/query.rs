//! Query parameters: known ones, each once.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use platform::http::problem::{FieldCode, Problem};

use crate::request::{Errors, Path};

/// Characters of a parameter's name that are repeated in an answer.
const NAME_SHOWN_MAX: usize = 64;
/// Elements of a page.
const LIMIT_MAX: u32 = 500;
const LIMIT_DEFAULT: u32 = 50;

/// The parameters of a request, as they stand there.
pub(in crate::api) struct Query(Vec<(String, String)>);

impl<S: Sync> FromRequestParts<S> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.to_owned(), value.to_owned())
        };
        Ok(Query(query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect()))
    }
}

impl Query {
    /// The values of these parameters; others are noted, and those that stand there twice.
    fn only<const N: usize>(&self, names: [&str; N], errors: &mut Errors) -> [Option<&str>; N] {
        let mut values = [None; N];
        for (name, value) in &self.0 {
            let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
            let at = Path::Field(&Path::Root, &shown);
            match names.iter().position(|known| known == name) {
                None => {
                    errors.add(&at, FieldCode::UnknownField, format_args!("known are {}", names.join(", ")))
                }
                Some(place) if values[place].is_some() => {
                    errors.add(&at, FieldCode::TooMany, "expected once")
                }
                Some(place) => values[place] = Some(value.as_str()),
            }
        }
        values
    }
}

/// `limit` and `cursor`: how many, and behind which.
pub(super) fn page(query: Query) -> Result<(u32, Option<i64>), Problem> {
    let mut errors = Errors::default();
    let [limit, cursor] = query.only(["limit", "cursor"], &mut errors);
    let at = |name| Path::Field(&Path::Root, name);
    let count = limit.map_or(Some(LIMIT_DEFAULT), |limit| limit.parse().ok());
    let count = count.filter(|count| (1..=LIMIT_MAX).contains(count));
    if count.is_none() {
        errors.add(&at("limit"), FieldCode::OutOfRange, format_args!("expected 1 to {LIMIT_MAX}"));
    }
    let behind = cursor.map(|cursor| cursor.parse().ok().filter(|id: &i64| *id > 0));
    if behind == Some(None) {
        errors.add(&at("cursor"), FieldCode::OutOfRange, "expected the next_cursor of a page");
    }
    errors.into_result()?;
    Ok((count.unwrap_or(LIMIT_DEFAULT), behind.flatten()))
}

/// `dry_run`.
pub(super) fn dry_run(query: Query) -> Result<bool, Problem> {
    let mut errors = Errors::default();
    let [dry_run] = query.only(["dry_run"], &mut errors);
    if !matches!(dry_run, None | Some("true" | "false")) {
        let at = Path::Field(&Path::Root, "dry_run");
        errors.add(&at, FieldCode::OutOfRange, "expected true or false");
    }
    let dry_run = dry_run == Some("true");
    errors.into_result()?;
    Ok(dry_run)
}
