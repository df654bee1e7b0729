//! The body of a call, from events and what else is known of their messages. Pure: the same
//! delivery makes the same body each time it is said.

use super::content::Contents;
use super::event::Event;
use domain::time::UnixMillis;
use platform::time::rfc3339;
use platform::webhook::payload::{MessageStatus, STATUS, STATUS_BATCH, payload};

/// The body that tells these events. `batch`: as a list, however many they are.
pub(super) fn body(
    events: &[Event],
    contents: &Contents,
    currency: &str,
    happened_at: UnixMillis,
    batch: bool,
) -> serde_json::Result<Vec<u8>> {
    let messages: Vec<MessageStatus> =
        events.iter().map(|event| message(event, contents, currency)).collect();
    match messages.as_slice() {
        [one] if !batch => payload(STATUS, happened_at, one),
        list => payload(STATUS_BATCH, happened_at, list),
    }
}

fn message(event: &Event, contents: &Contents, currency: &str) -> MessageStatus {
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
    MessageStatus {
        id: message.get().to_string(),
        status: state.status().as_str(),
        reason: state.reason().as_str(),
        operator_code: state.operator_code(),
        to: content.and_then(|chunk| chunk.recipients.get(index)).map(ToString::to_string),
        from: content.map(|chunk| chunk.line.clone()),
        reference: content.and_then(|chunk| chunk.reference(index)).map(str::to_owned),
        campaign_id: content.filter(|chunk| chunk.campaign > 0).map(|chunk| chunk.campaign.to_string()),
        segments: content.and_then(|chunk| chunk.text(index)).map(|text| text.segments),
        price,
        refunded: if refunded { price } else { 0 },
        currency: currency.to_owned(),
        created_at: rfc3339(content.map_or(minted, |chunk| chunk.created_at)),
        sent_at: state.sent_after().map(time),
        final_at: state.final_after().map(time),
    }
}
