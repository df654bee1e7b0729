//! A segment: rows that are handed to Kafka together. Its stamps say everything that cannot be
//! read from the file, so that the same rows make the same records again.

use std::collections::BTreeSet;

use domain::id::{ChunkId, Run};
use domain::money::Money;
use domain::rows::Prefix;
use domain::time::UnixMillis;
use wire::submitted::Chunk;

use super::campaign::{ERRORS_KEPT, RowError, Taken};
use super::file::FileRow;
use crate::chunking::Row;
use crate::prepare::CheckedRows;

/// Which rows a segment has, and what is at fault among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Its messages are the rows behind this one,
    pub(super) before: u64,
    /// up to here,
    pub(super) after: Prefix,
    /// but for these, counted from `before`.
    pub(super) left_out: BTreeSet<u32>,
    /// Those of them that are at fault, and how.
    pub(super) invalid: BTreeSet<u32>,
    pub(super) errors: Vec<RowError>,
    /// Of each message.
    pub(super) segments: Vec<u8>,
}

/// What is stored of a segment before it is produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) plan: Plan,
    pub(super) first_chunk: ChunkId,
    /// Messages of each chunk.
    pub(super) chunks: Vec<u16>,
    /// Over what its records ask for.
    pub(super) hash: u64,
    pub(super) line: String,
    pub(super) tariff_version: u32,
    pub(super) created_at: UnixMillis,
    pub(super) send_by: UnixMillis,
}

/// What the ledger says of a chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Paid {
    /// The length of the prefix that was paid for.
    pub(super) messages: u16,
    pub(super) cost: Money,
}

impl Plan {
    /// Of rows that were checked, the first of them behind `before`.
    pub(super) fn new(rows: &[FileRow], checked: &CheckedRows, before: u64) -> Self {
        let place = |row: &FileRow| u32::try_from(row.prefix.rows - before).unwrap_or(u32::MAX);
        let at = |index: u32| rows.get(index as usize).map(place);
        let after = checked.count.checked_sub(1).and_then(|last| rows.get(last)).map(|row| row.prefix);
        let after = after.unwrap_or_default();
        let count = u32::try_from(after.rows.saturating_sub(before)).unwrap_or(u32::MAX);
        let messages: BTreeSet<u32> = checked.call.rows.iter().filter_map(|row| at(row.index)).collect();
        let text = |row: &Row| checked.call.texts.get(row.text as usize);
        Plan {
            before,
            after,
            left_out: (1..=count).filter(|place| !messages.contains(place)).collect(),
            invalid: checked.left_out.iter().filter_map(|(index, _)| at(*index)).collect(),
            errors: checked.left_out.iter().map(|(_, error)| error.clone()).take(ERRORS_KEPT).collect(),
            segments: checked.call.rows.iter().map(|row| text(row).map_or(0, |text| text.segments)).collect(),
        }
    }

    /// The numbers of the rows that are its messages, in order.
    pub(super) fn rows(&self) -> impl Iterator<Item = u64> {
        let places = 1..=u32::try_from(self.after.rows.saturating_sub(self.before)).unwrap_or(u32::MAX);
        let messages = places.filter(|place| !self.left_out.contains(place));
        messages.map(|place| self.before + u64::from(place))
    }

    /// Takes it in, as far as it was paid for. What was refused is owed: it is sent when the
    /// file comes again. (Later rows may be paid for: they can be cheaper, and a refund or a
    /// charge may come between two chunks. So it is not enough to let the rows end there.)
    pub(super) fn settle(&self, chunks: &[u16], paid: &[Paid], taken: &mut Taken) {
        for place in &self.invalid {
            taken.owed.remove(&(self.before + u64::from(*place)));
        }
        taken.left_out(self.invalid.len(), &self.errors);
        let mut messages = self.rows().zip(&self.segments);
        for (size, paid) in chunks.iter().zip(paid) {
            for (position, (row, segments)) in (0..*size).zip(&mut messages) {
                if position < paid.messages {
                    taken.owed.remove(&row);
                    taken.accepted += 1;
                    taken.segments += u64::from(*segments);
                } else {
                    taken.owed.insert(row);
                }
            }
            taken.price = taken.price.checked_add(paid.cost).unwrap_or(taken.price);
        }
        if self.after.rows > taken.prefix.rows {
            taken.prefix = self.after;
        }
    }
}

impl Segment {
    /// The ids of its chunks.
    pub(super) fn run(&self) -> Run {
        Run { first: self.first_chunk, count: u32::try_from(self.chunks.len()).unwrap_or(u32::MAX) }
    }

    /// Takes it in, as [`Plan::settle`].
    pub(super) fn settle(&self, paid: &[Paid], taken: &mut Taken) {
        self.plan.settle(&self.chunks, paid, taken);
    }
}

/// A hash over what records ask for, whatever stamps they carry.
pub(super) fn hash(chunks: &[Chunk]) -> u64 {
    let each: Vec<[u8; 8]> = chunks.iter().map(|chunk| chunk.request_hash().to_le_bytes()).collect();
    Prefix::default().then(each.iter().map(<[u8; 8]>::as_slice)).hash
}
