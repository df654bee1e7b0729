//! A campaign that is cancelled in the middle of it.

use crate::world::{END, assert_paid_for, by_status, gateway, sql, until};
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::text::Encoding;
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::{Stage, Topics};
use platform::ownership::clock;
use std::time::Instant;
use testkit::gateway::Gateway;
use wire::Version;
use wire::submitted::{Chunk, Text};

const CHUNKS: u32 = 20;
const EACH: u64 = 100;
const ALL: i64 = CHUNKS as i64 * EACH as i64;

/// A chunk of a campaign, as the upload of its file makes them.
fn chunk(id: ChunkId, first: ChunkId, account: i64, campaign: i64) -> Chunk {
    let now = clock::unix_now();
    let recipients = (0..EACH).map(|n| Msisdn::from_canonical(989_120_000_000 + n).unwrap());
    Chunk {
        id,
        account,
        asked_lane: Lane::Bulk,
        line: "100002".into(),
        recipients: recipients.collect(),
        texts: vec![Text { body: "sale".into(), encoding: Encoding::Gsm7, segments: 1 }],
        text_index: vec![],
        references: vec![],
        tariff_version: 1,
        created_at: now,
        send_by: now.plus(3_600_000),
        call_id: first,
        call_chunks: CHUNKS,
        call_messages: CHUNKS * EACH as u32,
        campaign,
    }
}

async fn submit(gateway: &Gateway, account: i64, campaign: i64) {
    let producer = Producer::new(&gateway.kafka, 0).unwrap();
    let topic = Topics::new(&gateway.kafka.topic_prefix, 1).of(Stage::Submitted, Lane::Bulk);
    let partition = domain::partition::of_account(account, gateway.kafka.partitions);
    let first = ChunkId::new(ChunkId::floor(clock::unix_now())).unwrap();
    let (acks, acknowledged) = Acks::new(CHUNKS as usize);
    for number in 0..CHUNKS {
        let record = chunk(first.nth(number).unwrap(), first, account, campaign).encode(Version::NEWEST);
        producer.send(&topic, partition, &record, acks.delivered()).unwrap();
    }
    acknowledged.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_yet_sent_ends_and_is_refunded() {
    let slow = [("SENDER__CONNECTORS__MAGFA__LIMITS__MESSAGES_PER_SECOND", "100")];
    let gateway = gateway(&slow).await;
    let customer = gateway.customer(crate::world::CHARGE);
    sqlx::query(
        "insert into campaign (id, account_id, name, text, line, ttl_seconds, on_error)
         overriding system value values (5, $1, 'sale', 'sale', '100002', 3600, 'skip')",
    )
    .bind(customer.account)
    .execute(gateway.schema.pool())
    .await
    .unwrap();
    let process = gateway.start("all", "all").await;
    submit(&gateway, customer.account, 5).await;
    until("the campaign has begun", async || gateway.submissions().len() >= 100).await;

    let canceled_at = Instant::now();
    let before = gateway.submissions().len();
    sql(&gateway, "update campaign set status = 'canceled', canceled_at = clock_timestamp()").await;
    gateway.quiescent(END).await;
    let ended_after = canceled_at.elapsed();

    let submissions = gateway.submissions();
    let delivered = submissions.len() as i64;
    assert!(submissions.values().all(|times| *times == 1));
    let statuses = by_status(&gateway, customer.account).await;
    let expected = [("canceled".to_owned(), ALL - delivered), ("delivered".to_owned(), delivered)];
    assert_eq!(statuses, expected.into());
    // A second until it is read, and what was on its way.
    let since = submissions.len() - before;
    assert!(since < 700, "{since} left after it was cancelled, {ended_after:?} to the end");
    assert_paid_for(&customer, &process, delivered * 1_000).await;
    assert!(process.stop().await);
    gateway.must(&["audit", "--quiescent"]);
    gateway.close().await;
}

/// Also what waits in the table, here as dead letters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_ends_too() {
    let gateway = gateway(&[("SENDER__DEFER_AFTER_MS", "200"), ("SENDER__DEFERRED_LOOK_MS", "200")]).await;
    let customer = gateway.customer(crate::world::CHARGE);
    // Calls are refused as wrongly asked: a person must look.
    gateway.operator.set_faults_json(br#"[{"fault":"refuse_call","code":3}]"#).unwrap();
    sqlx::query(
        "insert into campaign (id, account_id, name, text, line, ttl_seconds, on_error)
         overriding system value values (5, $1, 'sale', 'sale', '100002', 3600, 'skip')",
    )
    .bind(customer.account)
    .execute(gateway.schema.pool())
    .await
    .unwrap();
    let process = gateway.start("all", "all").await;
    submit(&gateway, customer.account, 5).await;
    until("messages wait in the table", async || {
        let rows: i64 = sqlx::query_scalar("select count(*) from deferred")
            .fetch_one(gateway.schema.pool())
            .await
            .unwrap();
        rows > 0
    })
    .await;
    sql(&gateway, "update campaign set status = 'canceled', canceled_at = clock_timestamp()").await;
    gateway.quiescent(END).await;
    assert_eq!(by_status(&gateway, customer.account).await, [("canceled".to_owned(), ALL)].into());
    assert_paid_for(&customer, &process, 0).await;
    assert!(process.stop().await);
    gateway.must(&["audit", "--quiescent"]);
    gateway.close().await;
}
