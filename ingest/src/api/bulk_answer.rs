//! The answer to a bulk call.

use std::borrow::Cow;

use domain::id::MessageId;
use domain::money::Money;
use platform::http::problem::{Code, FieldCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::format::time;
use crate::chunking::{Call, Row};
use crate::prepare::Rejected;
use crate::submit::Submitted;

/// A bulk call that was accepted.
#[derive(Serialize, ToSchema)]
pub(super) struct BulkAccepted<'a> {
    /// For `GET /v1/messages/bulk/{batch_id}`.
    #[schema(example = "117594862387200000")]
    batch_id: String,
    /// The lane travelled in: `bulk` also for a standard call of many messages. Price and
    /// `send_by` are those of the lane asked for.
    #[schema(example = "bulk")]
    lane: &'static str,
    /// Not handed to an operator at or after this time; then expired, and refunded.
    #[schema(format = DateTime, example = "2026-11-24T12:00:00.000Z")]
    send_by: String,
    #[schema(example = 9990)]
    accepted: usize,
    #[schema(example = 10)]
    invalid: usize,
    /// Of the accepted messages.
    #[schema(example = 19980)]
    segments: u64,
    /// Of the accepted messages, in the smallest unit of the currency.
    #[schema(example = 19980000)]
    price: i64,
    #[schema(example = "IRR")]
    currency: &'a str,
    /// The ids of the accepted messages.
    ranges: Vec<IdRange>,
    /// The messages left out, in the order of the list.
    rejected: Vec<RejectedMessage<'a>>,
}

/// Accepted messages that stand together in the list, and whose ids follow one another.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct IdRange {
    /// The first message's place in the list, from 0.
    #[schema(example = 0)]
    index: u32,
    #[schema(example = 17)]
    count: u32,
    /// The first message's id.
    #[schema(example = "117594862387200000")]
    first_id: String,
}

/// A message that was left out.
#[derive(Serialize, ToSchema)]
pub(super) struct RejectedMessage<'a> {
    /// Its place in the list, from 0.
    #[schema(example = 17)]
    index: u32,
    /// The recipient as it was given, its first 64 characters; with `insufficient_funds` in
    /// international form.
    #[schema(example = "12")]
    to: Cow<'a, str>,
    /// `invalid_recipient`, `unsupported_country`, `text_empty`, `text_too_long`, `out_of_range`
    /// or `insufficient_funds`.
    #[schema(value_type = String, example = "invalid_recipient")]
    code: LeftOut,
}

/// Why a message was left out.
#[derive(Serialize)]
#[serde(untagged)]
enum LeftOut {
    /// It is not valid.
    Invalid(FieldCode),
    /// The balance did not cover it.
    Refused(Code),
}

/// What was submitted.
pub(super) struct Batch<'a> {
    pub(super) submitted: &'a Submitted,
    /// Of all messages that were submitted.
    pub(super) segments: u64,
    /// Of all messages that were submitted.
    pub(super) price: Money,
}

impl<'a> BulkAccepted<'a> {
    pub(super) fn new(batch: &Batch<'_>, rejected: &'a [Rejected], currency: &'a str) -> Self {
        let call = &batch.submitted.call;
        let invalid = |rejected: &'a Rejected| RejectedMessage {
            index: rejected.index,
            to: Cow::Borrowed(rejected.to.as_str()),
            code: LeftOut::Invalid(rejected.code),
        };
        let refused = |row: &Row| RejectedMessage {
            index: row.index,
            to: Cow::Owned(row.recipient.to_string()),
            code: LeftOut::Refused(Code::InsufficientFunds),
        };
        let mut left_out: Vec<RejectedMessage<'a>> = rejected.iter().map(invalid).collect();
        left_out.extend(batch.submitted.refused_rows().map(refused));
        left_out.sort_by_key(|message| message.index);
        let refused = || batch.submitted.refused_rows();
        let refused_segments: u64 = refused().map(|row| segments(call, row)).sum();
        BulkAccepted {
            batch_id: batch.submitted.run.first.to_string(),
            lane: call.lane.as_str(),
            send_by: time(call.send_by),
            accepted: batch.submitted.accepted_rows().count(),
            invalid: rejected.len(),
            segments: batch.segments - refused_segments,
            price: batch.price.get() - refused().map(|row| row.price.get()).sum::<i64>(),
            currency,
            ranges: ranges(batch.submitted),
            rejected: left_out,
        }
    }

    /// How many messages were left out.
    pub(super) fn left_out(&self) -> usize {
        self.rejected.len()
    }
}

fn segments(call: &Call, row: &Row) -> u64 {
    call.texts[row.text as usize].segments.into()
}

/// A range ends where a message was left out, and where a chunk ends.
fn ranges(submitted: &Submitted) -> Vec<IdRange> {
    let mut ranges: Vec<IdRange> = Vec::with_capacity(submitted.cuts.len());
    for ((rows, accepted), chunk) in submitted.chunks().zip(submitted.run.ids()) {
        let mut open: Option<(u32, u32, MessageId)> = None;
        for (position, row) in (0..=u8::MAX).zip(&submitted.call.rows[rows][..accepted]) {
            match &mut open {
                Some((index, count, _)) if *index + *count == row.index => *count += 1,
                _ => {
                    ranges.extend(open.map(IdRange::from));
                    open = Some((row.index, 1, chunk.message(position)));
                }
            }
        }
        ranges.extend(open.map(IdRange::from));
    }
    ranges
}

impl From<(u32, u32, MessageId)> for IdRange {
    fn from((index, count, first): (u32, u32, MessageId)) -> Self {
        IdRange { index, count, first_id: first.to_string() }
    }
}

#[cfg(test)]
mod tests;
