//! Where the balance is close: the verdict, its places, and its absence; and no Postgres.
//! Billing is played by the test, with the ledger's own functions.

use std::ops::Range;
use std::time::Duration;

use domain::hold::Prices;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use domain::partition;
use ledger::hold::Request;
use platform::http::problem::Code;
use platform::kafka::topics::Stage;
use platform::ownership::clock::unix_now;
use serde_json::{Value, json};
use wire::submitted::Chunk;

use super::gateway::{Answer, Gateway};
use super::sending::submitted;
use super::settings::settings;
use crate::chunking::{Call, cut};
use crate::keys::{Key, Scope};
use crate::prepare::{self, Context};
use crate::submit::Ready;

const END: Duration = Duration::from_secs(30);

/// A gateway whose account has so much.
async fn with_balance(balance: i64, change: impl FnOnce(&mut crate::Settings)) -> Gateway {
    let mut settings = settings();
    settings.limits.chunk_messages = 2;
    // Long: billing, which is the test, may be slow on a busy machine.
    settings.funds.verdict_ms = 30_000;
    change(&mut settings);
    let mut gateway = Gateway::open(settings, true).await;
    gateway.account = gateway.account_with(balance).await;
    gateway.key = gateway.key_of(gateway.account, &Scope::ALL).await;
    let ensure = async |connection: &mut _| ledger::ranges::ensure(connection, unix_now(), 1).await;
    gateway.schema.pools().common().within(ensure).await.unwrap();
    gateway
}

/// Bills these chunks of the account, and stores that so many records of the lane are billed.
async fn book(gateway: &Gateway, lane: Lane, chunks: &[(ChunkId, Prices)], next: usize) {
    let topic = gateway.common.topics.of(Stage::Submitted, lane);
    let partition = partition::of_account(gateway.account, gateway.common.partitions);
    let request = |(chunk, prices): &(ChunkId, Prices)| Request {
        chunk: *chunk,
        account: gateway.account,
        topic: topic.clone(),
        partition,
        source: 0,
        request_hash: 0,
        prices: prices.clone(),
    };
    let requests: Vec<Request> = chunks.iter().map(request).collect();
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    sqlx::query(
        "insert into position (role, topic, partition, next_offset) values ('billing-consumer', $1, $2, $3)
         on conflict (role, topic, partition) do update set next_offset = excluded.next_offset",
    )
    .bind(&topic)
    .bind(partition)
    .bind(i64::try_from(next).unwrap())
    .execute(&mut *transaction)
    .await
    .unwrap();
    ledger::hold::book(&mut transaction, &requests).await.unwrap();
    transaction.commit().await.unwrap();
}

/// What stands in the lane, once it is so many records.
async fn produced(gateway: &Gateway, lane: Lane, records: usize) -> Vec<Chunk> {
    testkit::until("records are produced", END, async || submitted(gateway, lane).len() >= records).await;
    submitted(gateway, lane)
}

/// Bills what stands in the lane, once so many records do.
async fn bill(gateway: &Gateway, lane: Lane, records: usize) {
    let chunks = produced(gateway, lane, records).await;
    let priced = |chunk: &Chunk| {
        let each = vec![Money::new(if lane == Lane::Express { 1_500 } else { 1_000 }); chunk.len()];
        (chunk.id, Prices::of_each(&each).unwrap())
    };
    book(gateway, lane, &chunks.iter().map(priced).collect::<Vec<_>>(), chunks.len()).await;
}

/// Another process's call takes so much.
async fn others_take(gateway: &Gateway, amount: i64) {
    let chunk = gateway.ids.reserve(1).unwrap().first;
    book(gateway, Lane::Bulk, &[(chunk, Prices::of_each(&[Money::new(amount)]).unwrap())], 0).await;
}

fn list(count: usize, lane: &str) -> Value {
    let to: Vec<String> = (0..count).map(|number| format!("0912345678{number}")).collect();
    json!({"text": "hello", "to": to, "lane": lane})
}

async fn balance(gateway: &Gateway) -> i64 {
    gateway.get("/v1/balance").await.body["balance"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_customer_is_told_what_the_ledger_paid() {
    let gateway = with_balance(6_000, |_| {}).await;
    let six = list(6, "standard");
    let billing = async {
        others_take(&gateway, 0).await; // the position is there before
        let waits = gateway.post_json("/v1/messages/bulk", &six);
        let bills = async {
            produced(&gateway, Lane::Standard, 3).await;
            others_take(&gateway, 3_000).await;
            bill(&gateway, Lane::Standard, 3).await;
        };
        futures::join!(waits, bills).0
    };
    let part = billing.await;
    assert_eq!(balance(&gateway).await, 0);

    // All that there is, and then nothing.
    charge(&gateway, 1_000).await;
    let one = json!({"to": "09123456789", "text": "hello"});
    let bills = async {
        produced(&gateway, Lane::Standard, 4).await;
        others_take(&gateway, 1_000).await;
        bill(&gateway, Lane::Standard, 4).await;
    };
    let (none, ()) = futures::join!(gateway.post_json("/v1/messages", &one), bills);
    let bulk = [&part, &none].map(Answer::stable);
    insta::assert_json_snapshot!(bulk);
    gateway.close().await;
}

async fn charge(gateway: &Gateway, amount: i64) {
    let account = gateway.account;
    let charge = async |connection: &mut _| {
        ledger::account::charge(connection, account, Money::new(amount), None).await
    };
    gateway.schema.pools().common().within(charge).await.unwrap();
}

/// Whoever must wait has a place before anything is produced, or nothing is.
#[tokio::test(flavor = "multi_thread")]
async fn there_is_a_place_to_wait_or_nothing_is_taken() {
    let gateway = with_balance(6_000, |settings| settings.funds.waiting_chunks = 2).await;
    let one = json!({"to": "09123456789", "text": "hello"});
    let bills = async {
        produced(&gateway, Lane::Standard, 2).await;
        let full = gateway.post_json("/v1/messages", &one).await;
        bill(&gateway, Lane::Standard, 2).await;
        full
    };
    let (four, two) = (list(4, "standard"), list(2, "standard"));
    let (waits, full) = futures::join!(gateway.post_json("/v1/messages/bulk", &four), bills);
    assert_eq!((waits.status.as_u16(), &waits.body["accepted"]), (202, &json!(4)));
    insta::assert_json_snapshot!(full.lines());

    // It is free again, and what is not close needs none.
    let bills = bill(&gateway, Lane::Standard, 3);
    let (waits, ()) = futures::join!(gateway.post_json("/v1/messages/bulk", &two), bills);
    assert_eq!((waits.status.as_u16(), &waits.body["accepted"]), (202, &json!(2)));
    assert_eq!(submitted(&gateway, Lane::Standard).len(), 3);
    gateway.close().await;
}

/// Express ends soon, the other lanes go on with what the balance was, up to what may be promised
/// of it without asking.
#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_the_last_known_balance_counts() {
    let gateway = with_balance(1_000_000, |settings| settings.limits.chunk_messages = 200).await;
    let one = |lane: &str| json!({"to": "09123456789", "text": "hello", "lane": lane});
    let to: Vec<String> = (0..400).map(|number| format!("0912345{number:04}")).collect();
    let many = json!({"text": "hello", "to": to, "lane": "standard"});
    assert_eq!(gateway.post_json("/v1/messages", &one("express")).await.status, 202);
    gateway.schema.pools().close().await;

    testkit::until("express ends", END, async || {
        let answer = gateway.post_json("/v1/messages", &one("express")).await;
        matches!((answer.status.as_u16(), &answer.body["code"]), (503, code) if code == "unavailable")
    })
    .await;
    let taken = submitted(&gateway, Lane::Express).len();
    assert_eq!(gateway.post_json("/v1/messages/bulk", &many).await.status, 202);
    let beyond = gateway.post_json("/v1/messages/bulk", &many).await;
    assert_eq!(gateway.post_json("/v1/messages", &one("standard")).await.status, 202, "a small one fits");
    insta::assert_json_snapshot!(beyond.lines());
    assert_eq!(submitted(&gateway, Lane::Standard).len(), 3);
    assert_eq!(submitted(&gateway, Lane::Express).len(), taken);
    gateway.delete_topics().await;
}

/// A call of so many messages, as if it had come over HTTP.
async fn prepared(gateway: &Gateway, messages: usize) -> (Call, Vec<Range<usize>>) {
    let tariff = gateway.app.tariffs.current().unwrap();
    let caller = gateway.app.keys.identity(Key::parse(&gateway.key).unwrap()).await.unwrap();
    let context = Context { rules: &gateway.app.rules, caller: &caller, tariff: &tariff, now: unix_now() };
    let call = prepare::bulk(list(messages, "standard").to_string().as_bytes(), context).unwrap().call;
    let cuts = cut(&call, 2);
    (call, cuts)
}

/// What was promised to a call that is not produced after all is there for the next.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_produced_is_promised_to_nobody() {
    let gateway = with_balance(3_000, |_| {}).await;
    let ready = async || {
        let (call, cuts) = prepared(&gateway, 3).await;
        Ready::new(&gateway.app, call, cuts).await
    };
    let first = ready().await.unwrap();
    let mut next = Box::pin(ready());
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut next).await;
    assert!(waits.is_err(), "whether the first is produced is not known yet");
    drop(first);
    let second = next.await.unwrap();
    let (sent, ()) = futures::join!(second.send(&gateway.app), bill(&gateway, Lane::Standard, 2));
    assert_eq!(sent.unwrap().accepted_rows().count(), 3);
    assert_eq!(ready().await.map(drop).map_err(|problem| problem.code()), Err(Code::InsufficientFunds));
    gateway.close().await;
}

/// A chunk that is produced again under its id is judged once: the answer is the ledger's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_produced_again_gets_the_same_verdict() {
    let gateway = with_balance(2_500, |_| {}).await;
    let run = gateway.ids.reserve(3).unwrap();
    let accepted = async || {
        let (call, cuts) = prepared(&gateway, 5).await;
        let sent = Ready::again(&gateway.app, call, cuts, run).unwrap().send(&gateway.app).await.unwrap();
        assert_eq!(sent.run, run);
        sent.accepted_rows().map(|row| row.index).collect::<Vec<_>>()
    };
    let (first, ()) = futures::join!(accepted(), bill(&gateway, Lane::Standard, 3));
    charge(&gateway, 10_000).await;
    let again = accepted().await;
    assert_eq!((first, again), (vec![0, 1], vec![0, 1]), "a chunk that was refused stays so");
    assert_eq!(submitted(&gateway, Lane::Standard).len(), 6);
    gateway.close().await;
}
