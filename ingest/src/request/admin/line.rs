//! `{"advertising", "note"?}`: what a sender line is.

use ledger::admin::fields::note;
use platform::http::problem::Problem;
use serde::de::MapAccess;

use crate::request::kinds::{Flag, Ruled};
use crate::request::object::{Fields, Value};
use crate::request::{Errors, Got, Path};

/// What a line is to be.
#[derive(Default)]
struct Line {
    advertising: Got<bool>,
    note: Got<String>,
}

/// Reads whether it is for advertising, and the note.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(body: &[u8]) -> Result<(bool, String), Problem> {
    let mut errors = Errors::default();
    let line = crate::request::read(body, Line::default(), &mut errors)?;
    let advertising = line.advertising.required(&Path::Field(&Path::Root, "advertising"), &mut errors);
    errors.into_result()?;
    Ok((advertising.unwrap_or_default(), line.note.optional().unwrap_or_default()))
}

impl<'de> Fields<'de> for Line {
    const NAMES: &'static [&'static str] = &["advertising", "note"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "advertising" => self.advertising = value.of(Flag)?,
            _ => self.note = value.of(Ruled(note))?,
        }
        Ok(())
    }
}
