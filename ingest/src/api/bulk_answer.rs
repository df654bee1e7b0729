//! The answer to a bulk call.

use std::ops::Range;

use domain::id::{MessageId, Run};
use domain::money::Money;
use serde::Serialize;
use utoipa::ToSchema;

use super::format::time;
use crate::chunking::Call;
use crate::prepare::Rejected;

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
    /// The messages left out.
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
    /// The recipient as it was given; its first 64 characters.
    #[schema(example = "12")]
    to: &'a str,
    /// `invalid_recipient`, `unsupported_country`, `text_empty`, `text_too_long` or `out_of_range`.
    #[schema(value_type = String, example = "invalid_recipient")]
    code: platform::http::problem::FieldCode,
}

/// What was submitted.
pub(super) struct Batch<'a> {
    pub(super) run: Run,
    pub(super) call: &'a Call,
    pub(super) cuts: &'a [Range<usize>],
    pub(super) segments: u64,
    pub(super) price: Money,
}

impl<'a> BulkAccepted<'a> {
    pub(super) fn new(batch: &Batch<'_>, rejected: &'a [Rejected], currency: &'a str) -> Self {
        let of = |rejected: &'a Rejected| RejectedMessage {
            index: rejected.index,
            to: &rejected.to,
            code: rejected.code,
        };
        BulkAccepted {
            batch_id: batch.run.first.to_string(),
            lane: batch.call.lane.as_str(),
            send_by: time(batch.call.send_by),
            accepted: batch.call.rows.len(),
            invalid: rejected.len(),
            segments: batch.segments,
            price: batch.price.get(),
            currency,
            ranges: batch.ranges(),
            rejected: rejected.iter().map(of).collect(),
        }
    }
}

impl Batch<'_> {
    /// A range ends where a message was left out, and where a chunk ends.
    fn ranges(&self) -> Vec<IdRange> {
        let mut ranges: Vec<IdRange> = Vec::with_capacity(self.cuts.len());
        for (rows, chunk) in self.cuts.iter().cloned().zip(self.run.ids()) {
            let mut open: Option<(u32, u32, MessageId)> = None;
            for (position, row) in (0..=u8::MAX).zip(&self.call.rows[rows]) {
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
}

impl From<(u32, u32, MessageId)> for IdRange {
    fn from((index, count, first): (u32, u32, MessageId)) -> Self {
        IdRange { index, count, first_id: first.to_string() }
    }
}

#[cfg(test)]
mod tests;
