//! The body of a call: `message.status` with one message, or `message.status.batch` with
//! several. Pure: the same delivery makes the same body each time it is said.

use super::content::Contents;
use super::event::Event;
use domain::time::UnixMillis;
use platform::time::rfc3339;
use serde::Serialize;

const ONE: &str = "message.status";
const BATCH: &str = "message.status.batch";

#[derive(Serialize)]
struct Payload<'a, D> {
    r#type: &'a str,
    timestamp: String,
    data: D,
}

/// A message when it got a status: fields of `GET /v1/messages/{id}`, by the same names.
#[derive(Serialize)]
struct Message<'a> {
    id: String,
    status: &'static str,
    reason: Option<&'static str>,
    operator_code: Option<i16>,
    to: Option<String>,
    from: Option<&'a str>,
    reference: Option<&'a str>,
    campaign_id: Option<String>,
    segments: Option<u8>,
    price: i64,
    refunded: i64,
    currency: &'a str,
    created_at: String,
    sent_at: Option<String>,
    final_at: Option<String>,
}

/// The body that tells these events. `batch`: as a list, however many they are.
pub(super) fn body(
    events: &[Event],
    contents: &Contents,
    currency: &str,
    happened_at: UnixMillis,
    batch: bool,
) -> serde_json::Result<Vec<u8>> {
    let timestamp = rfc3339(happened_at);
    let mut messages = events.iter().map(|event| message(event, contents, currency));
    match (batch, messages.next()) {
        (false, Some(data)) => serde_json::to_vec(&Payload { r#type: ONE, timestamp, data }),
        (_, first) => {
            let data: Vec<Message<'_>> = first.into_iter().chain(messages).collect();
            serde_json::to_vec(&Payload { r#type: BATCH, timestamp, data })
        }
    }
}

fn message<'a>(event: &Event, contents: &'a Contents, currency: &'a str) -> Message<'a> {
    let Event { message, state } = *event;
    let (chunk, index) = (message.chunk(), usize::from(message.index()));
    let content = contents.chunks.get(&chunk);
    let hold = contents.holds.get(&chunk);
    let price = hold.filter(|hold| index < usize::from(hold.paid)).and_then(|hold| hold.prices.get(index));
    // The books may be ahead of an event that is not the last of its message.
    let refunded =
        state.status().is_final() && hold.is_some_and(|hold| hold.decided.voided().contains(message.index()));
    let price = price.map_or(0, |price| price.get());
    let minted = chunk.minted_at();
    let time = |after: u32| rfc3339(minted.plus(after.into()));
    Message {
        id: message.get().to_string(),
        status: state.status().as_str(),
        reason: state.reason().as_str(),
        operator_code: state.operator_code(),
        to: content.and_then(|chunk| chunk.recipients.get(index)).map(ToString::to_string),
        from: content.map(|chunk| chunk.line.as_str()),
        reference: content.and_then(|chunk| chunk.reference(index)),
        campaign_id: content.filter(|chunk| chunk.campaign > 0).map(|chunk| chunk.campaign.to_string()),
        segments: content.and_then(|chunk| chunk.text(index)).map(|text| text.segments),
        price,
        refunded: if refunded { price } else { 0 },
        currency,
        created_at: rfc3339(content.map_or(minted, |chunk| chunk.created_at)),
        sent_at: state.sent_after().map(time),
        final_at: state.final_after().map(time),
    }
}
