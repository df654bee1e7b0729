//! What a single field must be.

use std::borrow::Cow;

use domain::phone::{Msisdn, PhoneError, Served, ServedError};
use domain::text::{Encoding, measure};
use platform::http::problem::FieldCode;

use crate::config::Limits;

/// What is wrong with a value.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) code: FieldCode,
    /// For the customer. Never the value itself.
    pub(crate) detail: Cow<'static, str>,
}

/// What a valid text costs to send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) encoding: Encoding,
    pub(crate) segments: u8,
    pub(crate) characters: u32,
}

/// The rules of this installation.
pub(crate) struct Rules {
    served: Served,
    pub(crate) limits: Limits,
}

impl Rules {
    /// From settings: of now, or of an earlier day.
    pub(crate) fn new(countries: &[String], limits: Limits) -> Result<Self, ServedError> {
        Ok(Rules { served: Served::new(countries)?, limits })
    }

    /// A recipient.
    pub(crate) fn recipient(&self, written: &str) -> Result<Msisdn, Fault> {
        Msisdn::parse(written, &self.served).map_err(|error| {
            let code = match error {
                PhoneError::Invalid => FieldCode::InvalidRecipient,
                PhoneError::UnsupportedCountry => FieldCode::UnsupportedCountry,
            };
            Fault { code, detail: error.to_string().into() }
        })
    }

    /// The text of a message. White space alone is no text, and of the control characters only
    /// those are taken that stand in texts (line feed, carriage return, tab, form feed): NUL
    /// cannot be stored, and the others are nothing that a handset would show.
    pub(crate) fn text(&self, text: &str) -> Result<Measured, Fault> {
        if text.trim().is_empty() {
            return Err(fault(FieldCode::TextEmpty, "the text is empty"));
        }
        if let Some(control) = forbidden_control(text) {
            let detail = format!("the text has the control character U+{:04X}", u32::from(control));
            return Err(fault(FieldCode::OutOfRange, detail));
        }
        let measure = measure(text);
        let most = self.limits.text_segments;
        match u8::try_from(measure.segments) {
            Ok(segments) if measure.segments <= most => {
                Ok(Measured { encoding: measure.encoding, segments, characters: measure.characters })
            }
            _ => {
                let (segments, encoding) = (measure.segments, measure.encoding);
                let detail = format!("expected at most {most} segments, is {segments} in {encoding}");
                Err(fault(FieldCode::TextTooLong, detail))
            }
        }
    }

    /// A reference of the customer's own. The empty one is the same as none.
    pub(crate) fn reference(&self, reference: &str) -> Result<(), Fault> {
        let most = self.limits.reference_characters;
        if reference.chars().nth(most).is_some() {
            return Err(fault(FieldCode::OutOfRange, format!("expected at most {most} characters")));
        }
        if reference.chars().any(char::is_control) {
            return Err(fault(FieldCode::OutOfRange, "expected no control characters"));
        }
        Ok(())
    }

    /// The sender line: the one asked for, where the account has it, else its default.
    pub(crate) fn line(&self, asked: Option<&str>, lines: &[String]) -> Result<String, Fault> {
        let line = asked.map_or(lines.first(), |asked| lines.iter().find(|line| *line == asked));
        line.cloned().ok_or_else(|| {
            fault(FieldCode::FromNotAllowed, "expected one of the sender lines of the account")
        })
    }
}

fn fault(code: FieldCode, detail: impl Into<Cow<'static, str>>) -> Fault {
    Fault { code, detail: detail.into() }
}

/// The first control character that a text may not have. Nearly all texts have no byte that
/// could begin one, and are not decoded.
fn forbidden_control(text: &str) -> Option<char> {
    const C1_LEAD: u8 = 0xC2;
    let suspect = |byte: u8| byte < 0x20 || byte == 0x7F || byte == C1_LEAD;
    if !text.bytes().any(suspect) {
        return None;
    }
    text.chars().find(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{C}'))
}
