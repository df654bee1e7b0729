//! The body of a call that makes a webhook endpoint.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use domain::status::Status;
use platform::http::problem::{FieldCode, Problem};
use serde::de::MapAccess;

use super::object::{Fields, Value};
use super::value::{Integer, List, Text, Word};
use super::{Errors, Got, Path};

/// Events in one call at most.
pub(crate) const BATCH_MAX: u32 = 500;
/// Statuses that can be told: all but `queued`, which the answer to sending says.
pub(crate) const EVENTS: [Event; 8] = [
    Event(Status::Sent),
    Event(Status::Delivered),
    Event(Status::Undelivered),
    Event(Status::Failed),
    Event(Status::Expired),
    Event(Status::Refused),
    Event(Status::Blocked),
    Event(Status::Canceled),
];

/// A status that can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event(pub(crate) Status);

impl FromStr for Event {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        EVENTS.into_iter().find(|event| event.0.as_str() == word).ok_or(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

/// `{"url", "events"?, "batch_size"?}` as it was read.
#[derive(Default)]
struct Body<'a> {
    url: Got<Cow<'a, str>>,
    events: Got<Vec<Got<Event>>>,
    batch_size: Got<u32>,
}

/// What is asked for; its URL is not looked at yet.
#[derive(Debug)]
pub(crate) struct WantedEndpoint {
    pub(crate) url: String,
    /// Each once, at least one.
    pub(crate) events: Vec<Event>,
    pub(crate) batch_size: i16,
}

/// Reads the body. `url` says what is wrong with a URL.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(
    body: &[u8],
    url: impl FnOnce(&str) -> Result<String, String>,
) -> Result<WantedEndpoint, Problem> {
    let mut errors = Errors::default();
    let read = super::read(body, Body::default(), &mut errors)?;
    let place = Path::Field(&Path::Root, "url");
    let written = read.url.required(&place, &mut errors).unwrap_or_default();
    let url = if written.is_empty() && !errors.is_empty() { Ok(String::new()) } else { url(&written) };
    let url = url.unwrap_or_else(|detail| {
        errors.add(&place, FieldCode::OutOfRange, detail);
        String::new()
    });
    let events = match read.events.optional() {
        None => EVENTS.to_vec(),
        Some(listed) => {
            let listed: Vec<Event> = listed.into_iter().filter_map(Got::optional).collect();
            if listed.is_empty() && errors.is_empty() {
                let place = Path::Field(&Path::Root, "events");
                errors.add(&place, FieldCode::OutOfRange, "expected at least one element");
            }
            EVENTS.into_iter().filter(|event| listed.contains(event)).collect()
        }
    };
    errors.into_result()?;
    let batch_size = i16::try_from(read.batch_size.optional().unwrap_or(1)).unwrap_or(1);
    Ok(WantedEndpoint { url, events, batch_size })
}

impl<'de> Fields<'de> for Body<'de> {
    const NAMES: &'static [&'static str] = &["url", "events", "batch_size"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "url" => self.url = value.of(Text)?,
            "events" => self.events = value.of(List { max: EVENTS.len() * 2, of: || Word(&EVENTS) })?,
            _ => self.batch_size = value.of(Integer(1..=BATCH_MAX))?,
        }
        Ok(())
    }
}
