//! Understanding a record: what it brings of which chunk. Pure.

use crate::flush::Named;
use crate::listing::Listing;
use crate::merge::{Content, Heard, NewRow, OperatorIds, Slice};
use crate::pushed;
use bytes::Bytes;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::outcome::Outcome;
use domain::status::Fact;
use domain::time::UnixMillis;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use wire::WireError;
use wire::attempt::{Attempt, AttemptKind, OutcomeSlice};
use wire::billed::{Billed, Verdict};
use wire::receipts::{ReceiptSlice, Receipts};
use wire::submitted::Chunk;

/// What a topic carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// `sms.billed.<lane>`.
    Billed(Lane),
    /// `sms.attempts.<lane>`.
    Attempts(Lane),
    /// `sms.receipts`.
    Receipts,
}

/// What one record brings.
#[derive(Debug, Default)]
pub(crate) struct Understood {
    pub(crate) chunks: Vec<(ChunkId, Heard)>,
    pub(crate) content: Option<Content>,
    pub(crate) operator_ids: Vec<OperatorIds>,
    pub(crate) named: Vec<Named>,
    /// Operators' ids that cannot be kept.
    pub(crate) ids_refused: u32,
    /// Why there is a part of it that cannot be understood: the record is parked as well.
    pub(crate) unreadable: Option<WireError>,
}

impl Understood {
    /// How many chunks it touches.
    pub(crate) fn size(&self) -> usize {
        self.chunks.len().max(usize::from(self.content.is_some())).max(self.named.len())
    }
}

/// Why a record cannot be understood (without its content).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Undecodable {
    /// It is not what the stream carries.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The code that reads it panicked.
    #[error("the code that reads it panicked")]
    Panicked,
}

impl Stream {
    /// The word for logs and metrics.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Stream::Billed(_) => "billed",
            Stream::Attempts(_) => "attempts",
            Stream::Receipts => "receipts",
        }
    }
}

/// Understands a record of `partition`. A panic in here is a record that cannot be
/// understood: the process must not die of it at every start.
pub(crate) fn read(stream: Stream, partition: i32, record: &Bytes) -> Result<Understood, Undecodable> {
    let understood = catch_unwind(AssertUnwindSafe(|| match stream {
        Stream::Billed(lane) => Ok(billed(Billed::decode(record)?, lane, partition, record)),
        Stream::Attempts(lane) => attempt(Attempt::decode(record)?, lane, partition),
        Stream::Receipts => receipts(Receipts::decode_readable(record)?),
    }));
    Ok(understood.map_err(|_| Undecodable::Panicked)??)
}

fn billed(record: Billed, lane: Lane, partition: i32, value: &Bytes) -> Understood {
    match record.verdict {
        Verdict::Paid { paid, chunk } => recorded(&chunk, paid, lane, partition, value),
        Verdict::Refused { chunk } => recorded(&chunk, 0, lane, partition, value),
        Verdict::Noop => Understood::default(),
    }
}

fn recorded(chunk: &Chunk, paid: u16, lane: Lane, partition: i32, value: &Bytes) -> Understood {
    let size = u16::try_from(chunk.len()).unwrap_or(u16::MAX);
    let content = Content {
        chunk: chunk.id,
        account: chunk.account,
        lane,
        messages: size,
        call: (chunk.call_id, chunk.call_chunks, chunk.call_messages),
        send_by: chunk.send_by,
        listing: Listing::of(chunk),
        record: value.clone(),
    };
    let campaign = (chunk.campaign != 0).then_some(chunk.campaign);
    let unpaid = (paid..size).filter_map(|position| u8::try_from(position).ok());
    let heard = Heard {
        facts: unpaid.map(|position| (position, Fact::Unpaid)).collect(),
        row: Some(NewRow { account: chunk.account, lane, partition, size, campaign }),
        ..Heard::default()
    };
    // What is paid for in full is `queued` by its content alone. That of a campaign is counted, and
    // that is done at the state row.
    let chunks = if heard.facts.is_empty() && campaign.is_none() { vec![] } else { vec![(chunk.id, heard)] };
    Understood { chunks, content: Some(content), ..Understood::default() }
}

fn attempt(record: Attempt, lane: Lane, partition: i32) -> Result<Understood, WireError> {
    // Fences void only what does not close a message, and that does not change its state.
    let AttemptKind::Outcomes { connector, slices } = record.kind else { return Ok(Understood::default()) };
    let connector = name(&connector)?;
    let mut understood = Understood::default();
    for slice in slices {
        let carried = carried(&slice, &connector, &mut understood.ids_refused);
        understood.operator_ids.extend(carried.into_iter().flatten());
        let at = after(slice.of.chunk, record.at);
        let mut heard = Heard {
            facts: Vec::with_capacity(slice.messages.len()),
            row: Some(NewRow {
                account: slice.of.account,
                lane,
                partition,
                size: slice.of.chunk_size,
                campaign: None,
            }),
            ..Heard::default()
        };
        for message in &slice.messages {
            if u16::from(message.position) >= slice.of.chunk_size {
                return Err(WireError::Invalid { field: "positions", detail: "inside the chunk" });
            }
            if message.outcome.closes() {
                let (attempt, outcome, code) = (slice.of.attempt, message.outcome, message.code);
                heard.facts.push((message.position, Fact::Outcome { attempt, outcome, code, at }));
            }
            if awaits_receipt(message.outcome) {
                heard.sent_by.get_or_insert_with(|| Arc::clone(&connector));
            }
        }
        understood.chunks.push((slice.of.chunk, heard));
    }
    Ok(understood)
}

/// Which messages of a call the operator has, or may have: with the ids that it gave, one a
/// line, and those without. An id with a line break or another control character would change
/// its neighbours (or is no text for Postgres): it is left out.
fn carried(slice: &OutcomeSlice, connector: &Arc<str>, refused: &mut u32) -> [Option<OperatorIds>; 2] {
    let empty = || OperatorIds {
        chunk: slice.of.chunk,
        attempt: slice.of.attempt,
        connector: Arc::clone(connector),
        positions: Vec::new(),
        ids: String::new(),
    };
    let (mut with, mut without) = (empty(), empty());
    for message in &slice.messages {
        let id = message.operator_id.as_str();
        let kept = !id.chars().any(char::is_control);
        *refused += u32::from(!kept);
        match message.outcome {
            // It does not have it, whatever id it gave.
            Outcome::Retry | Outcome::NotSent => {}
            _ if kept && !id.is_empty() => {
                if !with.positions.is_empty() {
                    with.ids.push('\n');
                }
                with.positions.push(message.position);
                with.ids.push_str(id);
            }
            Outcome::Taken | Outcome::LeftToReceipt | Outcome::Unknown => {
                without.positions.push(message.position);
            }
            Outcome::Refused(_) | Outcome::Expired => {}
        }
    }
    [with, without].map(|rows| (!rows.positions.is_empty()).then_some(rows))
}

/// Whether a message awaits a receipt after this outcome.
const fn awaits_receipt(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Taken | Outcome::LeftToReceipt)
}

fn receipts((record, unreadable): (Receipts, Option<WireError>)) -> Result<Understood, WireError> {
    let connector = name(&record.connector)?;
    let understand = |slice: ReceiptSlice| {
        let (chunk, polled) = (slice.chunk, record.polled);
        let slice = Slice { connector: Arc::clone(&connector), at: record.at, polled, slice };
        let facts = pushed::facts(&slice).collect();
        (chunk, Heard { facts, polled, slices: vec![slice], ..Heard::default() })
    };
    let chunks = record.slices.into_iter().map(understand).collect();
    let named = record.named.into_iter().map(|one| Named {
        name: (Arc::clone(&connector), one.operator_id),
        receipt: one.receipt,
        code: one.code,
        at: record.at,
    });
    let named = named.collect();
    Ok(Understood { chunks, named, unreadable, ..Understood::default() })
}

/// A connector's name goes into text columns.
fn name(connector: &str) -> Result<Arc<str>, WireError> {
    if connector.chars().any(char::is_control) {
        return Err(WireError::Invalid { field: "connector", detail: "a name" });
    }
    Ok(connector.into())
}

/// Milliseconds after the chunk was minted, as states keep it.
pub(crate) fn after(chunk: ChunkId, at: UnixMillis) -> u32 {
    let millis = at.0.saturating_sub(chunk.minted_at().0).max(0);
    u32::try_from(millis).unwrap_or(u32::MAX)
}
