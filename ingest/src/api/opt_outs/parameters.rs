//! The query parameters of the list of opt-outs, and its cursor.

use std::borrow::Cow;

use axum::http::Uri;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::phone::Msisdn;
use platform::http::problem::{FieldCode, Problem};
use utoipa::IntoParams;

use super::recipient_of;
use crate::opt_outs::{After, OptOut};
use crate::request::{Errors, Path};
use crate::rules::Rules;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 500;
/// Characters of a parameter's name that are repeated in an answer.
const NAME_SHOWN_MAX: usize = 64;

/// What is listed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what is read")]
pub(in crate::api) struct Listing {
    /// Only of this number.
    #[param(example = "+989123456789")]
    number: Option<String>,
    /// Entries of a page.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Which entry is removed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub(in crate::api) struct One {
    /// The number. (Its plus is written `%2B`.)
    #[param(required = true, example = "+989123456789")]
    pub(super) number: Option<String>,
    /// The sender line; without it the entry of all lines.
    #[param(example = "100002")]
    pub(super) line: Option<String>,
}

/// A page that is asked for.
pub(super) struct Asked {
    pub(super) number: Option<Msisdn>,
    pub(super) after: Option<After>,
    pub(super) limit: u32,
}

/// Reads the parameters of the list.
pub(super) fn listing(uri: &Uri, rules: &Rules) -> Result<Asked, Problem> {
    let mut errors = Errors::default();
    let [number, limit, page] = read(uri, ["number", "limit", "cursor"], &mut errors);
    let number = number.and_then(|number| recipient_of(rules, &number, &mut errors));
    let limit = limit.map_or(LIMIT_DEFAULT, |limit| match limit.parse() {
        Ok(limit @ 1..=LIMIT_MAX) => limit,
        _ => {
            wrong("limit", "expected 1 to 500", &mut errors);
            LIMIT_DEFAULT
        }
    });
    let after = page.and_then(|page| {
        let after = place(&page);
        if after.is_none() {
            wrong("cursor", "expected the next_cursor of a page", &mut errors);
        }
        after
    });
    errors.into_result().map(|()| Asked { number, after, limit })
}

/// Reads the parameters that name one entry.
pub(super) fn one(uri: &Uri, errors: &mut Errors) -> One {
    let [number, line] = read(uri, ["number", "line"], errors);
    if number.is_none() {
        errors.add(&Path::Field(&Path::Root, "number"), FieldCode::Required, "this parameter is required");
    }
    One { number, line }
}

/// The parameters of these names. Others, and those that stand there twice, are noted.
pub(super) fn read<const N: usize>(uri: &Uri, names: [&str; N], errors: &mut Errors) -> [Option<String>; N] {
    let mut found = [const { None }; N];
    for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let Some(place) = names.iter().position(|known| *known == name) else {
            let shown: String = name.chars().take(NAME_SHOWN_MAX).collect();
            let known = names.join(", ");
            let at = Path::Field(&Path::Root, &shown);
            errors.add(&at, FieldCode::UnknownField, format_args!("known are {known}"));
            continue;
        };
        match (decoded(value), &found[place]) {
            (_, Some(_)) => wrong(name, "this parameter stands here twice", errors),
            (None, None) => wrong(name, "expected UTF-8, percent-encoded", errors),
            (Some(value), None) => found[place] = Some(value),
        }
    }
    found
}

fn wrong(name: &str, detail: &str, errors: &mut Errors) {
    errors.add(&Path::Field(&Path::Root, name), FieldCode::OutOfRange, detail);
}

/// A value as a form has it: a plus is a space. (No number needs its plus.)
fn decoded(value: &str) -> Option<String> {
    let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

/// Where the page behind this entry begins.
pub(super) fn cursor(last: &OptOut) -> String {
    let place = format!("{} {} {}", last.created_at.timestamp_micros(), last.number, last.line);
    URL_SAFE_NO_PAD.encode(place)
}

fn place(cursor: &str) -> Option<After> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let mut parts = text.splitn(3, ' ').map(Cow::Borrowed);
    let (at_us, number, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    Some(After { at_us, number, line: line.into_owned() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use chrono::DateTime;

    #[test]
    fn parameters_are_decoded_once() {
        let uri: Uri = "/v1/opt-outs?number=%2B98912&line=100+002%D8%B3".parse().unwrap();
        let mut errors = Errors::default();
        let One { number, line } = one(&uri, &mut errors);
        assert_eq!((number.as_deref(), line.as_deref()), (Some("+98912"), Some("100 002س")));
        assert!(errors.is_empty());
    }

    #[test]
    fn what_is_unknown_repeated_or_broken_is_named() {
        let uri: Uri = "/v1/opt-outs?numbr=1&line=%zz&number=1&number=2".parse().unwrap();
        let mut errors = Errors::default();
        one(&uri, &mut errors);
        let problem = errors.into_problem();
        let fields: Vec<&str> = problem.errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["numbr", "line", "number"]);
    }

    #[test]
    fn a_cursor_leads_to_its_place() {
        let created_at = DateTime::from_timestamp_micros(1_795_219_200_123_456).unwrap();
        let last = OptOut { number: 989_123_456_789, line: "100 2".into(), created_at };
        let after = After { at_us: 1_795_219_200_123_456, number: last.number, line: last.line.clone() };
        assert_eq!(place(&cursor(&last)), Some(after));
        assert!(["", "x", "MTIz", "%"].iter().all(|bad| place(bad).is_none()));
    }
}
