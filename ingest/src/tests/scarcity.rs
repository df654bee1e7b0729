//! When there is not enough of something.

use serde_json::json;

use super::gateway::Gateway;
use super::settings::settings;

#[tokio::test(flavor = "multi_thread")]
async fn not_enough_money() {
    let mut gateway = Gateway::with_topics().await;
    gateway.account = gateway.account_with(2_999).await;
    gateway.key = gateway.key_of(gateway.account, &crate::keys::Scope::ALL).await;
    let three = json!({"text": "hello", "to": ["09123456781", "09123456782", "09123456783"]});
    let poor = gateway.post_json("/v1/messages/bulk", &three).await;
    let long = json!({"to": "09123456789", "text": "س".repeat(71), "lane": "express"});
    let poorer = gateway.post_json("/v1/messages", &long).await;
    insta::assert_json_snapshot!([poor.stable(), poorer.stable()]);
    for lane in domain::lane::Lane::ALL {
        assert!(super::sending::submitted(&gateway, lane).is_empty(), "nothing was produced");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledgement() {
    let mut settings = settings();
    settings.produce.ack_timeout_ms = 200;
    settings.produce.queue_bytes.express = 1_024;
    // No topics: Kafka takes nothing.
    let gateway = Gateway::open(settings, false).await;
    let message = json!({"to": "09123456789", "text": "hello", "lane": "express"});
    let unknown = gateway.post_json("/v1/messages", &message).await;
    // What was not acknowledged still takes all the room there is.
    let full = gateway.post_json("/v1/messages", &message).await;
    let stable = [unknown.lines(), full.lines()];
    insta::assert_json_snapshot!(stable);
    for answer in [unknown, full] {
        assert!(answer.headers.contains_key("retry-after"));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn room_is_given_back_when_it_is_acknowledged() {
    let mut settings = settings();
    settings.produce.queue_bytes.express = 1_024;
    let gateway = Gateway::open(settings, true).await;
    let message = json!({"to": "09123456789", "text": "hello", "lane": "express"});
    for _ in 0..3 {
        assert_eq!(gateway.post_json("/v1/messages", &message).await.status, 202);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_database() {
    let gateway = Gateway::without_topics().await;
    let message = json!({"to": "09123456789", "text": "hello"});
    assert_eq!(gateway.get("/v1/balance").await.status, 200, "the key is known");
    gateway.schema.pools().close().await;
    let stable: Vec<Vec<String>> = [
        gateway.post_json("/v1/messages", &message).await,
        gateway.get("/v1/messages/256").await,
        gateway.get("/v1/balance").await,
    ]
    .iter()
    .map(|answer| {
        assert!(answer.headers.contains_key("retry-after"));
        answer.lines()
    })
    .collect();
    insta::assert_json_snapshot!(stable);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_bulk_bodies() {
    let mut settings = settings();
    settings.limits.bulk_bodies_bytes = settings.limits.bulk_body_bytes;
    let gateway = Gateway::open(settings, false).await;
    let all = gateway.app.room_for_body(4 << 20).unwrap();
    let list = json!({"text": "hello", "to": ["12"]});
    let full = gateway.post_json("/v1/messages/bulk", &list).await;
    insta::assert_json_snapshot!(full.lines());
    drop(all);
    assert_eq!(gateway.post_json("/v1/messages/bulk", &list).await.status, 400);
    gateway.close().await;
}
