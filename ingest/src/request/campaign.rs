//! The body that makes a campaign.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use platform::http::problem::Problem;
use serde::de::MapAccess;

use super::object::{Fields, Value};
use super::value::{Integer, Text, Word};
use super::{Errors, Got};

const ON_ERROR: &[OnError] = &[OnError::Skip, OnError::Stop];

/// What a row's fault does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnError {
    /// The row is left out.
    #[default]
    Skip,
    /// The upload stops in front of it.
    Stop,
}

impl fmt::Display for OnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnError::Skip => "skip",
            OnError::Stop => "stop",
        })
    }
}

impl FromStr for OnError {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "skip" => Ok(OnError::Skip),
            "stop" => Ok(OnError::Stop),
            _ => Err(()),
        }
    }
}

/// `{"name", "text", "from"?, "ttl_seconds"?, "on_error"?}` as it was read.
pub(crate) struct Campaign<'a> {
    pub(crate) name: Got<Cow<'a, str>>,
    pub(crate) text: Got<Cow<'a, str>>,
    pub(crate) from: Got<Cow<'a, str>>,
    pub(crate) ttl_seconds: Got<u32>,
    pub(crate) on_error: Got<OnError>,
    ttl_range: RangeInclusive<u32>,
}

/// Reads the body.
pub(crate) fn read<'a>(
    body: &'a [u8],
    ttl_range: RangeInclusive<u32>,
    errors: &mut Errors,
) -> Result<Campaign<'a>, Problem> {
    let empty = Campaign {
        name: Got::Missing,
        text: Got::Missing,
        from: Got::Missing,
        ttl_seconds: Got::Missing,
        on_error: Got::Missing,
        ttl_range,
    };
    super::read(body, empty, errors)
}

impl<'de> Fields<'de> for Campaign<'de> {
    const NAMES: &'static [&'static str] = &["name", "text", "from", "ttl_seconds", "on_error"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "name" => self.name = value.of(Text)?,
            "text" => self.text = value.of(Text)?,
            "from" => self.from = value.of(Text)?,
            "ttl_seconds" => self.ttl_seconds = value.of(Integer(self.ttl_range.clone()))?,
            _ => self.on_error = value.of(Word(ON_ERROR))?,
        }
        Ok(())
    }
}
