//! Pushed receipts on real Kafka and Postgres: in the partitions of their chunks, not in those
//! of the account.

use super::rig::Rig;
use crate::samples::{billed, chunk_id, hold, outcome, outcomes, pushed, spoilt};
use domain::lane::Lane;
use domain::outcome::{Outcome, Receipt};
use domain::partition;
use ledger::audit::Expect;
use platform::kafka::topics::Stage;

/// The partition of the account's records.
const HOME: i32 = 3;
const CHUNKS: i64 = 12;

#[tokio::test(flavor = "multi_thread")]
async fn early_or_late_each_is_settled_once_and_forged_ones_are_not() {
    let rig = Rig::new().await;
    let running = rig.run(rig.settings()).await;
    let receipts = rig.topics.receipts();
    let partitions = running.common.partitions;
    let push = async |by: &str, k: i64| {
        let chunk = chunk_id(k);
        let record = pushed(by, chunk, &[(0, Receipt::Delivered), (1, Receipt::Undelivered)]);
        rig.send(&receipts, partition::of_chunk(chunk, partitions), &[record]).await;
    };
    for k in 0..CHUNKS {
        let (chunk, lane) = (chunk_id(k), Lane::ALL[usize::try_from(k % 3).unwrap()]);
        hold(rig.pool(), chunk, 2, 2).await;
        if k % 2 == 0 {
            push("other", k).await;
            push("magfa", k).await;
        }
        rig.send(&rig.topics.of(Stage::Billed, lane), HOME, &[billed(chunk, 2, 2)]).await;
        // In two calls: the row is there before the second message is closed.
        for position in 0..2 {
            let taken = outcomes(chunk, 2, 1, vec![outcome(position, Outcome::Taken)]);
            rig.send(&rig.topics.of(Stage::Attempts, lane), HOME, &[taken]).await;
        }
        if k % 2 == 1 {
            push("magfa", k).await;
        }
        push("magfa", k).await;
    }
    let due = (100_000 - CHUNKS * 1_000, 0);
    rig.until("all is settled or refunded", async || rig.money().await == due).await;
    rig.until("nothing waits", async || rig.count("pending_receipt").await == 0).await;
    assert_eq!(running.alarms(), [("foreign_receipts", "other".to_owned())]);

    // What nobody knows waits, and harms nobody.
    rig.send(&receipts, 0, &[pushed("magfa", chunk_id(99), &[(0, Receipt::Delivered)])]).await;
    rig.until("it waits", async || rig.count("pending_receipt").await == 1).await;
    running.stop().await;
    assert_eq!(rig.money().await, due);
    assert_eq!(rig.positions().await, rig.ends());
    rig.is_clean(Expect::Quiescence).await;
    rig.drop().await;
}

/// A slice that nobody can read, in a record of many chunks: the others are applied, and the
/// record is kept whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_slice_that_nobody_can_read_takes_no_other_with_it() {
    let rig = Rig::new().await;
    let running = rig.run(rig.settings()).await;
    let chunks: Vec<_> = (0..CHUNKS).map(chunk_id).collect();
    for chunk in &chunks {
        hold(rig.pool(), *chunk, 1, 1).await;
        rig.send(&rig.topics.of(Stage::Billed, Lane::Bulk), HOME, &[billed(*chunk, 1, 1)]).await;
        let taken = outcomes(*chunk, 1, 1, vec![outcome(0, Outcome::Taken)]);
        rig.send(&rig.topics.of(Stage::Attempts, Lane::Bulk), HOME, &[taken]).await;
    }
    let good: Vec<_> =
        chunks.iter().map(|chunk| pushed("magfa", *chunk, &[(0, Receipt::Delivered)])).collect();
    let (receipts, record) = (rig.topics.receipts(), spoilt(&good));
    rig.send(&receipts, 1, std::slice::from_ref(&record)).await;
    let due = (100_000 - CHUNKS * 1_000, 0);
    rig.until("all is settled", async || rig.money().await == due).await;
    rig.until("the record is kept", async || rig.count("parked").await == 1).await;
    let parked: (String, Vec<u8>) =
        sqlx::query_as("select reason, record from parked").fetch_one(rig.pool()).await.unwrap();
    assert_eq!(parked, ("undecodable_in_part".to_owned(), record.to_vec()));
    assert_eq!(running.alarms(), [("parked_record", format!("{receipts}/1"))]);
    rig.until("nothing is read again", async || rig.positions().await == rig.ends()).await;
    running.stop().await;
    rig.is_clean(Expect::Quiescence).await;
    rig.drop().await;
}
