//! Faults of receipts, as somebody sees them who polls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::Settings;
use simulator::fault::Fault;
use simulator::journal::{Mark, Submitted, What};
use support::{Client, InProcess, mids, quick, request};

const LONG: Duration = Duration::from_secs(10);

async fn dlrs(client: &Client, mids: &[i64]) -> Vec<Value> {
    let mids: Vec<String> = mids.iter().map(ToString::to_string).collect();
    client.get(&format!("statuses/{}", mids.join(","))).await["dlrs"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_early_receipt_is_there_before_the_answer() {
    let settings = Settings { delivery_min_ms: 3_600_000, delivery_max_ms: 3_600_000, ..quick() };
    let simulator = InProcess::start(settings).await;
    let client = &simulator.client;
    client.faults(&json!([{"fault": "receipt_early", "delay_ms": 1000, "to": 1}])).await;
    let body = request(&[1, 2]);
    let before = Instant::now();
    let (answer, seen) = tokio::join!(client.send(&body), async {
        while simulator.taken().is_empty() {
            tokio::task::yield_now().await;
        }
        let mid = client.get("mid/1").await["mid"].as_i64().unwrap();
        (mid, client.statuses(&[mid, mid + 1]).await, before.elapsed())
    });
    let (mid, statuses, seen_after) = seen;
    assert!(before.elapsed() >= Duration::from_millis(1000) && seen_after < Duration::from_millis(1000));
    assert_eq!((mids(&answer)[0], statuses), (mid, vec![1, 0]));
}

#[tokio::test]
async fn late_and_never() {
    let simulator = InProcess::start(quick()).await;
    let client = &simulator.client;
    client
        .faults(&json!([
            {"fault": "receipt_late", "delay_ms": 400, "to": 1},
            {"fault": "receipt_never", "to": 2},
        ]))
        .await;
    let mids = mids(&client.send_uids(&[1, 2, 3]).await);
    let since = Instant::now();
    assert_eq!(client.statuses(&mids).await, [0, 0, 1]);
    assert_eq!(client.finals(&mids[..1]).await, [1]);
    assert!(since.elapsed() >= Duration::from_millis(350), "{:?}", since.elapsed());
    assert_eq!(client.statuses(&mids).await, [1, 0, 1]);
    assert_eq!(client.applied().await, json!({"receipt_late": 1, "receipt_never": 1}));
    let What::Send(elements) = &simulator.operator.remembered()[0].what else { panic!("sent") };
    assert!(matches!(elements[0].result, Submitted::Accepted { delay_ms: 400, .. }));
    assert_eq!(elements[0].marks, [Mark { fault: Fault::ReceiptLate, ms: 400 }]);
}

#[tokio::test]
async fn twice_unknown_and_an_hour_off() {
    let simulator = InProcess::start(quick()).await;
    let client = &simulator.client;
    client
        .faults(&json!([
            {"fault": "receipt_twice", "to": 1},
            {"fault": "receipt_unknown", "to": 2},
            {"fault": "clock_off", "to": 3},
        ]))
        .await;
    let mids = mids(&client.send_uids(&[1, 2, 3, 4]).await);
    let dlrs = dlrs(client, &mids).await;
    let said: Vec<i64> = dlrs.iter().map(|dlr| dlr["mid"].as_i64().unwrap()).collect();
    let nobodys = mids[1] | 1 << 62;
    assert_eq!(said, [mids[0], mids[0], mids[1], nobodys, mids[2], mids[3]]);
    assert!(dlrs.iter().all(|dlr| dlr["status"] == 1));
    assert_eq!(client.statuses(&[nobodys]).await, [-1]);
    let hour = |dlr: &Value| {
        let date = dlr["date"].as_str().unwrap();
        (date[11..13].parse::<i32>().unwrap(), date[13..].to_owned())
    };
    let ((off, off_rest), (right, rest)) = (hour(&dlrs[4]), hour(&dlrs[5]));
    assert_eq!(((right + 1) % 24, rest), (off, off_rest));
}

#[tokio::test]
async fn a_wrong_receipt_is_contradicted_later() {
    for (ratio, wrong) in [(1.0, 2), (0.0, 1)] {
        let simulator = InProcess::start(Settings { delivery_ratio: ratio, ..quick() }).await;
        let client = &simulator.client;
        client.faults(&json!([{"fault": "receipt_wrong", "delay_ms": 500}])).await;
        let mid = mids(&client.send_uids(&[1]).await);
        let mut seen = client.statuses(&mid).await;
        let deadline = Instant::now() + LONG;
        while seen.last() == Some(&wrong) {
            assert!(Instant::now() < deadline, "never contradicted");
            seen.extend(client.statuses(&mid).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        seen.dedup();
        assert_eq!((seen.len(), seen[0]), (2, wrong));
        assert_eq!(seen[1] == 1, ratio == 1.0);
    }
}

/// One fault for the answer and one for the receipts can meet in one message.
#[tokio::test]
async fn receipts_and_answers_go_wrong_independently() {
    let simulator = InProcess::start(quick()).await;
    let client = &simulator.client;
    client.faults(&json!([{"fault": "receipt_twice"}, {"fault": "timeout_after", "delay_ms": 1}])).await;
    assert!(client.attempt("send", Some(&request(&[1])), LONG).await.is_err());
    let mid = client.get("mid/1").await["mid"].as_i64().unwrap();
    assert_eq!(client.statuses(&[mid]).await, [1, 1]);
    assert_eq!(client.applied().await, json!({"receipt_twice": 1, "timeout_after": 1}));
}
