//! What was read and is not stored yet, by chunk. Pure: no clock, no database.

use crate::flush::Named;
use crate::listing::Listing;
use crate::read::{Stream, Undecodable, Understood};
use bytes::Bytes;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::status::Fact;
use domain::time::UnixMillis;
use std::collections::BTreeMap;
use std::sync::Arc;
use wire::receipts::ReceiptSlice;

#[cfg(test)]
pub(crate) mod tests;

/// How the state row of a chunk is made where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewRow {
    pub(crate) account: i64,
    pub(crate) lane: Lane,
    pub(crate) partition: i32,
    /// Messages of the chunk.
    pub(crate) size: u16,
    /// The campaign it belongs to: only a billed record says.
    pub(crate) campaign: Option<i64>,
}

/// Receipts as they were heard: kept as they are where their chunk is not known yet, or the
/// attempt that they belong to.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) connector: Arc<str>,
    pub(crate) at: UnixMillis,
    pub(crate) polled: bool,
    pub(crate) slice: ReceiptSlice,
}

/// What was heard of one chunk.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// By position in the chunk. What cannot change a state is not among them.
    pub(crate) facts: Vec<(u8, Fact)>,
    /// Nothing: there must be a state row already (receipts make none).
    pub(crate) row: Option<NewRow>,
    /// The connector of outcomes after which messages await a receipt.
    pub(crate) sent_by: Option<Arc<str>>,
    /// Whether the operator answered a poll.
    pub(crate) polled: bool,
    /// The receipts among it.
    pub(crate) slices: Vec<Slice>,
}

/// A chunk as it was billed.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) chunk: ChunkId,
    pub(crate) account: i64,
    pub(crate) lane: Lane,
    pub(crate) messages: u16,
    /// First chunk of its call, chunks and messages in it.
    pub(crate) call: (ChunkId, u32, u32),
    pub(crate) send_by: UnixMillis,
    /// What lists find it by.
    pub(crate) listing: Listing,
    /// The billed record.
    pub(crate) record: Bytes,
}

/// Messages of one call that an operator has, or may have: those that it gave ids for, or those
/// that it gave none for.
#[derive(Debug)]
pub(crate) struct OperatorIds {
    pub(crate) chunk: ChunkId,
    pub(crate) attempt: u8,
    pub(crate) connector: Arc<str>,
    /// At least one, in the order of `ids`.
    pub(crate) positions: Vec<u8>,
    /// One a line; empty where there are none.
    pub(crate) ids: String,
}

/// A record that nobody can read, or not all of it.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) offset: i64,
    pub(crate) record: Bytes,
    /// What could be read of it is in the batch.
    pub(crate) in_part: bool,
}

/// What one partition of one topic brought since its stored position.
#[derive(Debug)]
pub(crate) struct Batch {
    from: i64,
    to: i64,
    pub(crate) chunks: BTreeMap<ChunkId, Heard>,
    pub(crate) contents: Vec<Content>,
    pub(crate) operator_ids: Vec<OperatorIds>,
    /// Receipts that only the operators' ids name.
    pub(crate) named: Vec<Named>,
    pub(crate) unreadable: Vec<Unreadable>,
}

/// What to do with a record that cannot be understood.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its effects are in the batch.
    Taken,
    /// It will be parked; what can be read of it is in the batch.
    Parked,
    /// It must not be skipped: the partition stops in front of it.
    Stops,
}

impl Batch {
    /// Nothing read yet from the stored position on.
    pub(crate) fn new(from: i64) -> Self {
        Batch {
            from,
            to: from,
            chunks: BTreeMap::new(),
            contents: Vec::new(),
            operator_ids: Vec::new(),
            named: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    /// The stored position.
    pub(crate) fn from(&self) -> i64 {
        self.from
    }

    /// The position to store with everything in here.
    pub(crate) fn to(&self) -> i64 {
        self.to
    }

    /// Whether there is no position to store.
    pub(crate) fn is_empty(&self) -> bool {
        self.from == self.to
    }

    /// Offsets in here.
    pub(crate) fn width(&self) -> i64 {
        self.to - self.from
    }

    /// How many chunks it touches.
    pub(crate) fn size(&self) -> usize {
        self.chunks.len().max(self.contents.len()).max(self.named.len())
    }

    /// Takes in what the record at `offset` brings; offsets come rising. Skipping an
    /// attempt or a verdict would lose or repeat a message; a receipt can be looked at later.
    pub(crate) fn take(
        &mut self,
        stream: Stream,
        offset: i64,
        record: &Bytes,
        understood: Result<Understood, Undecodable>,
    ) -> Verdict {
        let in_part = understood.is_ok();
        let verdict = match understood {
            Ok(Understood { unreadable: None, .. }) => Verdict::Taken,
            Ok(_) => Verdict::Parked,
            Err(_) if stream == Stream::Receipts => Verdict::Parked,
            Err(_) => return Verdict::Stops,
        };
        if verdict == Verdict::Parked {
            self.unreadable.push(Unreadable { offset, record: record.clone(), in_part });
        }
        understood.into_iter().for_each(|understood| self.absorb(understood));
        self.to = offset + 1;
        verdict
    }

    /// Takes in what is of no offset.
    pub(crate) fn absorb(&mut self, understood: Understood) {
        for (chunk, heard) in understood.chunks {
            self.chunks.entry(chunk).or_default().add(heard);
        }
        self.contents.extend(understood.content);
        self.operator_ids.extend(understood.operator_ids);
        self.named.extend(understood.named);
    }
}

impl Heard {
    pub(crate) fn add(&mut self, mut more: Heard) {
        if self.facts.is_empty() {
            self.facts = more.facts;
        } else {
            self.facts.append(&mut more.facts);
        }
        self.row = match (self.row, more.row) {
            (Some(row), Some(other)) => Some(NewRow { campaign: row.campaign.or(other.campaign), ..row }),
            (row, other) => row.or(other),
        };
        self.sent_by = self.sent_by.take().or(more.sent_by);
        self.polled |= more.polled;
        self.slices.append(&mut more.slices);
    }
}

/// What several batches say of each chunk, by chunk id. (Receipts of one chunk may come
/// from several partitions.)
pub(crate) fn by_chunk<'a>(
    batches: impl IntoIterator<Item = &'a Batch>,
) -> BTreeMap<ChunkId, Vec<&'a Heard>> {
    let mut chunks: BTreeMap<ChunkId, Vec<&Heard>> = BTreeMap::new();
    for batch in batches {
        for (chunk, heard) in &batch.chunks {
            chunks.entry(*chunk).or_default().push(heard);
        }
    }
    chunks
}
