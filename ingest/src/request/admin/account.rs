//! `{"name", "lines", "rate_limit_per_minute"?, "express_rate_limit_per_minute"?, "suspended"?}`:
//! an account to be made, or what is to be changed of one.

use ledger::admin::account::{Alteration, Terms};
use ledger::admin::fields::{LINES_MAX, RATE_LIMIT, line, repeated, text};
use platform::http::problem::{FieldCode, Problem};
use serde::de::MapAccess;

use crate::request::kinds::{Flag, Ruled};
use crate::request::object::{Fields, Value};
use crate::request::value::{Integer, List};
use crate::request::{Errors, Got, Path};

#[derive(Default)]
struct Account {
    name: Got<String>,
    lines: Got<Vec<Got<String>>>,
    rate_limit: Got<u32>,
    express_rate_limit: Got<u32>,
    suspended: Got<bool>,
}

/// Reads an account to be made.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn create(body: &[u8]) -> Result<Terms, Problem> {
    let mut errors = Errors::default();
    let account = crate::request::read(body, Account::default(), &mut errors)?;
    let name = account.name.required(&place("name"), &mut errors);
    let lines = account.lines.required(&place("lines"), &mut errors);
    let lines = lines.map(|lines| checked(lines, &mut errors));
    errors.into_result()?;
    let mut terms = Terms::new(name.unwrap_or_default(), lines.unwrap_or_default());
    terms.rate_limit = limit(account.rate_limit.optional());
    terms.express_rate_limit = limit(account.express_rate_limit.optional());
    terms.suspended = account.suspended.optional().unwrap_or_default();
    Ok(terms)
}

/// Reads what is to be changed. A limit of `null` is that of the settings again.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn alter(body: &[u8]) -> Result<Alteration, Problem> {
    let mut errors = Errors::default();
    let account = crate::request::read(body, Account::default(), &mut errors)?;
    let altered = |got: Got<u32>| match got {
        Got::Null => Some(None),
        got => got.optional().map(|limit_| limit(Some(limit_))),
    };
    let alteration = Alteration {
        name: account.name.optional(),
        lines: account.lines.optional().map(|lines| checked(lines, &mut errors)),
        rate_limit: altered(account.rate_limit),
        express_rate_limit: altered(account.express_rate_limit),
        suspended: account.suspended.optional(),
    };
    errors.into_result()?;
    Ok(alteration)
}

/// Wrong lines are noted already, each in its place.
fn checked(lines: Vec<Got<String>>, errors: &mut Errors) -> Vec<String> {
    let at = place("lines");
    if lines.is_empty() {
        errors.add(&at, FieldCode::OutOfRange, "expected at least one line");
    }
    let all = lines.len();
    let lines: Vec<String> = lines.into_iter().filter_map(Got::optional).collect();
    if lines.len() == all
        && let Some(index) = repeated(&lines)
    {
        errors.add(&Path::Index(&at, index), FieldCode::OutOfRange, "expected each line once");
    }
    lines
}

/// The range of a limit is far below what the column holds.
fn limit(limit: Option<u32>) -> Option<i32> {
    limit.and_then(|limit| i32::try_from(limit).ok())
}

fn place(name: &str) -> Path<'_> {
    Path::Field(&Path::Root, name)
}

impl<'de> Fields<'de> for Account {
    const NAMES: &'static [&'static str] =
        &["name", "lines", "rate_limit_per_minute", "express_rate_limit_per_minute", "suspended"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "name" => self.name = value.of(Ruled(text))?,
            "lines" => self.lines = value.of(List { max: LINES_MAX, of: || Ruled(line) })?,
            "rate_limit_per_minute" => self.rate_limit = value.of(Integer(RATE_LIMIT))?,
            "express_rate_limit_per_minute" => self.express_rate_limit = value.of(Integer(RATE_LIMIT))?,
            _ => self.suspended = value.of(Flag)?,
        }
        Ok(())
    }
}
