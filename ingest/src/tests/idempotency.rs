//! The same request, sent again: what is answered, and what stands in Kafka.

mod at_once;
mod rebuilt;
mod rig;
mod verdicts;

use axum::http::StatusCode;
use domain::lane::Lane;
use serde_json::{Value, json};

use super::gateway::Gateway;
use super::sending::submitted;
use super::settings::settings;
use crate::keys::Scope;
use rig::{is_replay, keyed, message, rows, until_state};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_is_one_call() {
    let gateway = Gateway::with_topics().await;
    let first = keyed(&gateway, "/v1/messages", "k", &message()).await;
    let again = keyed(&gateway, "/v1/messages", "k", &message()).await;
    assert_eq!((first.status, again.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED));
    assert!(!is_replay(&first) && is_replay(&again));
    assert_eq!(first.text, again.text);
    let other_key = keyed(&gateway, "/v1/messages", "K", &message()).await;
    assert!(!is_replay(&other_key) && other_key.text != first.text, "another key is another call");
    assert_eq!(submitted(&gateway, Lane::Express).len(), 2);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_for_one_request_of_one_account() {
    let mut gateway = Gateway::with_topics().await;
    let first = keyed(&gateway, "/v1/messages", "k", &message()).await;
    let mut other = message();
    other["text"] = "another text".into();
    let list = json!({"text": "hello", "to": ["09123456789"]});
    let conflicts = [
        keyed(&gateway, "/v1/messages", "k", &other).await,
        keyed(&gateway, "/v1/messages/bulk", "k", &list).await,
        // Not even a message: the key is looked at first.
        keyed(&gateway, "/v1/messages", "k", &json!({})).await,
    ];
    let lines: Vec<_> = conflicts.iter().map(super::gateway::Answer::lines).collect();
    insta::assert_json_snapshot!(lines);

    gateway.account = gateway.account_with(10_000).await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send]).await;
    let theirs = keyed(&gateway, "/v1/messages", "k", &message()).await;
    assert!(theirs.status == StatusCode::ACCEPTED && !is_replay(&theirs));
    assert_ne!(theirs.body["id"], first.body["id"]);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_wrong_form_is_refused() {
    let gateway = Gateway::without_topics().await;
    let mut lines = Vec::new();
    for keys in [&[""][..], &["two words"], &["a", "b"], &["کلید"], &[&"x".repeat(256)]] {
        let mut request = gateway.request("POST", "/v1/messages").header("content-type", "application/json");
        for key in keys {
            request = request.header("idempotency-key", key.as_bytes());
        }
        lines.push(gateway.ask(request.body(message().to_string().into()).unwrap()).await.lines());
    }
    insta::assert_json_snapshot!(lines);
    assert!(rows(&gateway).await.is_empty());
    gateway.close().await;
}

/// What is refused before anything is produced does not use up the key.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_leaves_the_key_free() {
    let mut settings = settings();
    settings.produce.queue_bytes.express = 1_024;
    settings.produce.ack_timeout_ms = 300;
    let mut gateway = Gateway::open(settings, false).await;
    let invalid = keyed(&gateway, "/v1/messages", "k", &json!({"to": "12", "text": "x"})).await;
    assert_eq!(invalid.status, StatusCode::BAD_REQUEST);
    assert!(rows(&gateway).await.is_empty());

    let rich = gateway.key.clone();
    let poor = gateway.account_with(100).await;
    gateway.key = gateway.key_of(poor, &[Scope::Send]).await;
    let refused = keyed(&gateway, "/v1/messages", "k", &message()).await;
    assert_eq!(refused.status, StatusCode::PAYMENT_REQUIRED);
    assert!(rows(&gateway).await.is_empty());

    // Kafka takes nothing, so the first call takes all the room there is.
    gateway.key = rich;
    let unknown = keyed(&gateway, "/v1/messages", "first", &message()).await;
    assert_eq!(unknown.body["code"], "unavailable");
    let full = keyed(&gateway, "/v1/messages", "k", &message()).await;
    assert_eq!(full.body["code"], "overloaded");
    until_state(&gateway, "first", "released").await;
    assert_eq!(rows(&gateway).await.len(), 1, "the key of the refused call is free");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_a_key_cannot_be_kept() {
    let gateway = Gateway::with_topics().await;
    assert_eq!(keyed(&gateway, "/v1/messages", "a", &message()).await.status, StatusCode::ACCEPTED);
    let mut standard = message();
    standard["lane"] = "standard".into();
    assert_eq!(keyed(&gateway, "/v1/messages", "b", &standard).await.status, StatusCode::ACCEPTED);
    gateway.schema.pools().close().await;
    let refused = keyed(&gateway, "/v1/messages", "c", &standard).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers.contains_key("retry-after"));
    let without = gateway.post_json("/v1/messages", &standard).await;
    assert_eq!(without.status, StatusCode::ACCEPTED, "{}", without.text);
}

/// The customer's connection is cut while the call waits for Kafka.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_may_come_again() {
    let gateway = Gateway::without_topics().await;
    let body = message();
    let left = keyed(&gateway, "/v1/messages", "k", &body);
    let stored = until_state(&gateway, "k", "working");
    tokio::select! {
        answer = left => panic!("answered without Kafka: {}", answer.text),
        () = stored => {}
    }
    until_state(&gateway, "k", "released").await;
    gateway.close().await;
}

/// Kafka did not confirm in time: the customer is told that nobody knows, asks again, and has the
/// same message.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_unknown_outcome_is_made_once() {
    let mut settings = settings();
    settings.produce.ack_timeout_ms = 300;
    let gateway = Gateway::open(settings, false).await;
    let unknown = keyed(&gateway, "/v1/messages", "k", &message()).await;
    assert_eq!(unknown.body["code"], "unavailable", "{}", unknown.text);
    let admin = platform::kafka::topics::TopicAdmin::new(&gateway.common.kafka).unwrap();
    admin.create(&gateway.common.topics).await.unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let answer = loop {
        let answer = keyed(&gateway, "/v1/messages", "k", &message()).await;
        if answer.status == StatusCode::ACCEPTED {
            break answer;
        }
        assert!(std::time::Instant::now() < deadline, "{}", answer.text);
    };
    assert!(is_replay(&answer));
    let chunks = submitted(&gateway, Lane::Express);
    assert!(!chunks.is_empty());
    assert!(chunks.iter().all(|chunk| *chunk == chunks[0]), "the same record, however often");
    assert_eq!(answer.body["id"], Value::from(chunks[0].id.to_string()));
    admin.delete(&gateway.common.topics).await.unwrap();
    gateway.close().await;
}
