//! Cutting a call into chunks. Pure: the ids come later, the number of chunks is known first.
//!
//! A chunk ends where one more message would pass a bound: the number of messages, the bytes
//! of the record, the different prices. The bytes are estimated from above, field by field of
//! `sms.proto`; a property test holds the estimate against what is really encoded.

use std::ops::Range;

use domain::hold::DISTINCT_PRICES_MAX;
use domain::id::{ChunkId, Run};
use domain::lane::Lane;
use domain::money::Money;
use domain::phone::Msisdn;
use domain::time::UnixMillis;
use wire::submitted::{CHUNK_BYTES_MAX, Chunk, Text};

use crate::config::{REFERENCE_CHARACTERS_MAX, SEGMENTS_MAX};

/// Envelope, ids, times and counts, each at its longest, and the heads of the lists.
const FIXED_BYTES: usize = 172;
/// A recipient (8) and the number of its text (at most 2: below 256 texts a chunk).
const ROW_BYTES: usize = 10;
/// The head of a text or reference, and a text's encoding and segments.
const TEXT_BYTES: usize = 8;
/// A part holds at most 153 septets, and no character takes more than two bytes a septet;
/// UCS-2 parts hold 67 units of at most three bytes.
const SEGMENT_BYTES_MAX: usize = 2 * 153;
/// The longest text that may ever be allowed, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = SEGMENT_BYTES_MAX * SEGMENTS_MAX as usize;
/// A sender line is far shorter; one that is longer is refused where it is read.
pub(crate) const LINE_BYTES_MAX: usize = 256;
/// What one message takes at most, a text and a reference of its own included.
pub(crate) const MESSAGE_BYTES_MAX: usize =
    ROW_BYTES + (TEXT_BYTES + TEXT_BYTES_MAX) + (TEXT_BYTES + 4 * REFERENCE_CHARACTERS_MAX);
// So a message always fits into a chunk of its own.
const _: () = assert!(FIXED_BYTES + LINE_BYTES_MAX + MESSAGE_BYTES_MAX <= CHUNK_BYTES_MAX);

/// One accepted message of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// Its place in the customer's list.
    pub(crate) index: u32,
    pub(crate) recipient: Msisdn,
    /// Its place in [`Call::texts`].
    pub(crate) text: u32,
    /// Its place in [`Call::references`].
    pub(crate) reference: u32,
    pub(crate) price: Money,
}

/// What a customer asked for in one call, checked and priced.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) account: i64,
    /// The lane asked for; the price follows it.
    pub(crate) asked_lane: Lane,
    /// The lane travelled in.
    pub(crate) lane: Lane,
    pub(crate) line: String,
    /// The different texts.
    pub(crate) texts: Vec<Text>,
    /// The different references; the first is that of messages without one of their own, and
    /// may be empty.
    pub(crate) references: Vec<String>,
    /// In the order of the customer's list; at least one.
    pub(crate) rows: Vec<Row>,
    pub(crate) tariff_version: u32,
    pub(crate) created_at: UnixMillis,
    pub(crate) send_by: UnixMillis,
    /// The campaign its messages belong to; 0 where they belong to none.
    pub(crate) campaign: i64,
}

/// Cuts a call: the rows of each chunk. Together they are all rows, in order.
pub(crate) fn cut(call: &Call, chunk_messages: usize) -> Vec<Range<usize>> {
    let mut chunks = Vec::with_capacity(call.rows.len() / chunk_messages.max(1) + 1);
    let mut open = Open::new(call, 0);
    let mut used = LastUse::new(call.texts.len());
    for (at, row) in call.rows.iter().enumerate() {
        let full = at - open.start >= chunk_messages;
        if full || !open.takes(call, row, &used) {
            chunks.push(open.start..at);
            open = Open::new(call, at);
        }
        open.add(call, row, &mut used);
    }
    chunks.push(open.start..call.rows.len());
    chunks
}

/// Builds the k-th chunk of a call, whose ids are reserved.
pub(crate) fn build(call: &Call, rows: Range<usize>, id: ChunkId, run: Run) -> Chunk {
    let rows = &call.rows[rows];
    let mut texts: Vec<Text> = Vec::new();
    // For each different text of the chunk its number in the call.
    let mut numbers: Vec<u32> = Vec::new();
    let mut text_index = Vec::with_capacity(rows.len());
    for row in rows {
        // Equal texts mostly stand together: the last one first.
        let known = numbers.iter().rposition(|number| *number == row.text);
        let position = known.unwrap_or_else(|| {
            numbers.push(row.text);
            texts.push(call.texts[row.text as usize].clone());
            texts.len() - 1
        });
        text_index.push(u32::try_from(position).unwrap_or(u32::MAX));
    }
    if texts.len() == 1 {
        text_index = Vec::new();
    }
    Chunk {
        id,
        account: call.account,
        asked_lane: call.asked_lane,
        line: call.line.clone(),
        recipients: rows.iter().map(|row| row.recipient).collect(),
        texts,
        text_index,
        references: references(call, rows),
        tariff_version: call.tariff_version,
        created_at: call.created_at,
        send_by: call.send_by,
        call_id: run.first,
        call_chunks: run.count,
        call_messages: u32::try_from(call.rows.len()).unwrap_or(u32::MAX),
        campaign: call.campaign,
    }
}

/// None, one for all, or one a message.
fn references(call: &Call, rows: &[Row]) -> Vec<String> {
    let of = |row: &Row| call.references[row.reference as usize].as_str();
    let Some(first) = rows.first().map(of) else { return Vec::new() };
    if rows.iter().any(|row| of(row) != first) {
        return rows.iter().map(|row| of(row).to_owned()).collect();
    }
    if first.is_empty() { Vec::new() } else { vec![first.to_owned()] }
}

/// The chunk being filled.
struct Open {
    start: usize,
    bytes: usize,
    prices: [Money; DISTINCT_PRICES_MAX],
    distinct: usize,
}

impl Open {
    fn new(call: &Call, start: usize) -> Self {
        let bytes = FIXED_BYTES + call.line.len();
        Open { start, bytes, prices: [Money::ZERO; DISTINCT_PRICES_MAX], distinct: 0 }
    }

    fn takes(&self, call: &Call, row: &Row, used: &LastUse) -> bool {
        let price_fits = self.distinct < DISTINCT_PRICES_MAX || self.knows(row.price);
        price_fits && self.bytes + self.bytes_of(call, row, used) <= CHUNK_BYTES_MAX
    }

    fn add(&mut self, call: &Call, row: &Row, used: &mut LastUse) {
        self.bytes += self.bytes_of(call, row, used);
        used.mark(row.text, self.start);
        if !self.knows(row.price) {
            self.prices[self.distinct] = row.price;
            self.distinct += 1;
        }
    }

    fn bytes_of(&self, call: &Call, row: &Row, used: &LastUse) -> usize {
        let text = call.texts[row.text as usize].body.len();
        let text = if used.in_chunk(row.text, self.start) { 0 } else { TEXT_BYTES + text };
        // As if each message had its own: whether all are equal is known only at the end.
        ROW_BYTES + text + TEXT_BYTES + call.references[row.reference as usize].len()
    }

    fn knows(&self, price: Money) -> bool {
        self.prices[..self.distinct].contains(&price)
    }
}

/// In which chunk each text was used last, so that "is it in this one" is one look.
struct LastUse(Vec<Option<usize>>);

impl LastUse {
    fn new(texts: usize) -> Self {
        LastUse(vec![None; texts])
    }

    fn in_chunk(&self, text: u32, start: usize) -> bool {
        self.0[text as usize] == Some(start)
    }

    fn mark(&mut self, text: u32, start: usize) {
        self.0[text as usize] = Some(start);
    }
}

#[cfg(test)]
mod tests;
