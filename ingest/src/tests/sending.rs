//! What is accepted stands in Kafka when it is confirmed, under the ids that are answered.

use bytes::Bytes;
use domain::lane::Lane;
use domain::partition;
use platform::kafka::topics::Stage;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wire::submitted::Chunk;

use super::gateway::Gateway;

/// The chunks of the gateway's account in a lane, as many as are there.
pub(super) fn submitted(gateway: &Gateway, lane: Lane) -> Vec<Chunk> {
    let topic = gateway.common.topics.of(Stage::Submitted, lane);
    let partition = partition::of_account(gateway.account, gateway.common.partitions);
    let records = records(gateway, &topic, partition);
    records.iter().map(|record| Chunk::decode(record).unwrap()).collect()
}

/// The records of a partition, as many as are there.
pub(super) fn records(gateway: &Gateway, topic: &str, partition: i32) -> Vec<Bytes> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &gateway.common.kafka.bootstrap)
        .set("group.id", "none")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let since = Instant::now();
    // A new topic's leader takes a moment to be known.
    let end = loop {
        match consumer.fetch_watermarks(topic, partition, Duration::from_secs(5)) {
            Ok((_, end)) => break end,
            Err(error) => assert!(since.elapsed() < Duration::from_secs(20), "{error}"),
        }
    };
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
    consumer.assign(&list).unwrap();
    let mut records = Vec::new();
    while i64::try_from(records.len()).unwrap() < end {
        assert!(since.elapsed() < Duration::from_secs(20), "{} of {end} records came", records.len());
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        records.push(record.unwrap().payload().unwrap().to_vec().into());
    }
    records
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_lists() {
    let gateway = Gateway::with_topics().await;
    let express = json!({"to": "۰۹۱۲ ۳۴۵ ۶۷۸۹", "text": "کد ورود: ۱۲۳۴", "lane": "express", "from": "3000", "ttl_seconds": 60, "reference": "login-77"});
    let long = format!("{}€", "a".repeat(159));
    let standard = json!({"to": "+49 1512 3456789", "text": long, "lane": null, "reference": ""});
    let one = gateway.post_json("/v1/messages", &express).await;
    let two = gateway.post_json("/v1/messages", &standard).await;
    let one_text = json!({"text": "hello", "to": ["09123456789", "12", "09123456789", "+33612345678"], "reference": "r"});
    let three = gateway.post_json("/v1/messages/bulk", &one_text).await;
    let each = json!({"lane": "standard", "messages": [
        {"to": "09123456781", "text": "a", "reference": "x"},
        {"to": "09123456782", "text": "b"},
        {"to": "09123456783", "text": ""},
        {"to": "09123456784", "text": "a"},
    ]});
    let four = gateway.post_json("/v1/messages/bulk", &each).await;
    let preview = gateway.post_json("/v1/messages/preview", &standard).await;
    let stable: Vec<Value> = [&one, &two, &three, &four, &preview].map(super::gateway::Answer::stable).into();
    insta::assert_json_snapshot!(stable);
    assert_eq!(one.headers["cache-control"], "no-store");

    let [express] = <[Chunk; 1]>::try_from(submitted(&gateway, Lane::Express)).unwrap();
    assert_eq!(one.body["id"], express.id.to_string());
    assert_eq!(
        (express.account, express.line.as_str(), express.tariff_version),
        (gateway.account, "3000", 1)
    );
    assert_eq!(express.recipients[0].get(), 989_123_456_789);
    assert_eq!(
        (express.reference(0), express.call_id, express.call_messages),
        (Some("login-77"), express.id, 1)
    );
    assert_eq!(express.send_by.0 - express.created_at.0, 60_000);

    let standard = submitted(&gateway, Lane::Standard);
    assert_eq!(standard.len(), 2);
    assert_eq!((standard[0].reference(0), standard[0].texts[0].segments), (None, 2));
    assert_eq!(standard[1].recipients.len(), 3);
    let texts: Vec<&str> = (0..3).map(|index| standard[1].text(index).unwrap().body.as_str()).collect();
    assert_eq!((texts, standard[1].texts.len()), (vec!["a", "b", "a"], 2));
    assert_eq!([0, 1, 2].map(|index| standard[1].reference(index)), [Some("x"), None, None]);

    let [bulk] = <[Chunk; 1]>::try_from(submitted(&gateway, Lane::Bulk)).unwrap();
    assert_eq!(three.body["batch_id"], bulk.id.to_string());
    let second = three.body["ranges"][1]["first_id"].as_str().unwrap();
    assert_eq!(second, bulk.id.message(1).to_string());
    assert_eq!((bulk.references.as_slice(), bulk.texts.len()), (["r".to_owned()].as_slice(), 1));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_standard_call_travels_in_bulk() {
    let gateway = Gateway::with_topics().await;
    let to: Vec<String> = (0..450).map(|n| format!("0912{n:07}")).collect();
    let small = json!({"text": "hello", "to": to, "lane": "standard"});
    let answer = gateway.post_json("/v1/messages/bulk", &small).await;
    assert_eq!((&answer.body["lane"], &answer.body["price"]), (&"standard".into(), &450_000.into()));

    // Free of charge, so that the balance is not what decides.
    sqlx::raw_sql(
        "insert into tariff (version, lane, price) values (2, 'express', 0), (2, 'standard', 1), (2, 'bulk', 7);
         insert into tariff_version (version, effective_at) values (2, clock_timestamp())",
    )
        .execute(gateway.schema.pool())
        .await
        .unwrap();
    gateway.app.tariffs.read(gateway.schema.pools().common()).await.unwrap();
    let to: Vec<String> = (0..1_001).map(|n| format!("0912{n:07}")).collect();
    let large = json!({"text": "hello", "to": to, "lane": "standard"});
    let answer = gateway.post_json("/v1/messages/bulk", &large).await;
    assert_eq!((&answer.body["lane"], &answer.body["price"]), (&"bulk".into(), &1_001.into()));

    assert_eq!(submitted(&gateway, Lane::Standard).len(), 3);
    let chunks = submitted(&gateway, Lane::Bulk);
    assert_eq!(chunks.iter().map(Chunk::len).collect::<Vec<_>>(), [200, 200, 200, 200, 200, 1]);
    for (k, chunk) in (0..).zip(&chunks) {
        assert_eq!(Some(chunk.id), chunks[0].id.nth(k));
        assert_eq!((chunk.asked_lane, chunk.tariff_version), (Lane::Standard, 2));
        assert_eq!((chunk.call_id, chunk.call_chunks, chunk.call_messages), (chunks[0].id, 6, 1_001));
        assert_eq!(chunk.send_by.0 - chunk.created_at.0, 86_400_000);
    }
    let ranges = answer.body["ranges"].as_array().unwrap();
    assert_eq!(ranges.len(), 6);
    assert_eq!(ranges[5], json!({"index": 1_000, "count": 1, "first_id": chunks[5].id.to_string()}));
    gateway.close().await;
}
