//! What an operator is asked in one call, and what its answer is written as.

use super::due::{Due, OperatorId};
use super::places::Place;
use crate::magfa::Polled;
use domain::id::ChunkId;
use domain::outcome::Receipt;
use domain::time::UnixMillis;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use wire::receipts::{MessageReceipt, ReceiptSlice, Receipts};

/// One message asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) partition: i32,
    /// Where its chunk stands among what is due.
    pub(super) place: Place,
    pub(super) chunk: ChunkId,
    pub(super) attempt: u8,
    pub(super) position: u8,
    /// The id to ask by, and whom. Nothing: there is none. Its due time moves on all the same.
    pub(super) by: Option<(String, Arc<str>)>,
}

impl Asked {
    /// Whom to ask; nothing where there is no id to ask by.
    pub(super) fn connector(&self) -> Option<&Arc<str>> {
        self.by.as_ref().map(|(_, connector)| connector)
    }
}

/// The open messages of a chunk.
pub(super) fn asked(partition: i32, chunk: ChunkId, due: Due, ids: Vec<OperatorId>) -> Vec<Asked> {
    let Due { place, open } = due;
    let mut left = open;
    let mut asked = Vec::with_capacity(open.len());
    for OperatorId { id, connector, attempt, position } in ids {
        if left.contains(position) {
            left.remove(position);
            asked.push(Asked { partition, place, chunk, attempt, position, by: Some((id, connector)) });
        }
    }
    asked.extend(left.iter().map(|position| Asked {
        partition,
        place,
        chunk,
        attempt: 1,
        position,
        by: None,
    }));
    asked
}

/// The answer to a call as records, one for each partition. Empty answers are among them:
/// consuming them moves the chunks' due times on.
pub(super) fn records(
    connector: &str,
    at: UnixMillis,
    asked: &[Asked],
    polled: &HashMap<String, Polled>,
) -> BTreeMap<i32, Receipts> {
    let mut slices: BTreeMap<(i32, ChunkId, u8), Vec<MessageReceipt>> = BTreeMap::new();
    for asked in asked {
        let nothing = Polled { receipt: Receipt::Nothing, code: 0 };
        let by = asked.by.as_ref();
        let Polled { receipt, code } = by.and_then(|(id, _)| polled.get(id)).copied().unwrap_or(nothing);
        let of = (asked.partition, asked.chunk, asked.attempt);
        slices.entry(of).or_default().push(MessageReceipt { position: asked.position, receipt, code });
    }
    let empty = || Receipts {
        connector: connector.to_owned(),
        at,
        polled: true,
        slices: Vec::new(),
        named: Vec::new(),
    };
    let mut records: BTreeMap<i32, Receipts> = BTreeMap::new();
    for ((partition, chunk, attempt), messages) in slices {
        let record = records.entry(partition).or_insert_with(empty);
        record.slices.push(ReceiptSlice { chunk, attempt, messages });
    }
    records
}

#[cfg(test)]
mod tests;
