#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

fn chunk(number: i64) -> ChunkId {
    ChunkId::new(number << 8).unwrap()
}

fn due(open: &[u8]) -> Due {
    Due { place: Place::START, open: open.iter().copied().collect() }
}

fn id(id: &str, attempt: u8, position: u8) -> OperatorId {
    OperatorId { id: id.to_owned(), connector: "magfa".into(), attempt, position }
}

#[test]
fn open_messages_are_asked_by_their_ids() {
    let ids = vec![id("a", 1, 0), id("b", 2, 1), id("c", 1, 7)];
    let asked = asked(3, chunk(1), due(&[1, 4, 7]), ids);
    let by = |one: &Asked| one.by.as_ref().map(|(id, connector)| (id.clone(), connector.to_string()));
    let asked: Vec<_> = asked.iter().map(|one| (one.position, one.attempt, by(one))).collect();
    let magfa = |id: &str| Some((id.to_owned(), "magfa".to_owned()));
    assert_eq!(asked, [(1, 2, magfa("b")), (7, 1, magfa("c")), (4, 1, None)]);
}

#[test]
fn a_call_across_partitions_is_a_record_for_each() {
    let mut all = asked(3, chunk(1), due(&[0, 1]), vec![id("a", 1, 0), id("b", 2, 1)]);
    all.extend(asked(5, chunk(2), due(&[9]), vec![id("c", 1, 9)]));
    all.extend(asked(3, chunk(3), due(&[2]), vec![]));
    let delivered = Polled { receipt: Receipt::Delivered, code: 1 };
    let polled = HashMap::from([("b".to_owned(), delivered), ("c".to_owned(), delivered)]);
    let records = records("magfa", UnixMillis(7), &all, &polled);
    let slice = |chunk, attempt, position, receipt, code| ReceiptSlice {
        chunk,
        attempt,
        messages: vec![MessageReceipt { position, receipt, code }],
    };
    let record = |slices| Receipts {
        connector: "magfa".into(),
        at: UnixMillis(7),
        polled: true,
        slices,
        named: vec![],
    };
    let third = record(vec![
        slice(chunk(1), 1, 0, Receipt::Nothing, 0),
        slice(chunk(1), 2, 1, Receipt::Delivered, 1),
        slice(chunk(3), 1, 2, Receipt::Nothing, 0),
    ]);
    let fifth = record(vec![slice(chunk(2), 1, 9, Receipt::Delivered, 1)]);
    assert_eq!(records, BTreeMap::from([(3, third), (5, fifth)]));
}

fn some_asked() -> impl Strategy<Value = Vec<Asked>> {
    let one = (1..4_u8, any::<bool>());
    proptest::collection::btree_map((1..6_i64, any::<u8>()), one, 1..100).prop_map(|asked| {
        let asked = asked.into_iter().map(|((number, position), (attempt, has_id))| Asked {
            // A chunk has one partition.
            partition: i32::try_from(number % 3).unwrap(),
            place: Place::START,
            chunk: chunk(number),
            attempt,
            position,
            by: has_id.then(|| (format!("{number}-{position}"), "magfa".into())),
        });
        asked.collect()
    })
}

proptest! {
    #[test]
    fn whatever_is_asked_is_answered_once_in_its_own_partition(asked in some_asked()) {
        let mut answered = BTreeSet::new();
        for (partition, record) in records("magfa", UnixMillis(7), &asked, &HashMap::new()) {
            prop_assert!(record.polled);
            for slice in record.slices {
                for message in slice.messages {
                    let new = answered.insert((partition, slice.chunk, slice.attempt, message.position));
                    prop_assert!(new);
                }
            }
        }
        let all = asked.iter().map(|one| (one.partition, one.chunk, one.attempt, one.position)).collect();
        prop_assert_eq!(answered, all);
    }
}
