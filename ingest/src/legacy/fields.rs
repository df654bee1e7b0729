//! One field at a time, as Django REST framework reads it and in its words. All that is wrong is
//! collected; what a field is wanted for is not asked here.

use serde_json::{Map, Value, json};

use super::form::Form;
use super::refusal::Refusal;

/// Characters of a number in a string at most.
const INTEGER_CHARACTERS_MAX: usize = 1_000;
/// Beyond this a float is written with an exponent, which is no integer.
const PLAIN_FLOAT_MAX: f64 = 1e16;

pub(super) const REQUIRED: &str = "This field is required.";
const NULL: &str = "This field may not be null.";
const BLANK: &str = "This field may not be blank.";
const NOT_AN_INTEGER: &str = "A valid integer is required.";
const NOT_A_STRING: &str = "Not a valid string.";
const NOT_A_BOOLEAN: &str = "Must be a valid boolean.";
const NULL_CHARACTERS: &str = "Null characters are not allowed.";

/// What is wrong, by field.
#[derive(Debug, Default)]
pub(super) struct Errors(Map<String, Value>);

impl Errors {
    pub(super) fn add(&mut self, field: &str, message: impl Into<String>) {
        let message = Value::String(message.into());
        match self.0.get_mut(field) {
            Some(Value::Array(messages)) => messages.push(message),
            _ => {
                self.0.insert(field.to_owned(), json!([message]));
            }
        }
    }

    pub(super) fn into_messages(self) -> Map<String, Value> {
        self.0
    }

    /// # Errors
    /// 400, where there are any.
    pub(super) fn into_result(self) -> Result<(), Refusal> {
        if self.0.is_empty() { Ok(()) } else { Err(Refusal::fields(self.0)) }
    }
}

impl Form {
    /// An integer that must be there. What does not fit in 63 bits is too large.
    pub(super) fn integer(&self, field: &str, least: i64, errors: &mut Errors) -> Option<i64> {
        let read = match self.fields.get(field) {
            None => Err(REQUIRED.to_owned()),
            Some(Value::Null) => Err(NULL.to_owned()),
            Some(value) => integer(value),
        };
        let within = read.and_then(|number| match i64::try_from(number) {
            Ok(number) if number >= least => Ok(number),
            Ok(_) => Err(format!("Ensure this value is greater than or equal to {least}.")),
            Err(_) if number < 0 => Err(format!("Ensure this value is greater than or equal to {least}.")),
            Err(_) => Err(format!("Ensure this value is less than or equal to {}.", i64::MAX)),
        });
        within.map_err(|message| errors.add(field, message)).ok()
    }

    /// A string that must be there and hold something besides white space, which is taken off its ends.
    pub(super) fn string(&self, field: &str, errors: &mut Errors) -> Option<String> {
        let text = match self.fields.get(field) {
            None => Err(REQUIRED),
            Some(Value::Null) => Err(NULL),
            Some(Value::String(text)) => Ok(text.trim().to_owned()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Err(NOT_A_STRING),
        };
        let text = text.and_then(|text| if text.is_empty() { Err(BLANK) } else { Ok(text) });
        text.map_err(|message| errors.add(field, message)).ok()
    }

    /// A string of a few digits, in ASCII whatever digits were sent.
    pub(super) fn digits(&self, field: &str, errors: &mut Errors) -> Option<String> {
        let text = self.string(field, errors)?;
        if text.contains('\0') {
            errors.add(field, NULL_CHARACTERS);
        }
        let digits: Option<String> = text
            .chars()
            .map(|character| digit(character).and_then(|digit| char::from_digit(digit, 10)))
            .collect();
        let digits = digits.filter(|digits| (9..=15).contains(&digits.len()));
        if digits.is_none() {
            errors.add(field, "This value does not match the required pattern.");
        }
        digits
    }

    /// A text of at most so many characters.
    pub(super) fn text(&self, field: &str, characters_max: usize, errors: &mut Errors) -> Option<String> {
        let text = self.string(field, errors)?;
        let (too_long, null) = (text.chars().nth(characters_max).is_some(), text.contains('\0'));
        if too_long {
            errors.add(field, format!("Ensure this field has no more than {characters_max} characters."));
        }
        if null {
            errors.add(field, NULL_CHARACTERS);
        }
        (!too_long && !null).then_some(text)
    }

    /// A boolean that is false where it is not there.
    pub(super) fn flag(&self, field: &str, errors: &mut Errors) -> Option<bool> {
        let value = match self.fields.get(field) {
            None => return Some(false),
            // A form has no other way to leave it out.
            Some(Value::String(text)) if self.only_strings && text.is_empty() => return Some(false),
            Some(Value::Null) => {
                errors.add(field, NULL);
                return None;
            }
            Some(value) => value,
        };
        let read = boolean(value);
        if read.is_none() {
            errors.add(field, NOT_A_BOOLEAN);
        }
        read
    }
}

/// An integer in any of the ways in which it passed for one.
fn integer(value: &Value) -> Result<i128, String> {
    let not = || NOT_AN_INTEGER.to_owned();
    match value {
        Value::Number(number) => match (number.as_i128(), number.as_f64()) {
            (Some(integer), _) => Ok(integer),
            (None, Some(float)) if float.fract() == 0.0 && float.abs() < PLAIN_FLOAT_MAX => {
                #[allow(clippy::cast_possible_truncation)] // far below 2^127
                Ok(float as i128)
            }
            _ => Err(not()),
        },
        Value::String(text) if text.chars().nth(INTEGER_CHARACTERS_MAX).is_some() => {
            Err("String value too large.".to_owned())
        }
        Value::String(text) => written_integer(text).ok_or_else(not),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(not()),
    }
}

/// `12`, ` +12 `, `12.0`, `1_000`, `۱۲`: what Python's `int()` takes, after a fraction of zeros was
/// cut off. Beyond 127 bits it is only known to be large.
pub(super) fn written_integer(text: &str) -> Option<i128> {
    let text = text.trim_end();
    let text = text.trim_end_matches('0').strip_suffix('.').unwrap_or(text).trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut value: i128 = 0;
    let mut after_digit = false;
    for character in digits.chars() {
        match digit(character) {
            Some(digit) => value = value.saturating_mul(10).saturating_add(digit.into()),
            None if character == '_' && after_digit => {
                after_digit = false;
                continue;
            }
            None => return None,
        }
        after_digit = true;
    }
    after_digit.then_some(sign * value)
}

/// The value of a decimal digit: ASCII, Persian or Arabic.
fn digit(character: char) -> Option<u32> {
    let zero = match character {
        '0'..='9' => '0',
        '۰'..='۹' => '۰',
        '٠'..='٩' => '٠',
        _ => return None,
    };
    Some(u32::from(character) - u32::from(zero))
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Some(true),
            Some(0.0) => Some(false),
            _ => None,
        },
        Value::String(text) => match text.to_lowercase().as_str() {
            "t" | "y" | "yes" | "true" | "on" | "1" => Some(true),
            "f" | "n" | "no" | "false" | "off" | "0" => Some(false),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests;
