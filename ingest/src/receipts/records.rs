//! What is written to `sms.receipts` of a push: by partition, and in it by chunk, or by the
//! operator's id.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::id::ChunkId;
use domain::magfa;
use domain::outcome::{CLOSING_ATTEMPT, Receipt};
use domain::partition;
use domain::time::UnixMillis;
use wire::Version;
use wire::receipts::{MessageReceipt, NamedReceipt, ReceiptSlice, Receipts};

use super::{Of, Pushed};

/// Chunks in one record at most: the reconciler stores a record in one transaction.
const CHUNKS_MAX: usize = 100;

/// The records, each with its partition. A chunk's receipts stay in the order in which they
/// were pushed. What is said of messages that cannot be ours is in none.
pub(crate) fn records(
    connector: &str,
    pushed: &[Pushed],
    at: UnixMillis,
    partitions: i32,
    version: Version,
) -> Vec<(i32, Bytes)> {
    let mut by_partition: BTreeMap<i32, BTreeMap<ChunkId, Vec<MessageReceipt>>> = BTreeMap::new();
    let mut named: BTreeMap<i32, Vec<NamedReceipt>> = BTreeMap::new();
    for Pushed { of, code } in pushed {
        let (receipt, code) = (receipt_of(*code), *code);
        match of {
            Of::Message(message) => {
                let (chunk, position) = (message.chunk(), message.index());
                let chunks = by_partition.entry(partition::of_chunk(chunk, partitions)).or_default();
                chunks.entry(chunk).or_default().push(MessageReceipt { position, receipt, code });
            }
            Of::OperatorId(id) => {
                let one = NamedReceipt { operator_id: id.clone(), receipt, code };
                named.entry(partition::of_operator_id(id, partitions)).or_default().push(one);
            }
            Of::Nobody => {}
        }
    }
    let record = |slices: &[ReceiptSlice], named: &[NamedReceipt]| {
        let (connector, slices, named) = (connector.to_owned(), slices.to_vec(), named.to_vec());
        Receipts { connector, at, polled: false, slices, named }.encode(version)
    };
    let mut records = Vec::new();
    for (partition, chunks) in by_partition {
        let slices: Vec<ReceiptSlice> = chunks
            .into_iter()
            .map(|(chunk, messages)| ReceiptSlice { chunk, attempt: CLOSING_ATTEMPT, messages })
            .collect();
        records.extend(slices.chunks(CHUNKS_MAX).map(|slices| (partition, record(slices, &[]))));
    }
    for (partition, named) in named {
        records.extend(named.chunks(CHUNKS_MAX).map(|named| (partition, record(&[], named))));
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
    use proptest::prelude::*;

    /// Some of few chunks, some of any chunk, and some that cannot be ours.
    fn any_id() -> impl Strategy<Value = i128> {
        let ours = (1i128..40, any::<u8>()).prop_map(|(chunk, index)| chunk << 8 | i128::from(index));
        let edges = [0, 1, 255, 256, -1, i64::MAX.into(), i128::from(i64::MAX) + 1, i64::MIN.into()];
        prop_oneof![
            8 => ours,
            1 => any::<i64>().prop_map(i128::from),
            1 => -300i128..300,
            1 => prop::sample::select(edges.to_vec()),
            1 => any::<i128>(),
        ]
    }

    fn any_push() -> impl Strategy<Value = Vec<Pushed>> {
        let one = (any_id(), prop::sample::select(vec![-1_i16, 0, 1, 2, 8, 16, 77]));
        prop::collection::vec(one.prop_map(|(id, code)| Pushed { of: Of::id(id), code }), 0..300)
    }

    proptest! {
        /// Whatever ids were pushed, every record can be read, and what is of a message that may
        /// be ours is in there once, in its chunk's partition and order.
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
            for Pushed { of, code } in pushed {
                let Of::Message(message) = of else { continue };
                let heard = MessageReceipt { position: message.index(), receipt: receipt_of(code), code };
                due.entry(message.chunk()).or_default().push(heard);
            }
            prop_assert_eq!(found, due);
        }

        /// Only what stands below the first chunk, or is no positive number of 63 bits, cannot
        /// be ours.
        #[test]
        fn what_may_be_ours_is_taken_as_it_is(id in any_id()) {
            let due = (256..=i128::from(i64::MAX)).contains(&id).then_some(id);
            let taken = match Of::id(id) {
                Of::Message(message) => Some(i128::from(message.get())),
                Of::OperatorId(_) | Of::Nobody => None,
            };
            prop_assert_eq!(taken, due);
        }
    }

    /// What is pushed about one id stays in order.
    #[test]
    fn what_the_operators_ids_name_is_in_their_partitions() {
        let id = |k: i16| format!("{}", k % 50);
        let pushed: Vec<Pushed> =
            (0..400).map(|k| Pushed { of: Of::OperatorId(id(k)), code: k % 3 }).collect();
        let mut found: BTreeMap<String, Vec<i16>> = BTreeMap::new();
        for (partition, record) in records("smpp", &pushed, UnixMillis(5), 4, Version::NEWEST) {
            let receipts = Receipts::decode(&record).unwrap();
            assert!(receipts.slices.is_empty() && receipts.named.len() <= CHUNKS_MAX);
            for one in receipts.named {
                assert_eq!(partition, partition::of_operator_id(&one.operator_id, 4));
                found.entry(one.operator_id).or_default().push(one.code);
            }
        }
        assert_eq!(found.len(), 50);
        for (id, codes) in found {
            let due = pushed.iter().filter(|pushed| pushed.of == Of::OperatorId(id.clone()));
            assert_eq!(codes, due.map(|pushed| pushed.code).collect::<Vec<_>>(), "{id}");
        }
    }

    #[test]
    fn a_record_has_so_many_chunks_at_most() {
        let pushed: Vec<Pushed> = (1..=250).map(|k: i128| Pushed { of: Of::id(k << 8), code: 1 }).collect();
        let sizes: Vec<usize> = records("m", &pushed, UnixMillis(5), 1, Version::NEWEST)
            .iter()
            .map(|(_, record)| Receipts::decode(record).unwrap().slices.len())
            .collect();
        assert_eq!(sizes, [100, 100, 50]);
    }
}
