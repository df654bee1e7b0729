#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use domain::id::{ChunkId, Run};
use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::text::Encoding;
use domain::time::UnixMillis;
use proptest::prelude::*;
use wire::submitted::Text;

use super::*;
use crate::chunking::{Row, cut};

fn call(accepted: &BTreeSet<u32>) -> Call {
    let row = |index: &u32| Row {
        index: *index,
        recipient: Msisdn::from_canonical(989_123_456_789).unwrap(),
        text: 0,
        reference: 0,
        price: Money::new(1_000),
    };
    Call {
        account: 1,
        asked_lane: Lane::Bulk,
        lane: Lane::Bulk,
        line: "100002".into(),
        texts: vec![Text { body: "hello".into(), encoding: Encoding::Gsm7, segments: 1 }],
        references: vec![String::new()],
        rows: accepted.iter().map(row).collect(),
        tariff_version: 1,
        created_at: UnixMillis(0),
        send_by: UnixMillis(1),
        campaign: 0,
    }
}

proptest! {
    /// The ids that a customer computes from the ranges are the ids of the messages, and every
    /// accepted message is in one range: of each chunk the first ones, as the ledger paid.
    #[test]
    fn ranges_lead_to_every_id(
        accepted in prop::collection::btree_set(0u32..900, 1..700),
        chunk_messages in 1usize..=256,
        paid in prop::collection::vec(0usize..=256, 1..8),
    ) {
        let call = call(&accepted);
        let cuts = cut(&call, chunk_messages);
        let first = ChunkId::new(ChunkId::floor(UnixMillis(1_767_225_601_000))).unwrap();
        let run = Run { first, count: u32::try_from(cuts.len()).unwrap() };
        let paid = cuts.iter().zip(paid.iter().cycle()).map(|(rows, paid)| rows.len().min(*paid)).collect();
        let submitted = Submitted::new(run, Arc::new(call), cuts, paid);

        let mut computed = Vec::new();
        for range in ranges(&submitted) {
            let first_id: i64 = range.first_id.parse().unwrap();
            for index in range.index..range.index + range.count {
                computed.push((index, first_id + i64::from(index - range.index)));
            }
        }
        let expected: Vec<(u32, i64)> = submitted.chunks().zip(run.ids()).flat_map(|((rows, paid), chunk)| {
            let rows = submitted.call.rows[rows][..paid].iter().zip(0u8..=255);
            rows.map(move |(row, position)| (row.index, chunk.message(position).get())).collect::<Vec<_>>()
        }).collect();
        prop_assert_eq!(computed, expected);

        // What is not accepted is listed, and each message is one or the other.
        let all = i64::try_from(submitted.call.rows.len()).unwrap();
        let batch = Batch { submitted: &submitted, segments: all.unsigned_abs(), price: Money::new(1_000 * all) };
        let answer = BulkAccepted::new(&batch, &[], "IRR");
        prop_assert_eq!(answer.accepted + answer.left_out(), submitted.call.rows.len());
        prop_assert_eq!(answer.segments, answer.accepted as u64);
        prop_assert_eq!(answer.price, 1_000 * i64::try_from(answer.accepted).unwrap());
    }
}
