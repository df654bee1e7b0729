//! The whole role on real Kafka and Postgres.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ends;
mod pushed;
mod rig;

use crate::samples::{billed, chunk_id, fence, hold, outcome, outcomes, receipts};
use bytes::Bytes;
use domain::lane::Lane;
use domain::outcome::{Outcome, Receipt, Refusal};
use ledger::audit::Expect;
use platform::kafka::topics::Stage;
use rig::{HELD, Rig};

/// What is written about a chunk of two: one delivered, one refused by the operator.
fn told(k: i64) -> [Bytes; 3] {
    let chunk = chunk_id(k);
    let ended = vec![outcome(0, Outcome::Taken), outcome(1, Outcome::Refused(Refusal::Operator))];
    [billed(chunk, 2, 2), outcomes(chunk, 2, 1, ended), receipts(chunk, 1, true, &[(0, Receipt::Delivered)])]
}

#[tokio::test(flavor = "multi_thread")]
async fn from_topics_to_settled_and_again_after_a_restart() {
    let rig = Rig::new().await;
    let running = rig.run(rig.settings()).await;
    let mut sent = 0;
    for round in 0..2 {
        for (number, lane) in Lane::ALL.into_iter().enumerate() {
            let k = round * 3 + number as i64;
            hold(rig.pool(), chunk_id(k), 2, 2).await;
            let [billed, outcomes, receipts] = told(k);
            // Receipts first, and elsewhere: none is lost.
            rig.send(&rig.topics.receipts(), 1, &[receipts]).await;
            rig.send(&rig.topics.of(Stage::Billed, lane), 3, &[billed]).await;
            rig.send(&rig.topics.of(Stage::Attempts, lane), 3, &[fence(), outcomes.clone(), outcomes]).await;
            sent += 1;
        }
        rig.until("all is settled", async || rig.money().await == (100_000 - sent * 1_000, 0)).await;
    }
    rig.until("all receipts are matched", async || rig.count("pending_receipt").await == 0).await;
    rig.until("all content is there", async || rig.count("chunk_content").await == sent).await;
    running.stop().await;
    assert_eq!(rig.positions().await, rig.ends(), "everything is stored before partitions are given back");

    // Nothing is left to do, and nothing is done again.
    let running = rig.run(rig.settings()).await;
    let [_, outcomes, receipts] = told(0);
    rig.send(&rig.topics.of(Stage::Attempts, Lane::Express), 3, &[outcomes]).await;
    rig.send(&rig.topics.receipts(), 2, &[receipts]).await;
    rig.until("repetitions are read", async || rig.positions().await == rig.ends()).await;
    assert_eq!(rig.money().await, (100_000 - sent * 1_000, 0));
    running.stop().await;
    rig.is_clean(Expect::Quiescence).await;
    rig.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_hand_is_stored_when_asked_to_stop() {
    let rig = Rig::new().await;
    let mut settings = rig.settings();
    settings.bulk_flush_ms = 30_000;
    // So many offsets, and nothing is waited for: by these it is known that the topic is read.
    settings.consumer.ahead_records = 4;
    let running = rig.run(settings).await;
    let attempts = rig.topics.of(Stage::Attempts, Lane::Bulk);
    rig.send(&attempts, 0, &[fence(), fence()]).await;
    rig.until("attempts are read", async || rig.position(&attempts, 0).await == 2).await;
    hold(rig.pool(), chunk_id(0), 2, 2).await;
    let [billed, outcomes, _] = told(0);
    rig.send(&attempts, 0, &[outcomes]).await;
    rig.send(&rig.topics.of(Stage::Billed, Lane::Bulk), 0, &[billed]).await;
    rig.until("content is stored", async || rig.count("chunk_content").await == 1).await;
    running.stop().await;
    assert_eq!(rig.positions().await, rig.ends());
    assert_eq!(rig.money().await, (99_000, 1_000));
    rig.is_clean(Expect::Traffic).await;
    rig.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_found_out() {
    let rig = Rig::new().await;
    let mut settings = rig.settings();
    settings.bulk_flush_ms = 1_500;
    let running = rig.run(settings).await;
    for k in 0..2 {
        hold(rig.pool(), chunk_id(k), 2, 2).await;
    }
    let topic = rig.topics.of(Stage::Attempts, Lane::Bulk);
    let [_, first, _] = told(0);
    let [_, second, _] = told(1);
    rig.send(&topic, 0, &[first]).await;
    // The position moves under the same epoch while the record is in hand: as if the
    // transaction had been committed. It is not stored again, and reading goes on behind it.
    rig.move_position(&topic, 0, 1).await;
    rig.send(&topic, 0, &[second]).await;
    rig.until("reading goes on", async || rig.position(&topic, 0).await == 2).await;
    assert_eq!(rig.count("chunk_state").await, 1, "the second chunk alone");
    running.stop().await;
    rig.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_epoch_ends_the_work_on_a_partition() {
    let rig = Rig::new().await;
    let running = rig.run(rig.settings()).await;
    hold(rig.pool(), chunk_id(0), 2, 2).await;
    let topic = rig.topics.of(Stage::Attempts, Lane::Standard);
    rig.take_over(1).await;
    let [_, outcomes, _] = told(0);
    rig.send(&topic, 1, &[outcomes]).await;
    hold(rig.pool(), chunk_id(1), 2, 2).await;
    let [_, outcomes, _] = told(1);
    rig.send(&topic, 0, &[outcomes]).await;
    // In the same transaction at first: the other partition is stored without it.
    rig.until("the other partition goes on", async || rig.position(&topic, 0).await == 1).await;
    assert_eq!((rig.position(&topic, 1).await, rig.count("chunk_state").await), (0, 1));
    running.stop().await;
    rig.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_must_not_be_skipped_stops_its_partition() {
    let rig = Rig::new().await;
    let running = rig.run(rig.settings()).await;
    for k in 0..2 {
        hold(rig.pool(), chunk_id(k), 2, 2).await;
    }
    let topic = rig.topics.of(Stage::Attempts, Lane::Express);
    let [_, first, _] = told(0);
    let [_, second, _] = told(1);
    let rubbish = Bytes::from_static(b"rubbish");
    rig.send(&topic, 0, &[first, rubbish.clone(), second.clone()]).await;
    rig.send(&topic, 1, &[second]).await;
    rig.send(&rig.topics.receipts(), 0, &[rubbish]).await;
    rig.until("what stands before it is stored", async || rig.position(&topic, 0).await == 1).await;
    rig.until("other partitions go on", async || rig.position(&topic, 1).await == 1).await;
    rig.until("receipts are parked", async || rig.count("parked").await == 1).await;
    let alarms = running.alarms();
    assert_eq!(
        alarms,
        [
            ("parked_record", format!("{}/0", rig.topics.receipts())),
            ("undecodable_record", format!("{topic}/0")),
        ]
    );
    running.stop().await;
    assert_eq!(rig.position(&topic, 0).await, 1, "nothing is skipped");
    rig.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_that_kafka_does_not_have_stops_its_partition_of_its_topic_alone() {
    let rig = Rig::new().await;
    let topic = rig.topics.of(Stage::Billed, Lane::Standard);
    let records: Vec<Bytes> = (0..3).map(|k| billed(chunk_id(k), 1, 1)).collect();
    rig.send(&topic, 0, &records).await;
    rig.move_position(&topic, 1, 7).await;
    let running = rig.run(rig.settings()).await;
    rig.until("it says so", async || !running.alarms().is_empty()).await;
    assert_eq!(running.alarms(), [("dlr_reconciler_cannot_read", format!("{topic}/1"))]);
    let attempts = rig.topics.of(Stage::Attempts, Lane::Standard);
    rig.send(&attempts, 1, &[fence()]).await;
    rig.until("the partition's other topics go on", async || rig.position(&attempts, 1).await == 1).await;
    rig.until("other partitions go on", async || rig.position(&topic, 0).await == 3).await;
    running.stop().await;
    assert_eq!(rig.position(&topic, 1).await, 7, "nothing is skipped");
    rig.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_database_refuses() {
    let rig = Rig::new().await;
    let running = rig.run(rig.settings()).await;
    rig.execute("alter table chunk_content rename to away").await;
    let topic = rig.topics.of(Stage::Billed, Lane::Standard);
    let records: Vec<Bytes> = (0..50).map(|k| billed(chunk_id(k), 1, 1)).collect();
    rig.send(&topic, 2, &records).await;
    rig.until("it says so", async || running.is_failing("dlr-reconciler.standard")).await;
    assert_eq!(rig.position(&topic, 2).await, 0);
    rig.execute("alter table away rename to chunk_content").await;
    rig.until("everything is stored", async || rig.count("chunk_content").await == 50).await;
    rig.until("it is well again", async || !running.is_failing("dlr-reconciler.standard")).await;
    running.stop().await;
    assert_eq!(rig.position(&topic, 2).await, 50);
    rig.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_given_back_only_when_everything_is_stored() {
    let rig = Rig::new().await;
    let running = rig.run(rig.settings()).await;
    rig.execute("alter table chunk_content rename to away").await;
    let topic = rig.topics.of(Stage::Billed, Lane::Bulk);
    let records: Vec<Bytes> = (0..15).map(|k| billed(chunk_id(k), 1, 1)).collect();
    rig.send(&topic, 2, &records).await;
    rig.until("it says so", async || running.is_failing("dlr-reconciler.bulk")).await;
    let stopping = tokio::spawn(running.stop());
    // The owner waits for each in turn: the two before it are free, it is not.
    rig.until("others are given back", async || rig.count(HELD).await <= 2).await;
    rig.execute("alter table away rename to chunk_content").await;
    stopping.await.unwrap();
    assert_eq!((rig.count(HELD).await, rig.position(&topic, 2).await), (0, 15));
    rig.drop().await;
}
