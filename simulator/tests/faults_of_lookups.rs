//! Faults of `/mid`, `/statuses` and `/balance` over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use serde_json::{Value, json};
use support::{InProcess, mids, quick};

const SHORT: Duration = Duration::from_millis(150);
const LONG: Duration = Duration::from_secs(10);

async fn with_three_messages() -> (InProcess, Vec<i64>) {
    let simulator = InProcess::start(quick()).await;
    let mids = mids(&simulator.client.send_uids(&[1, 2, 3]).await);
    (simulator, mids)
}

#[tokio::test]
async fn transport_faults_hit_the_calls_they_are_set_on_and_no_others() {
    let (simulator, mids) = with_three_messages().await;
    let client = &simulator.client;
    let paths = [
        ("mid", "mid/1".to_owned()),
        ("statuses", format!("statuses/{}", mids[0])),
        ("balance", "balance".to_owned()),
    ];
    for (on, path) in &paths {
        let set = async |rule: Value| {
            let mut rule = rule;
            rule["on"] = json!(on);
            client.faults(&json!([rule])).await;
        };
        for fault in ["timeout_before", "timeout_after"] {
            set(json!({"fault": fault})).await;
            assert!(client.attempt(path, None, SHORT).await.unwrap_err().is_timeout(), "{fault} {path}");
        }
        set(json!({"fault": "reset_after"})).await;
        let error = client.attempt(path, None, LONG).await.unwrap_err();
        assert!(!error.is_timeout() && !error.is_connect(), "{error:?}");
        for (fault, code) in [("error_500_before", 500), ("error_500_after", 502)] {
            set(json!({"fault": fault, "code": code})).await;
            assert_eq!(client.attempt(path, None, LONG).await.unwrap(), (code, Vec::new()));
        }
        set(json!({"fault": "throttle", "code": 429})).await;
        assert_eq!(client.attempt(path, None, LONG).await.unwrap().0, 429);
        set(json!({"fault": "refuse_call", "code": 29})).await;
        assert_eq!(client.get(path).await, json!({"status": 29}));
        set(json!({"fault": "garbage"})).await;
        let (status, body) = client.attempt(path, None, LONG).await.unwrap();
        let read = serde_json::from_slice::<Value>(&body);
        assert!(status == 200 && !read.is_ok_and(|value| value["status"].is_number()));
        for (other, path) in paths.iter().filter(|(other, _)| other != on) {
            assert_eq!(client.get(path).await["status"], 0, "{other} while {on}");
        }
        assert_eq!(client.send_uids(&[9]).await["status"], 0);
    }
    let met = simulator.met();
    assert_eq!(met.len(), 8 * paths.len());
    assert_eq!(client.applied().await["timeout_after"], 3);
}

#[tokio::test]
async fn statuses_are_missing_doubled_or_in_another_order() {
    let simulator = InProcess::start(quick()).await;
    let client = &simulator.client;
    let all = mids(&client.send_uids(&(1..=20).collect::<Vec<_>>()).await);
    let path = format!("statuses/{}", all.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    let asked = async |rule: Value| -> Vec<i64> {
        client.faults(&json!([rule])).await;
        let answer = client.get(&path).await;
        answer["dlrs"].as_array().unwrap().iter().map(|dlr| dlr["mid"].as_i64().unwrap()).collect()
    };
    let missing = asked(json!({"fault": "partial", "on": "statuses", "from": 2, "to": 20})).await;
    assert_eq!(missing, all[..1]);
    let doubled = asked(json!({"fault": "duplicated", "on": "statuses", "to": 1})).await;
    assert_eq!(doubled[..3], [all[0], all[0], all[1]]);
    assert_eq!(doubled.len(), 21);
    let mut turned = asked(json!({"fault": "reordered", "on": "statuses"})).await;
    assert_ne!(turned, all);
    turned.sort_unstable();
    assert_eq!(turned, all);
    assert_eq!(asked(json!({"fault": "partial", "on": "statuses"})).await, [] as [i64; 0]);
}

#[tokio::test]
async fn a_range_counts_look_ups() {
    let (simulator, _) = with_three_messages().await;
    let client = &simulator.client;
    client.faults(&json!([{"fault": "refuse_call", "on": "mid", "code": 22, "from": 2, "to": 2}])).await;
    let mut statuses = Vec::new();
    for uid in [1, 2, 3] {
        statuses.push(client.get(&format!("mid/{uid}")).await["status"].clone());
        client.get("balance").await;
    }
    assert_eq!(statuses, [0, 22, 0]);
}
