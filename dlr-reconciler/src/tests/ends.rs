//! The end of messages on real Kafka and Postgres: swept when everything is read, and gone to
//! history.

use super::rig::Rig;
use crate::Sweep;
use crate::samples::{billed, chunk_id, fence, hold, outcome, outcomes, receipts};
use domain::lane::Lane;
use domain::outcome::{Outcome, Receipt};
use ledger::audit::Expect;
use platform::kafka::topics::Stage;
use std::time::{Duration, Instant};

/// A chunk of one that an operator took days ago (by the clock of its id).
async fn sent(rig: &Rig, k: i64, lane: Lane) {
    let chunk = chunk_id(k);
    hold(rig.pool(), chunk, 1, 1).await;
    rig.send(&rig.topics.of(Stage::Billed, lane), 0, &[billed(chunk, 1, 1)]).await;
    let taken = outcomes(chunk, 1, 1, vec![outcome(0, Outcome::Taken)]);
    rig.send(&rig.topics.of(Stage::Attempts, lane), 0, &[taken]).await;
}

async fn hear_of_the_connector(rig: &Rig) {
    rig.execute("insert into connector_heard values ('magfa', clock_timestamp())").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_answers_then_it_is_refunded_and_history() {
    let rig = Rig::new().await;
    let mut settings = rig.settings();
    settings.poll_window_s = 1;
    settings.sweep.every_ms = 50;
    settings.history.after_s = 0;
    let running = rig.run(settings.clone()).await;
    hear_of_the_connector(&rig).await;
    for (k, lane) in (0..).zip(Lane::ALL) {
        sent(&rig, k, lane).await;
    }
    rig.until("all is refunded", async || rig.money().await == (100_000, 0)).await;
    rig.until("all is history", async || rig.count("history_chunk").await == 3).await;
    rig.until("nothing is open", async || rig.count("chunk_state").await == 0).await;
    assert_eq!(rig.count("chunk_content").await + rig.count("chunk_operator_ids").await, 0);
    // A delivery after all: marked, and no money.
    rig.send(&rig.topics.receipts(), 2, &[receipts(chunk_id(1), 1, true, &[(0, Receipt::Delivered)])]).await;
    let marked = "history_chunk where get_byte(states, 4) = 1";
    rig.until("it is marked as late", async || rig.count(marked).await == 1).await;
    running.stop().await;
    assert_eq!(rig.money().await, (100_000, 0));
    rig.is_clean(Expect::Quiescence).await;
    rig.drop().await;
}

/// A round. One that fails is tried again: Kafka may not know yet who leads a new topic.
async fn round(sweep: &mut Sweep) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(error) = sweep.round().await {
        assert!(Instant::now() < deadline, "{error:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Each partition that may hold something of the chunk stands still in turn: attempts of any
/// lane, receipts of any partition.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_swept_until_everything_is_read() {
    let rig = Rig::new().await;
    let mut settings = rig.settings();
    settings.poll_window_s = 1;
    // Rounds are made by hand.
    let running = rig.run(settings.clone()).await;
    hear_of_the_connector(&rig).await;
    let places = [
        (rig.topics.of(Stage::Attempts, Lane::Express), 0),
        (rig.topics.of(Stage::Attempts, Lane::Bulk), 0),
        (rig.topics.receipts(), 0),
        (rig.topics.receipts(), 3),
    ];
    for (k, (topic, partition)) in (0..).zip(places) {
        sent(&rig, k, Lane::Standard).await;
        let open = "receipt_poll where chunk_id in (select chunk_id from chunk_content)";
        rig.until("it is sent", async || rig.count(open).await == 1).await;
        let mut sweep = crate::sweep(&running.common, &settings).unwrap();
        rig.stand_still(&topic, partition).await;
        let stood = rig.position(&topic, partition).await;
        rig.send(&topic, partition, &[fence()]).await;
        for _ in 0..3 {
            round(&mut sweep).await;
            assert_eq!(rig.count("receipt_poll").await, 1, "{topic}/{partition} is behind");
        }
        // Somebody else reads it; what was read is what counts.
        rig.move_position(&topic, partition, stood + 1).await;
        round(&mut sweep).await;
        assert_eq!((rig.count("receipt_poll").await, rig.money().await), (0, (100_000, 0)));
    }
    running.stop().await;
    rig.is_clean(Expect::Quiescence).await;
    rig.drop().await;
}
