//! The control endpoint over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::json;
use simulator::Settings;
use support::{InProcess, mids};

#[tokio::test]
async fn settings_are_shown_and_changed_at_run_time() {
    let simulator = InProcess::start(Settings::default()).await;
    let client = &simulator.client;
    let (status, before) = client.control("GET", "/control/settings", "").await;
    assert_eq!((status, &before["delivery_ratio"]), (200, &json!(0.97)));
    let (status, after) =
        client.control("PUT", "/control/settings", r#"{"refuse_ratio":1,"refuse_code":33}"#).await;
    assert_eq!((status, &after["refuse_ratio"], &after["seed"]), (200, &json!(1.0), &before["seed"]));
    assert_eq!(client.send_uids(&[1]).await["messages"][0]["status"], 33);
}

#[tokio::test]
async fn bad_settings_change_nothing() {
    let simulator = InProcess::start(Settings::default()).await;
    for body in [r#"{"latency_ms":5,"typo":1}"#, r#"{"latency_ms":5,"refuse_ratio":2}"#, "", "[]"] {
        let (status, answer) = simulator.client.control("PUT", "/control/settings", body).await;
        assert_eq!(status, 422, "{body}");
        assert!(answer["error"].as_str().unwrap().len() > 10);
    }
    assert_eq!(simulator.operator.settings(), Settings::default());
}

#[tokio::test]
async fn faults_are_set_shown_and_removed_and_bad_ones_change_nothing() {
    let simulator = InProcess::start(Settings::default()).await;
    let client = &simulator.client;
    let none = (200, json!([]));
    assert_eq!(client.control("GET", "/control/faults", "").await, none);
    let rules = json!([{"fault": "partial", "probability": 0.5}, {"fault": "hang", "for_ms": 1}]);
    let set = (200, rules.clone());
    assert_eq!(client.control("PUT", "/control/faults", &rules.to_string()).await, set);
    for (body, error) in [
        (r#"[{"fault":"partial"},{"fault":"dead"}]"#, "[1] (dead): for_ms is missing"),
        (r#"[{"fault":"x"}]"#, "[0].fault"),
        (r#"{"fault":"partial"}"#, "not a JSON array of rules"),
        ("", "not a JSON array of rules"),
    ] {
        let (status, answer) = client.control("PUT", "/control/faults", body).await;
        assert_eq!(status, 422, "{body}");
        assert!(answer["error"].as_str().unwrap().contains(error), "{body}: {answer}");
        assert_eq!(client.control("GET", "/control/faults", "").await, set);
    }
    client.control("PUT", "/control/settings", r#"{"seed":9}"#).await;
    assert_eq!(client.control("GET", "/control/faults", "").await, set, "settings leave faults alone");
    assert_eq!(client.control("DELETE", "/control/faults", "").await, none);
    assert_eq!(client.control("GET", "/control/faults", "").await, none);
    assert_eq!(client.control("POST", "/control/faults", "").await.0, 405);
}

#[tokio::test]
async fn submissions_of_a_uid_are_listed_with_their_fates() {
    let settings =
        Settings { delivery_ratio: 0.0, delivery_min_ms: 7, delivery_max_ms: 7, ..Settings::default() };
    let simulator = InProcess::start(settings).await;
    let client = &simulator.client;
    let first = mids(&client.send_uids(&[5, 5]).await);
    client.control("PUT", "/control/settings", r#"{"refuse_ratio":1}"#).await;
    client.send_uids(&[5]).await;
    let (status, answer) = client.control("GET", "/control/messages/5", "").await;
    assert_eq!((status, &answer["uid"]), (200, &json!(5)));
    let submissions = answer["submissions"].as_array().unwrap();
    assert_eq!(submissions.len(), 3);
    assert_eq!((&submissions[0]["mid"], &submissions[1]["mid"]), (&json!(first[0]), &json!(first[1])));
    let taken = submissions[0]["submitted_ms"].as_i64().unwrap();
    assert_eq!(submissions[0]["final_ms"], taken + 7);
    assert!([2, 16].contains(&submissions[0]["final_status"].as_i64().unwrap()));
    assert_eq!(submissions[2]["refused"], 27);
    let (_, none) = client.control("GET", "/control/messages/6", "").await;
    assert_eq!(none, json!({"uid": 6, "submissions": []}));
    assert_eq!(client.control("GET", "/control/messages/x", "").await.0, 422);
}

#[tokio::test]
async fn a_reset_forgets_messages_but_mids_go_on() {
    let simulator = InProcess::start(Settings::default()).await;
    let client = &simulator.client;
    let before = mids(&client.send_uids(&[5, 6]).await);
    let (_, stats) = client.control("GET", "/control/stats", "").await;
    assert_eq!(
        (&stats["calls"], &stats["messages"], &stats["remembered"]),
        (&json!(1), &json!(2), &json!(2))
    );
    assert_eq!(client.control("POST", "/control/reset", "").await.0, 200);
    let (_, stats) = client.control("GET", "/control/stats", "").await;
    assert_eq!(
        (&stats["calls"], &stats["messages"], &stats["remembered"]),
        (&json!(0), &json!(0), &json!(0))
    );
    assert_eq!(client.get("mid/5").await["mid"], -1);
    assert_eq!(client.statuses(&before).await, [-1, -1]);
    assert!(mids(&client.send_uids(&[5]).await)[0] > before[1]);
}

#[tokio::test]
async fn other_paths_and_methods() {
    let simulator = InProcess::start(Settings::default()).await;
    let client = &simulator.client;
    assert_eq!(client.control("GET", "/livez", "").await, (200, json!({"status": "ok"})));
    assert_eq!(client.control("GET", "/", "").await.0, 404);
    assert_eq!(client.control("GET", "/control/other", "").await.0, 404);
    for (method, path) in
        [("DELETE", "/control/settings"), ("GET", "/control/reset"), ("POST", "/control/messages/1")]
    {
        assert_eq!(client.control(method, path, "").await.0, 405, "{method} {path}");
    }
}
