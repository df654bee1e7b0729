//! The body that names a recipient who opts out.

use std::borrow::Cow;

use platform::http::problem::Problem;
use serde::de::MapAccess;

use super::object::{Fields, Value};
use super::value::Text;
use super::{Errors, Got};

/// `{"number", "line"?}` as it was read.
#[derive(Default)]
pub(crate) struct OptOut<'a> {
    pub(crate) number: Got<Cow<'a, str>>,
    pub(crate) line: Got<Cow<'a, str>>,
}

/// Reads the body.
pub(crate) fn read<'a>(body: &'a [u8], errors: &mut Errors) -> Result<OptOut<'a>, Problem> {
    super::read(body, OptOut::default(), errors)
}

impl<'de> Fields<'de> for OptOut<'de> {
    const NAMES: &'static [&'static str] = &["number", "line"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "number" => self.number = value.of(Text)?,
            _ => self.line = value.of(Text)?,
        }
        Ok(())
    }
}
