//! NDJSON: an object a line. Strings and numbers fill places; other fields are of no interest.

use std::fmt;

use domain::template::Template;
use platform::http::problem::FieldCode;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{FileFault, RECIPIENT, ROW_BYTES_MAX, RowCode, RowFault, Split, Values, utf8};

const LONG: FileFault = FileFault::Row("it is longer than 64 KiB");

#[derive(Default)]
pub(super) struct Ndjson {
    line: Vec<u8>,
    /// The line is complete: the next byte begins another.
    complete: bool,
    /// The values asked for, of the line: the recipient's fields, then the template's names.
    values: Vec<Value>,
}

/// What stands in a field.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Value {
    /// Nothing, or `null`.
    #[default]
    Missing,
    Text(String),
    /// Neither a string nor a number.
    Other,
}

impl Ndjson {
    /// The next row of `input`, which begins behind it then; nothing where all is read.
    pub(super) fn next(
        &mut self,
        input: &mut &[u8],
        template: &Template,
    ) -> Result<Option<Split<'_>>, FileFault> {
        loop {
            if self.complete {
                self.complete = false;
                self.line.clear();
            }
            let end = input.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(input.len());
            if self.line.len() + taken > ROW_BYTES_MAX {
                return Err(LONG);
            }
            self.line.extend_from_slice(&input[..taken]);
            *input = input.get(taken + 1..).unwrap_or_default();
            if end.is_none() {
                return Ok(None);
            }
            self.complete = true;
            if !self.line.trim_ascii().is_empty() {
                return self.split(template).map(Some);
            }
        }
    }

    /// The row that the file ends with, where it has no line end.
    pub(super) fn end(&mut self, template: &Template) -> Result<Option<Split<'_>>, FileFault> {
        self.next(&mut &b"\n"[..], template)
    }

    fn split(&mut self, template: &Template) -> Result<Split<'_>, FileFault> {
        let line = utf8(self.line.trim_ascii())?;
        self.values.clear();
        self.values.resize(RECIPIENT.len() + template.names().len(), Value::Missing);
        let mut json = serde_json::Deserializer::from_str(line);
        let fields = Fields { template, values: &mut self.values };
        if let Err(error) = fields.deserialize(&mut json).and_then(|()| json.end()) {
            let detail = format!("column {}: not the JSON of an object", error.column().max(1));
            return Ok(Split::Fault(RowFault::malformed(detail), line.as_bytes()));
        }
        let fault = |(code, detail)| RowFault { code: RowCode::Field(code), detail };
        Ok(match values(&self.values, template) {
            Ok(values) => Split::Values(values),
            Err(why) => Split::Fault(fault(why), line.as_bytes()),
        })
    }
}

fn values<'v>(values: &'v [Value], template: &Template) -> Result<Values<'v>, (FieldCode, String)> {
    let (recipients, places) = values.split_at(RECIPIENT.len());
    let to = recipients.iter().zip(RECIPIENT).find(|(value, _)| **value != Value::Missing);
    let missing = || (FieldCode::Required, "no field `to`, `receiver` or `mobile`".to_owned());
    let (to, name) = to.ok_or_else(missing)?;
    let places = places.iter().zip(template.names()).map(|(value, name)| text(value, name));
    Ok(Values { to: text(to, name)?, places: places.collect::<Result<_, _>>()? })
}

fn text<'v>(value: &'v Value, name: &str) -> Result<&'v str, (FieldCode, String)> {
    match value {
        Value::Text(text) => Ok(text),
        Value::Missing => Err((FieldCode::Required, format!("no field `{name}`"))),
        Value::Other => Err((FieldCode::WrongType, format!("`{name}`: expected a string or a number"))),
    }
}

/// Reads an object's fields into the places that ask for them.
struct Fields<'f> {
    template: &'f Template,
    values: &'f mut [Value],
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let names = || RECIPIENT.into_iter().chain(self.template.names().iter().map(String::as_str));
        while let Some(key) = object.next_key::<std::borrow::Cow<'de, str>>()? {
            // `to` may be asked for twice: as the recipient, and in the text.
            let asked = |(_, name): &(usize, &str)| *name == key;
            let mut places = names().enumerate().filter(asked).map(|(place, _)| place).peekable();
            if places.peek().is_none() {
                object.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = Value::of(object.next_value::<&'de RawValue>()?.get());
            places.for_each(|place| self.values[place] = value.clone());
        }
        Ok(())
    }
}

impl Value {
    /// Of a value as it is written.
    fn of(json: &str) -> Self {
        match json.as_bytes().first() {
            Some(b'"') => serde_json::from_str(json).map_or(Value::Other, Value::Text),
            Some(b'-' | b'0'..=b'9') => Value::Text(json.to_owned()),
            Some(b'n') => Value::Missing,
            _ => Value::Other,
        }
    }
}
