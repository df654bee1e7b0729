//! The tariff: what another would mean, and from when on it prices.

use domain::id::ChunkId;
use domain::lane::Lane;
use domain::phone::Msisdn;
use domain::text::Encoding;
use domain::time::UnixMillis;
use platform::ownership::clock::unix_now;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wire::Version;
use wire::billed::{Answer, answer};
use wire::submitted::{Chunk, Text};

use super::World;
use crate::tests::gateway::Gateway;

const TARIFFS: &str = "/v1/admin/tariffs";

fn prices(express: i64, standard: i64, bulk: i64) -> Value {
    json!([{"lane": "express", "price": express}, {"lane": "standard", "price": standard},
           {"lane": "bulk", "price": bulk}, {"lane": "bulk", "prefix": "98990", "encoding": "ucs2", "price": 7}])
}

async fn price(gateway: &Gateway) -> Value {
    gateway.app.tariffs.read(gateway.schema.pools().common()).await.unwrap();
    let preview = gateway.post_json("/v1/messages/preview", &json!({"to": "09123456789", "text": "a"})).await;
    preview.body["price"].clone()
}

/// By the database's clock; nothing but the refresh of every ingest process is needed.
#[tokio::test]
async fn a_version_of_the_future_does_not_price_before_its_time() {
    let world = World::open().await;
    let now: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select clock_timestamp() + interval '1 second'")
            .fetch_one(world.gateway.schema.pool())
            .await
            .unwrap();
    let body = json!({"prices": prices(1, 2, 3), "effective_at": now.to_rfc3339()});
    let set = world.ask("POST", TARIFFS, Some(body)).await;
    assert_eq!(
        (set.status.as_u16(), &set.body["version"], &set.body["state"]),
        (201, &json!(2), &json!("scheduled"))
    );
    let since = Instant::now();
    let mut before = 0;
    loop {
        let price = price(&world.gateway).await;
        let over: bool = sqlx::query_scalar("select clock_timestamp() >= $1")
            .bind(now)
            .fetch_one(world.gateway.schema.pool())
            .await
            .unwrap();
        if price == 2 {
            assert!(over, "priced by a version whose time has not come");
            break;
        }
        assert_eq!(price, 1_000);
        before += 1;
        assert!(since.elapsed() < Duration::from_secs(20), "its time has come");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(before > 0, "it was seen before its time");
    let list = world.get(TARIFFS).await;
    let states: Vec<_> =
        list["data"].as_array().unwrap().iter().map(|v| (&v["version"], &v["state"])).collect();
    assert_eq!(states, [(&json!(2), &json!("in_force")), (&json!(1), &json!("past"))]);
    assert_eq!(list["data"][1]["effective_at"], Value::Null);

    let one = world.get("/v1/admin/tariffs/2").await;
    assert_eq!(one["prices"][3], json!({"lane": "bulk", "encoding": "ucs2", "prefix": "98990", "price": 7}));
    for missing in ["3", "0", "x", "2147483647"] {
        assert_eq!(world.ask("GET", &format!("{TARIFFS}/{missing}"), None).await.status, 404, "{missing}");
    }
    let told = world.told("tariff 2").await;
    assert_eq!((told[0].0.as_str(), &told[0].1["version"]), ("tariff.set", &json!(1)));
    assert_eq!(told[0].2["prices"].as_array().unwrap().len(), 4);
    world.gateway.close().await;
}

/// Both lists side by side, and the price of what was sent; nothing is written.
#[tokio::test]
async fn what_other_prices_would_mean_is_said_before_anything_is_written() {
    let world = World::open().await;
    let minute = 60_000;
    let now = unix_now();
    // Two open bulk chunks, one of them of today and in history too; one express chunk.
    record(&world.gateway, 1, now.plus(-minute), Lane::Bulk, Lane::Bulk, 10, false).await;
    record(&world.gateway, 2, now.plus(-minute), Lane::Bulk, Lane::Standard, 4, true).await;
    record(&world.gateway, 3, now.plus(-minute), Lane::Express, Lane::Express, 1, false).await;
    // Ten times as many bulk messages were counted as could be looked at.
    sqlx::query(
        "insert into account_hour (account_id, hour, lane, status, messages)
         select 1, date_trunc('hour', to_timestamp($1::bigint / 1000.0), 'UTC'), lane, status, messages
         from (values ('bulk', 'submitted', 140), ('express', 'submitted', 1), ('bulk', 'delivered', 9)) as n (lane, status, messages)",
    )
    .bind(now.plus(-minute).0)
    .execute(world.gateway.schema.pool())
    .await
    .unwrap();
    let body = json!({"prices": prices(1_500, 900, 1_100)});
    let dry = world.ask("POST", "/v1/admin/tariffs?dry_run=true", Some(body)).await;
    assert_eq!(dry.status, 200, "{}", dry.text);
    let price = |lane: &str, encoding: Option<&str>, prefix: &str, old: i64, new: i64| json!({"lane": lane, "encoding": encoding, "prefix": prefix, "old": old, "new": new});
    let expected = json!({
        "replaces": 1, "currency": "IRR", "days": 7,
        "prices": [
            price("express", None, "", 1_500, 1_500),
            price("standard", None, "", 1_000, 900),
            price("bulk", None, "", 1_000, 1_100),
            price("bulk", Some("gsm7"), "98990", 1_000, 1_100),
            price("bulk", Some("ucs2"), "98990", 1_000, 7),
        ],
        // Two segments each: 10 at 1,000 and 4 at 1,000; 10 at 1,100 and 4 at 900; ten times.
        "traffic": [
            {"lane": "express", "messages": 1, "looked_at": 1, "old": 3_000, "new": 3_000},
            {"lane": "standard", "messages": 0, "looked_at": 0, "old": 0, "new": 0},
            {"lane": "bulk", "messages": 140, "looked_at": 14, "old": 280_000, "new": 292_000},
        ],
    });
    assert_eq!(dry.body, expected);
    let (versions, changes): (i64, i64) =
        sqlx::query_as("select (select count(*) from tariff_version), (select count(*) from change)")
            .fetch_one(world.gateway.schema.pool())
            .await
            .unwrap();
    assert_eq!((versions, changes), (1, 0));
    world.gateway.close().await;
}

/// A chunk as dlr-reconciler records it, every message of two segments.
async fn record(
    gateway: &Gateway,
    nth: i64,
    at: UnixMillis,
    lane: Lane,
    asked: Lane,
    messages: u16,
    moving: bool,
) {
    let id = ChunkId::new(ChunkId::floor(at) + nth * 256).unwrap();
    let numbers = (0..u64::from(messages)).map(|n| Msisdn::from_canonical(989_120_000_000 + n).unwrap());
    let chunk = Chunk {
        id,
        account: gateway.account,
        asked_lane: asked,
        line: "3000".into(),
        recipients: numbers.collect(),
        texts: vec![Text { body: "long".into(), encoding: Encoding::Gsm7, segments: 2 }],
        text_index: vec![],
        references: vec![],
        tariff_version: 1,
        created_at: at,
        send_by: at.plus(1_000),
        call_id: id,
        call_chunks: 1,
        call_messages: messages.into(),
        campaign: 0,
    };
    let record =
        answer(Version::NEWEST, nth, Answer::Paid(messages), &chunk.encode(Version::NEWEST)).to_vec();
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    ledger::ranges::ensure(&mut transaction, at, 1).await.unwrap();
    sqlx::query(
        "insert into chunk_content
             (chunk_id, account_id, lane, call_id, call_chunks, call_messages, messages, record)
         values ($1, $2, $3, $1, 1, $4, $4, $5)",
    )
    .bind(id.get())
    .bind(gateway.account)
    .bind(lane.as_str())
    .bind(i32::from(messages))
    .bind(record)
    .execute(&mut *transaction)
    .await
    .unwrap();
    if moving {
        sqlx::query(
            "insert into history_chunk (chunk_id, account_id, lane, partition, call_id, call_chunks, call_messages,
                                        messages, counts, record, states)
             select chunk_id, account_id, lane, 0, call_id, call_chunks, call_messages,
                    messages, decode(repeat('00', 18), 'hex'), record, ''
             from chunk_content where chunk_id = $1",
        )
        .bind(id.get())
        .execute(&mut *transaction)
        .await
        .unwrap();
    }
    transaction.commit().await.unwrap();
}
