//! What is written to `sms.receipts` of a push: by partition, and in it by chunk.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::id::ChunkId;
use domain::magfa;
use domain::outcome::{CLOSING_ATTEMPT, Receipt};
use domain::partition;
use domain::time::UnixMillis;
use wire::Version;
use wire::receipts::{MessageReceipt, ReceiptSlice, Receipts};

use super::Pushed;

/// Chunks in one record at most: the reconciler stores a record in one transaction.
const CHUNKS_MAX: usize = 100;

/// The records, each with its partition. A chunk's receipts stay in the order in which they
/// were pushed.
pub(crate) fn records(
    connector: &str,
    pushed: &[Pushed],
    at: UnixMillis,
    partitions: i32,
    version: Version,
) -> Vec<(i32, Bytes)> {
    let mut by_partition: BTreeMap<i32, BTreeMap<ChunkId, Vec<MessageReceipt>>> = BTreeMap::new();
    for Pushed { message, code } in pushed {
        let chunk = message.chunk();
        let chunks = by_partition.entry(partition::of_chunk(chunk, partitions)).or_default();
        let (position, receipt) = (message.index(), receipt_of(*code));
        chunks.entry(chunk).or_default().push(MessageReceipt { position, receipt, code: *code });
    }
    let mut records = Vec::new();
    for (partition, chunks) in by_partition {
        let slices: Vec<ReceiptSlice> = chunks
            .into_iter()
            .map(|(chunk, messages)| ReceiptSlice { chunk, attempt: CLOSING_ATTEMPT, messages })
            .collect();
        records.extend(slices.chunks(CHUNKS_MAX).map(|slices| {
            let receipts =
                Receipts { connector: connector.to_owned(), at, polled: false, slices: slices.to_vec() };
            (partition, receipts.encode(version))
        }));
    }
    records
}

/// A code that the operator's contract does not have says nothing.
pub(crate) fn receipt_of(code: i16) -> Receipt {
    magfa::receipt_of(code).unwrap_or(Receipt::Nothing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use domain::id::MessageId;
    use proptest::prelude::*;

    fn any_push() -> impl Strategy<Value = Vec<Pushed>> {
        let one = (1i64..40, any::<u8>(), prop::sample::select(vec![-1_i16, 0, 1, 2, 8, 16, 77])).prop_map(
            |(chunk, index, code)| Pushed {
                message: MessageId::new(chunk << 8 | i64::from(index)).unwrap(),
                code,
            },
        );
        prop::collection::vec(one, 0..300)
    }

    proptest! {
        /// Everything that was pushed is in there once, in its chunk's partition and order.
        #[test]
        fn nothing_is_lost_or_added(pushed in any_push()) {
            let records = records("magfa", &pushed, UnixMillis(5), 4, Version::NEWEST);
            let mut found: BTreeMap<ChunkId, Vec<MessageReceipt>> = BTreeMap::new();
            for (partition, record) in records {
                let receipts = Receipts::decode(&record).unwrap();
                prop_assert_eq!((receipts.connector.as_str(), receipts.at, receipts.polled), ("magfa", UnixMillis(5), false));
                prop_assert!(receipts.slices.len() <= CHUNKS_MAX && !receipts.slices.is_empty());
                for slice in receipts.slices {
                    prop_assert_eq!(partition, partition::of_chunk(slice.chunk, 4));
                    prop_assert_eq!(slice.attempt, CLOSING_ATTEMPT);
                    prop_assert!(found.insert(slice.chunk, slice.messages).is_none(), "one slice a chunk");
                }
            }
            let mut due: BTreeMap<ChunkId, Vec<MessageReceipt>> = BTreeMap::new();
            for Pushed { message, code } in pushed {
                let heard = MessageReceipt { position: message.index(), receipt: receipt_of(code), code };
                due.entry(message.chunk()).or_default().push(heard);
            }
            prop_assert_eq!(found, due);
        }
    }

    #[test]
    fn a_record_has_so_many_chunks_at_most() {
        let message = |k: i64| MessageId::new(k << 8).unwrap();
        let pushed: Vec<Pushed> = (1..=250).map(|k| Pushed { message: message(k), code: 1 }).collect();
        let sizes: Vec<usize> = records("m", &pushed, UnixMillis(5), 1, Version::NEWEST)
            .iter()
            .map(|(_, record)| Receipts::decode(record).unwrap().slices.len())
            .collect();
        assert_eq!(sizes, [100, 100, 50]);
    }
}
