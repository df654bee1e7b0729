//! Something that happened to a message.

use super::Wanted;
use chrono::{DateTime, SecondsFormat};
use domain::time::UnixMillis;
use platform::kafka::tail::TailRecord;
use serde_json::{Map, Value, json};
use std::io::Write;

/// One event.
pub(super) struct Event {
    /// When; nothing where no time was kept.
    pub(super) at: Option<UnixMillis>,
    /// What, in the order of the journey where times are equal.
    pub(super) kind: Kind,
    /// Where it stands: a table, or topic/partition@offset.
    pub(super) place: String,
    /// What it says.
    pub(super) fields: Vec<(&'static str, Value)>,
}

/// A partition of a topic.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: i32,
}

impl Place<'_> {
    /// What a record here says.
    pub(super) fn event(self, kind: Kind, record: &TailRecord, fields: Vec<(&'static str, Value)>) -> Event {
        let place = format!("{}/{}@{}", self.topic, self.partition, record.offset);
        Event { at: Some(UnixMillis(record.at_ms)), kind, place, fields }
    }
}

/// What an event is, in the order of the journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Submitted,
    Parked,
    Held,
    Billed,
    Fence,
    Intent,
    Outcome,
    OperatorId,
    Receipt,
    PendingReceipt,
    Settled,
    Voided,
    Status,
    NextPoll,
    Waits,
    Ordered,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Kind::Submitted => "submitted",
            Kind::Parked => "parked",
            Kind::Held => "held",
            Kind::Billed => "billed",
            Kind::Fence => "fence",
            Kind::Intent => "intent",
            Kind::Outcome => "outcome",
            Kind::OperatorId => "operator id",
            Kind::Receipt => "receipt",
            Kind::PendingReceipt => "pending receipt",
            Kind::Settled => "settled",
            Kind::Voided => "voided",
            Kind::Status => "status",
            Kind::NextPoll => "next poll",
            Kind::Waits => "waits until",
            Kind::Ordered => "ordered",
        }
    }
}

impl Event {
    /// In time order; what has no time comes last. Records of one log that have the same time
    /// are equal here: their order is that in which they were read.
    pub(super) fn order(&self) -> (i64, Kind) {
        let kind = match self.kind {
            Kind::Intent | Kind::Outcome => Kind::Fence,
            kind => kind,
        };
        (self.at.map_or(i64::MAX, |at| at.0), kind)
    }
}

/// One line an event.
pub(super) fn print(wanted: Wanted, events: &[Event]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let minted = wanted.chunk.minted_at();
    writeln!(
        out,
        "message {}: number {} of chunk {}, made {}",
        wanted.message,
        wanted.index,
        wanted.chunk,
        time(minted)
    )?;
    for event in events {
        let (at, after) = match event.at {
            Some(at) => (time(at), format!("{:+.3}s", seconds(at.0 - minted.0))),
            None => ("-".to_owned(), "-".to_owned()),
        };
        write!(out, "{at:<24}  {after:>10}  {:<15}  {}", event.kind.as_str(), event.place)?;
        for (name, value) in &event.fields {
            match value {
                Value::String(text) => write!(out, "  {name}={text}")?,
                other => write!(out, "  {name}={other}")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

/// One JSON object.
pub(super) fn json(wanted: Wanted, events: &[Event]) -> std::io::Result<()> {
    let of = |event: &Event| {
        let fields: Map<String, Value> =
            event.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        json!({"at": event.at.map(time), "kind": event.kind.as_str(), "place": event.place, "fields": fields})
    };
    let document = json!({
        "message_id": wanted.message.to_string(),
        "chunk_id": wanted.chunk.to_string(),
        "index": wanted.index,
        "made_at": time(wanted.chunk.minted_at()),
        "events": events.iter().map(of).collect::<Vec<_>>(),
    });
    writeln!(std::io::stdout(), "{document:#}")
}

/// A time as RFC 3339 in UTC.
pub(super) fn time(at: UnixMillis) -> String {
    let time = DateTime::from_timestamp_millis(at.0);
    time.map_or_else(|| at.0.to_string(), |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

#[allow(clippy::cast_precision_loss)] // for people
fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}
