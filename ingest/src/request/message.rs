//! The body of a call for one message.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use domain::lane::Lane;
use platform::http::problem::Problem;
use serde::de::MapAccess;

use super::object::{Fields, Value};
use super::value::{Integer, Text, Word};
use super::{Errors, Got};

/// Bulk is for lists.
const LANES: &[Lane] = &[Lane::Express, Lane::Standard];

/// `{"to", "text", "lane"?, "from"?, "ttl_seconds"?, "reference"?}` as it was read.
pub(crate) struct Message<'a> {
    pub(crate) to: Got<Cow<'a, str>>,
    pub(crate) text: Got<Cow<'a, str>>,
    pub(crate) lane: Got<Lane>,
    pub(crate) from: Got<Cow<'a, str>>,
    pub(crate) ttl_seconds: Got<u32>,
    pub(crate) reference: Got<Cow<'a, str>>,
    ttl_range: RangeInclusive<u32>,
}

/// Reads the body.
pub(crate) fn read<'a>(
    body: &'a [u8],
    ttl_range: RangeInclusive<u32>,
    errors: &mut Errors,
) -> Result<Message<'a>, Problem> {
    let empty = Message {
        to: Got::Missing,
        text: Got::Missing,
        lane: Got::Missing,
        from: Got::Missing,
        ttl_seconds: Got::Missing,
        reference: Got::Missing,
        ttl_range,
    };
    super::read(body, empty, errors)
}

impl<'de> Fields<'de> for Message<'de> {
    const NAMES: &'static [&'static str] = &["to", "text", "lane", "from", "ttl_seconds", "reference"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "to" => self.to = value.of(Text)?,
            "text" => self.text = value.of(Text)?,
            "lane" => self.lane = value.of(Word(LANES))?,
            "from" => self.from = value.of(Text)?,
            "ttl_seconds" => self.ttl_seconds = value.of(Integer(self.ttl_range.clone()))?,
            _ => self.reference = value.of(Text)?,
        }
        Ok(())
    }
}
