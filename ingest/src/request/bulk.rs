//! The body of a bulk call.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use domain::lane::Lane;
use platform::http::problem::{FieldCode, Problem};
use serde::de::MapAccess;

use super::object::{Fields, Object, Value};
use super::value::{Integer, List, Text, Word};
use super::{Errors, Got, Path};

/// Express is for single messages.
const LANES: &[Lane] = &[Lane::Bulk, Lane::Standard];
const ON_INVALID: &[OnInvalid] = &[OnInvalid::Skip, OnInvalid::RejectAll];

/// What is done with a list of which some messages are not valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnInvalid {
    /// The others are sent.
    #[default]
    Skip,
    /// None is sent.
    RejectAll,
}

impl fmt::Display for OnInvalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            OnInvalid::Skip => "skip",
            OnInvalid::RejectAll => "reject_all",
        })
    }
}

impl FromStr for OnInvalid {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "skip" => Ok(OnInvalid::Skip),
            "reject_all" => Ok(OnInvalid::RejectAll),
            _ => Err(()),
        }
    }
}

/// A bulk call as it was read.
pub(crate) struct Bulk<'a> {
    pub(crate) text: Got<Cow<'a, str>>,
    pub(crate) to: Got<Vec<Got<Cow<'a, str>>>>,
    pub(crate) messages: Got<Vec<Got<Entry<'a>>>>,
    pub(crate) from: Got<Cow<'a, str>>,
    pub(crate) ttl_seconds: Got<u32>,
    pub(crate) reference: Got<Cow<'a, str>>,
    pub(crate) lane: Got<Lane>,
    pub(crate) on_invalid: Got<OnInvalid>,
    bounds: Bounds,
}

/// One element of `messages`.
#[derive(Debug, Default)]
pub(crate) struct Entry<'a> {
    pub(crate) to: Got<Cow<'a, str>>,
    pub(crate) text: Got<Cow<'a, str>>,
    pub(crate) reference: Got<Cow<'a, str>>,
}

/// What a bulk call may hold.
#[derive(Clone, Debug)]
pub(crate) struct Bounds {
    /// Messages at most.
    pub(crate) messages: usize,
    /// `ttl_seconds`.
    pub(crate) ttl_seconds: RangeInclusive<u32>,
}

/// The messages of a bulk call, in the form they were given in.
pub(crate) enum Listed<'a> {
    /// One text to many.
    OneText(Cow<'a, str>, Vec<Got<Cow<'a, str>>>),
    /// Each with its own.
    Each(Vec<Got<Entry<'a>>>),
}

/// Reads the body.
pub(crate) fn read<'a>(body: &'a [u8], bounds: Bounds, errors: &mut Errors) -> Result<Bulk<'a>, Problem> {
    let empty = Bulk {
        text: Got::Missing,
        to: Got::Missing,
        messages: Got::Missing,
        from: Got::Missing,
        ttl_seconds: Got::Missing,
        reference: Got::Missing,
        lane: Got::Missing,
        on_invalid: Got::Missing,
        bounds,
    };
    super::read(body, empty, errors)
}

impl<'a> Bulk<'a> {
    /// The messages, where they are given in exactly one of the two forms.
    pub(crate) fn listed(&mut self, errors: &mut Errors) -> Option<Listed<'a>> {
        let (text, to) = (std::mem::take(&mut self.text), std::mem::take(&mut self.to));
        let messages = std::mem::take(&mut self.messages);
        let at = |name| Path::Field(&Path::Root, name);
        let both = "give either `messages`, or `text` with `to`";
        if messages.is_given() {
            for name in
                [text.is_given().then_some("text"), to.is_given().then_some("to")].into_iter().flatten()
            {
                errors.add(&at(name), FieldCode::UnknownField, both);
            }
            let messages = not_empty(messages.optional()?, &at("messages"), errors)?;
            return Some(Listed::Each(messages));
        }
        if !text.is_given() && !to.is_given() {
            errors.add(&at("messages"), FieldCode::Required, both);
            return None;
        }
        let text = text.required(&at("text"), errors);
        let to = to.required(&at("to"), errors);
        let to = not_empty(to?, &at("to"), errors)?;
        Some(Listed::OneText(text?, to))
    }
}

fn not_empty<T>(list: Vec<T>, at: &Path<'_>, errors: &mut Errors) -> Option<Vec<T>> {
    if list.is_empty() {
        errors.add(at, FieldCode::OutOfRange, "expected at least one element");
        return None;
    }
    Some(list)
}

impl<'de> Fields<'de> for Bulk<'de> {
    const NAMES: &'static [&'static str] =
        &["text", "to", "messages", "from", "ttl_seconds", "reference", "lane", "on_invalid"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        let max = self.bounds.messages;
        match name {
            "text" => self.text = value.of(Text)?,
            "to" => self.to = value.of(List { max, of: || Text })?,
            "messages" => self.messages = value.of(List { max, of: || Object(Entry::default()) })?,
            "from" => self.from = value.of(Text)?,
            "ttl_seconds" => self.ttl_seconds = value.of(Integer(self.bounds.ttl_seconds.clone()))?,
            "reference" => self.reference = value.of(Text)?,
            "lane" => self.lane = value.of(Word(LANES))?,
            _ => self.on_invalid = value.of(Word(ON_INVALID))?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Entry<'de> {
    const NAMES: &'static [&'static str] = &["to", "text", "reference"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "to" => self.to = value.of(Text)?,
            "text" => self.text = value.of(Text)?,
            _ => self.reference = value.of(Text)?,
        }
        Ok(())
    }
}
