//! The body of a push of receipts: a list of `{"uid", "status", "date"?}`, or with the operator's
//! own id, `mid`, instead of ours.

use std::borrow::Cow;

use platform::http::problem::{FieldCode, Problem};
use serde::de::MapAccess;
use wire::receipts::{OPERATOR_ID_MAX, operator_id};

use super::object::{Fields, Object, Value};
use super::value::{Kind, List, Text};
use super::{Errors, Got, Path};
use crate::receipts::{Of, Pushed, RECEIPTS_MAX};

/// Characters of a date at most. (It is not used: what counts is when we heard of it.)
const DATE_CHARACTERS_MAX: usize = 64;

/// One element, as it was read.
#[derive(Debug, Default)]
struct Entry<'a> {
    uid: Got<Of>,
    mid: Got<Of>,
    status: Got<i16>,
    date: Got<Cow<'a, str>>,
}

/// Reads the body; `mids`: whether messages may be named by the operator's own ids.
///
/// # Errors
/// Everything that is wrong with it: nothing is taken then.
pub(crate) fn read(body: &[u8], mids: bool) -> Result<Vec<Pushed>, Problem> {
    let mut errors = Errors::default();
    let place = Path::Field(&Path::Root, "body");
    let list = List { max: RECEIPTS_MAX, of: || Object(Entry::default()) };
    let got = super::read_value(body, list, place, &mut errors)?;
    if matches!(got, Got::Null) {
        errors.wrong_type(&place, "a list");
    }
    let entries = got.optional().unwrap_or_default();
    if entries.is_empty() && errors.is_empty() {
        errors.add(&place, FieldCode::OutOfRange, "expected at least one element");
    }
    let mut pushed = Vec::with_capacity(entries.len());
    for (index, entry) in entries.into_iter().enumerate() {
        if let Some(entry) = entry.optional() {
            pushed.extend(checked(entry, mids, &Path::Index(&place, index), &mut errors));
        }
    }
    errors.into_result()?;
    Ok(pushed)
}

fn checked(entry: Entry<'_>, mids: bool, place: &Path<'_>, errors: &mut Errors) -> Option<Pushed> {
    let (uid, mid) = (Path::Field(place, "uid"), Path::Field(place, "mid"));
    if entry.mid.is_given() && !mids {
        errors.add(&mid, FieldCode::UnknownField, "this connector's receipts name messages by `uid`");
    } else if entry.mid.is_given() && entry.uid.is_given() {
        errors.add(&mid, FieldCode::UnknownField, "give either `uid` or `mid`");
    }
    let of =
        if mids && entry.mid.is_given() { entry.mid.optional() } else { entry.uid.required(&uid, errors) };
    let code = entry.status.required(&Path::Field(place, "status"), errors);
    let date = entry.date.optional().unwrap_or_default();
    if date.chars().nth(DATE_CHARACTERS_MAX).is_some() {
        let detail = format_args!("expected at most {DATE_CHARACTERS_MAX} characters");
        errors.add(&Path::Field(place, "date"), FieldCode::OutOfRange, detail);
    }
    Some(Pushed { of: of?, code: code? })
}

impl<'de> Fields<'de> for Entry<'de> {
    const NAMES: &'static [&'static str] = &["uid", "mid", "status", "date"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "uid" => self.uid = value.of(Uid)?,
            "mid" => self.mid = value.of(Mid)?,
            "status" => self.status = value.of(Code)?,
            _ => self.date = value.of(Text)?,
        }
        Ok(())
    }
}

/// A message's id: a number, or its digits in a string. Which number it is, is no fault of the
/// call: other senders may share the operator's account with us, and what is said of their
/// messages must not keep out what is said of ours.
struct Uid;

impl<'de> Kind<'de> for Uid {
    type Value = Of;
    const EXPECTED: &'static str = "an integer or a string of digits";

    fn string(self, text: Cow<'de, str>, at: &Path<'_>, errors: &mut Errors) -> Got<Of> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            errors.wrong_type(at, Self::EXPECTED);
            return Got::Wrong;
        }
        self.integer(text.parse().unwrap_or(i128::MAX), at, errors)
    }

    fn integer(self, number: i128, _: &Path<'_>, _: &mut Errors) -> Got<Of> {
        Got::Value(Of::id(number))
    }
}

/// An operator's own id: a text, or a number.
struct Mid;

impl<'de> Kind<'de> for Mid {
    type Value = Of;
    const EXPECTED: &'static str = "a string or an integer";

    fn string(self, text: Cow<'de, str>, at: &Path<'_>, errors: &mut Errors) -> Got<Of> {
        if let Some(id) = operator_id(&text) {
            return Got::Value(Of::OperatorId(id));
        }
        let detail = format_args!("expected 1 to {OPERATOR_ID_MAX} visible ASCII characters");
        errors.add(at, FieldCode::OutOfRange, detail);
        Got::Wrong
    }

    fn integer(self, number: i128, at: &Path<'_>, errors: &mut Errors) -> Got<Of> {
        self.string(number.to_string().into(), at, errors)
    }
}

/// A code of the operator's.
struct Code;

impl<'de> Kind<'de> for Code {
    type Value = i16;
    const EXPECTED: &'static str = "an integer";

    fn integer(self, number: i128, at: &Path<'_>, errors: &mut Errors) -> Got<i16> {
        if let Ok(code) = i16::try_from(number) {
            return Got::Value(code);
        }
        errors.add(at, FieldCode::OutOfRange, format_args!("expected {} to {}", i16::MIN, i16::MAX));
        Got::Wrong
    }
}
