//! What the ledger's verdict was stays the answer.

use axum::http::StatusCode;
use domain::lane::Lane;
use domain::money::Money;
use serde_json::{Value, json};

use super::rig::{bill, is_replay, keyed, orphan, with_balance};
use crate::tests::gateway::Gateway;
use crate::tests::sending::submitted;

const BULK: &str = "/v1/messages/bulk";

/// Five, of which one is not valid: chunks of two and two.
fn list() -> Value {
    json!({"text": "hello", "to": ["09123456781", "09123456782", "12", "09123456783", "09123456784"]})
}

async fn charge(gateway: &Gateway, amount: i64) {
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    ledger::account::charge(&mut transaction, gateway.account, Money::new(amount), None).await.unwrap();
    transaction.commit().await.unwrap();
}

/// But for the request's id, a problem is the same.
fn without_request_id(mut problem: Value) -> Value {
    problem.as_object_mut().unwrap().remove("request_id");
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_by_verdict_stays_whatever_is_charged_later() {
    let gateway = with_balance(4_000).await;
    let body = list();
    let (first, ()) = tokio::join!(keyed(&gateway, BULK, "k", &body), bill(&gateway, 2, 500));
    assert_eq!(first.status, StatusCode::PAYMENT_REQUIRED, "{}", first.text);
    charge(&gateway, 100_000).await;
    let again = keyed(&gateway, BULK, "k", &list()).await;
    assert!(!is_replay(&first) && is_replay(&again));
    assert_eq!((again.body["balance"].clone(), again.body["required"].clone()), (500.into(), 4_000.into()));
    assert_eq!(without_request_id(again.body), without_request_id(first.body));

    // Of a process that died before it could answer: the ledger knows.
    orphan(&gateway, "k").await;
    let taken_over = keyed(&gateway, BULK, "k", &list()).await;
    assert_eq!(taken_over.status, StatusCode::PAYMENT_REQUIRED, "{}", taken_over.text);
    assert!(is_replay(&taken_over));
    assert_eq!(submitted(&gateway, Lane::Bulk).len(), 4, "only what took over produced again");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_paid_in_part_is_listed_the_same() {
    let gateway = with_balance(4_000).await;
    let body = list();
    let (first, ()) = tokio::join!(keyed(&gateway, BULK, "k", &body), bill(&gateway, 2, 3_000));
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let codes: Vec<&Value> =
        first.body["rejected"].as_array().unwrap().iter().map(|rejected| &rejected["code"]).collect();
    assert_eq!(codes, ["invalid_recipient", "insufficient_funds"]);
    charge(&gateway, 100_000).await;
    let again = keyed(&gateway, BULK, "k", &list()).await;
    assert!(is_replay(&again));
    assert_eq!(again.text, first.text);
    orphan(&gateway, "k").await;
    let taken_over = keyed(&gateway, BULK, "k", &list()).await;
    assert!(is_replay(&taken_over));
    assert_eq!(taken_over.text, first.text);
    gateway.close().await;
}
