//! Further kinds of values: yes or no, amounts, and texts that a rule checks.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use platform::http::problem::FieldCode;

use super::value::Kind;
use super::{Errors, Got, Path};

/// `true` or `false`.
#[derive(Clone, Copy)]
pub(super) struct Flag;

impl<'de> Kind<'de> for Flag {
    type Value = bool;
    const EXPECTED: &'static str = "true or false";

    fn boolean(self, value: bool, _: &Path<'_>, _: &mut Errors) -> Got<bool> {
        Got::Value(value)
    }
}

/// An integer within a range of 63 bits.
pub(super) struct Amount(pub(super) RangeInclusive<i64>);

impl<'de> Kind<'de> for Amount {
    type Value = i64;
    const EXPECTED: &'static str = "an integer";

    fn integer(self, number: i128, at: &Path<'_>, errors: &mut Errors) -> Got<i64> {
        match i64::try_from(number) {
            Ok(number) if self.0.contains(&number) => Got::Value(number),
            _ => {
                let (least, most) = self.0.into_inner();
                errors.add(at, FieldCode::OutOfRange, format_args!("expected {least} to {most}"));
                Got::Wrong
            }
        }
    }
}

/// A string that a rule makes something of, or says what it expected.
pub(super) struct Ruled<T>(pub(super) fn(&str) -> Result<T, String>);

impl<'de, T> Kind<'de> for Ruled<T> {
    type Value = T;
    const EXPECTED: &'static str = "a string";

    fn string(self, text: Cow<'de, str>, at: &Path<'_>, errors: &mut Errors) -> Got<T> {
        match (self.0)(&text) {
            Ok(value) => Got::Value(value),
            Err(expected) => {
                errors.add(at, FieldCode::OutOfRange, expected);
                Got::Wrong
            }
        }
    }
}
