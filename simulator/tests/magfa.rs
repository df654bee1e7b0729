//! Magfa's paths over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use simulator::Settings;
use simulator::fate::{Fate, Key, decide};
use simulator::journal::{Submitted, What};
use support::{InProcess, mids, quick, request};

#[tokio::test]
async fn a_call_is_answered_as_documented() {
    let simulator = InProcess::start(quick()).await;
    let answer = simulator
        .client
        .send(&json!({
            "senders": ["3000123", "983000123", "+983000123", "3000123"],
            "recipients": ["09120000001", "989120000002", "+989120000003", "9120000004"],
            "messages": ["hello", "سلام", "a".repeat(161), "س".repeat(71)],
            "encodings": [0, 2, 0, 0],
            "uids": [11, 12, 13, i64::MAX],
        }))
        .await;
    let first = answer["messages"][0]["id"].as_i64().unwrap();
    let element = |index: i64, uid: i64, parts, alphabet, recipient| {
        json!({"status": 0, "id": first + index, "userId": uid, "parts": parts,
            "tariff": 1320.0, "alphabet": alphabet, "recipient": recipient})
    };
    let wanted = json!({"status": 0, "messages": [
        element(0, 11, 1, "DEFAULT", "989120000001"),
        element(1, 12, 1, "UCS2", "989120000002"),
        element(2, 13, 2, "DEFAULT", "989120000003"),
        element(3, i64::MAX, 2, "UCS2", "989120000004"),
    ]});
    assert_eq!(answer, wanted);
    assert!(first > i64::from(u32::MAX));
}

#[tokio::test]
async fn one_sender_text_and_encoding_serve_all_recipients_and_uids_may_be_missing() {
    let simulator = InProcess::start(quick()).await;
    let body = json!({"senders": ["3000"], "messages": ["x"], "encodings": [2],
        "recipients": ["09120000001", "09120000002"]});
    let answer = simulator.client.send(&body).await;
    assert_eq!(mids(&answer).len(), 2);
    assert_eq!(answer["messages"][1]["userId"], 0);
    assert_eq!(simulator.client.get("mid/0").await, json!({"status": 0, "mid": -1}));
    assert_eq!(simulator.operator.stats().distinct_uids, 0);
}

#[tokio::test]
async fn elements_are_refused_one_by_one() {
    let simulator = InProcess::start(quick()).await;
    let recipients =
        ["021123456", "09120000001", "09120000001", "09120000001", "09120000001", "\"0912", "09120000001"];
    let answer = simulator
        .client
        .send(&json!({
            "senders": ["3000", "COMPANY", "3000", "3000", "3000", "3000", "3000"],
            "recipients": recipients,
            "messages": ["x", "x", "", "x", "x".repeat(153 * 265 + 1), "x", "x"],
            "encodings": [0, 0, 0, 1, 0, 0, 0],
            "uids": [1, 2, 3, 4, 5, 6, 7],
        }))
        .await;
    let messages = answer["messages"].as_array().unwrap();
    let codes: Vec<_> = messages.iter().map(|message| message["status"].as_i64().unwrap()).collect();
    assert_eq!((answer["status"].as_i64(), codes), (Some(0), vec![1, 2, 13, 3, 30, 1, 0]));
    let refused = json!({"status": 1, "userId": 6, "recipient": "\"0912"});
    assert_eq!(messages[5], refused);
    let stats = simulator.operator.stats();
    assert_eq!((stats.messages, stats.refused), (1, 6));
    let bad_udh =
        json!({"senders": ["3000"], "messages": ["x"], "udhs": ["0x"], "recipients": ["09120000001"]});
    assert_eq!(simulator.client.send(&bad_udh).await["messages"][0]["status"], 6);
}

#[tokio::test]
async fn a_call_of_the_wrong_shape_is_refused_as_a_whole() {
    let simulator = InProcess::start(quick()).await;
    let with = |field: &str, value: Value| {
        let mut body = request(&[1, 2]);
        body[field] = value;
        body
    };
    let cases = [
        (with("messages", json!(["a", "b", "c"])), 101),
        (with("messages", json!([])), 101),
        (with("senders", json!(["3000", "3000", "3000"])), 103),
        (with("udhs", json!([])), 104),
        (with("recipients", json!([])), 106),
        (request(&(1..=101).collect::<Vec<_>>()), 107),
        (with("senders", json!([])), 108),
        (with("encodings", json!([0, 0, 0])), 109),
        (with("uids", json!([1])), 110),
        (with("uids", json!(["1", "2"])), 31),
        (with("uids", json!([1, 9_223_372_036_854_775_808_u64])), 31),
        (with("recipients", json!([9_120_000_001_u64, 1])), 31),
        (json!({"recipients": ["09120000001"]}), 31),
        (json!([]), 31),
    ];
    for (body, code) in &cases {
        assert_eq!(simulator.client.send(body).await, json!({"status": code}), "{body}");
    }
    for body in [b"".as_slice(), b"{", b"\xff", b"{\"senders\":[\"\xff\"]}"] {
        assert_eq!(simulator.client.magfa("POST", "send", body).await, json!({"status": 31}));
    }
    let stats = simulator.operator.stats();
    assert_eq!((stats.calls, stats.refused_calls, stats.messages), (18, 18, 0));
    assert_eq!(mids(&simulator.client.send_uids(&(1..=100).collect::<Vec<_>>()).await).len(), 100);
}

#[tokio::test]
async fn wrong_credentials_are_status_18_on_every_path() {
    let mut simulator = InProcess::start(quick()).await;
    for (user, password) in [("demo/demo", "wrong"), ("demo", "demo"), ("demo/other", "demo"), ("", "")] {
        (simulator.client.user, simulator.client.password) = (user.to_owned(), password.to_owned());
        assert_eq!(simulator.client.send_uids(&[1]).await, json!({"status": 18}));
        assert_eq!(simulator.client.get("mid/1").await, json!({"status": 18}));
    }
    let url = format!("http://{}/api/http/sms/v2/balance", simulator.client.address);
    let answer: Value = simulator.client.http.get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(answer, json!({"status": 18}));
    assert_eq!(simulator.operator.stats().messages, 0);
    simulator.operator.set(Settings { password: "new".to_owned(), ..quick() }).unwrap();
    (simulator.client.user, simulator.client.password) = ("demo/demo".to_owned(), "new".to_owned());
    assert_eq!(mids(&simulator.client.send_uids(&[1]).await).len(), 1);
}

#[tokio::test]
async fn a_uid_is_a_look_up_key_and_not_a_dedupe_key() {
    let simulator = InProcess::start(quick()).await;
    let first = mids(&simulator.client.send_uids(&[5, 6]).await);
    let second = mids(&simulator.client.send_uids(&[5]).await);
    assert!(second[0] > first[1]);
    assert_eq!(simulator.client.get("mid/5").await, json!({"status": 0, "mid": second[0]}));
    assert_eq!(simulator.client.get("mid/6").await, json!({"status": 0, "mid": first[1]}));
    assert_eq!(simulator.client.get("mid/7").await, json!({"status": 0, "mid": -1}));
    assert_eq!(simulator.client.get("mid/x").await, json!({"status": 31}));
    let stats = simulator.operator.stats();
    assert_eq!((stats.messages, stats.distinct_uids, stats.repeated_uids), (3, 2, 1));
    assert_eq!((stats.mid_calls, stats.mids_unknown), (3, 1));
    let of_five: Vec<_> = simulator
        .operator
        .remembered()
        .into_iter()
        .filter_map(|event| match event.what {
            What::Send(elements) => elements.into_iter().find(|element| element.uid == 5),
            _ => None,
        })
        .collect();
    assert_eq!(of_five.len(), 2, "the journal shows both");
    assert!(matches!(of_five[1].result, Submitted::Accepted { mid, .. } if mid == second[0]));
}

#[tokio::test]
async fn a_refused_uid_was_never_seen() {
    let simulator = InProcess::start(Settings { refuse_ratio: 1.0, refuse_code: 33, ..quick() }).await;
    let answer = simulator.client.send_uids(&[5]).await;
    assert_eq!(answer["messages"][0]["status"], 33);
    assert!(answer["messages"][0].get("id").is_none());
    assert_eq!(simulator.client.get("mid/5").await["mid"], -1);
}

#[tokio::test]
async fn statuses_go_from_nothing_to_reached_to_final() {
    let settings = Settings { delivery_ratio: 1.0, delivery_min_ms: 600, delivery_max_ms: 600, ..quick() };
    let simulator = InProcess::start(settings).await;
    let mid = mids(&simulator.client.send_uids(&[1]).await);
    let mut seen = simulator.client.statuses(&mid).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while seen.last() != Some(&1) && std::time::Instant::now() < deadline {
        seen.extend(simulator.client.statuses(&mid).await);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    seen.dedup();
    assert_eq!(seen, [0, 8, 1]);
    let dlr = &simulator.client.get(&format!("statuses/{}", mid[0])).await["dlrs"][0];
    let date = dlr["date"].as_str().unwrap();
    assert_eq!((date.len(), &date[4..5], &date[10..11], &date[16..17]), (19, "-", " ", ":"));
}

#[tokio::test]
async fn statuses_of_unknown_ids_and_bad_lists() {
    let simulator = InProcess::start(quick()).await;
    let mid = mids(&simulator.client.send_uids(&[1]).await)[0];
    let answer = simulator.client.get(&format!("statuses/{},-1,7,{mid}", mid + 1)).await;
    assert_eq!(answer["dlrs"][0], json!({"mid": mid + 1, "status": -1, "date": null}));
    assert_eq!(answer["dlrs"][2], json!({"mid": 7, "status": -1, "date": null}));
    assert_eq!(answer["dlrs"][3]["status"], 1);
    for (ids, code) in [("", 24), ("1,", 24), ("x", 24), ("99999999999999999999", 24)] {
        assert_eq!(simulator.client.get(&format!("statuses/{ids}")).await, json!({"status": code}), "{ids}");
    }
    let many = |count| vec!["7"; count].join(",");
    assert_eq!(simulator.client.get(&format!("statuses/{}", many(101))).await, json!({"status": 107}));
    assert_eq!(simulator.client.get(&format!("statuses/{}", many(100))).await["status"], 0);
    let stats = simulator.operator.stats();
    assert_eq!((stats.statuses.unknown, stats.statuses.delivered), (103, 1));
}

#[tokio::test]
async fn what_happens_can_be_predicted() {
    let settings = Settings {
        seed: 42,
        refuse_ratio: 0.2,
        refuse_code: 1,
        delivery_ratio: 0.5,
        delivery_min_ms: 0,
        delivery_max_ms: 20,
        ..Settings::default()
    };
    let simulator = InProcess::start(settings.clone()).await;
    let uids: Vec<i64> = (1..=100).collect();
    let answer = simulator.client.send_uids(&uids).await;
    let (mut accepted, mut wanted) = (Vec::new(), Vec::new());
    for (uid, message) in uids.iter().zip(answer["messages"].as_array().unwrap()) {
        match decide(&settings, Key::Uid(*uid)) {
            Fate::Refused(code) => assert_eq!(message["status"], code),
            Fate::Accepted { outcome, .. } => {
                accepted.push(message["id"].as_i64().unwrap());
                wanted.push(i64::from(outcome.status()));
            }
        }
    }
    assert!(accepted.len() > 60 && accepted.len() < 95, "{}", accepted.len());
    assert!([1, 2, 16].iter().all(|status| wanted.contains(status)));
    assert_eq!(simulator.client.finals(&accepted).await, wanted);
}

#[tokio::test]
async fn settings_change_the_answers() {
    let settings = Settings { uid_as_string: true, balance: 77, latency_ms: 30, ..quick() };
    let simulator = InProcess::start(settings).await;
    let before = std::time::Instant::now();
    assert_eq!(simulator.client.get("balance").await, json!({"status": 0, "balance": 77}));
    assert!(before.elapsed().as_millis() >= 30);
    let answer = simulator.client.send_uids(&[-9]).await;
    assert_eq!(answer["messages"][0]["userId"], "-9");
}

#[tokio::test]
async fn wrong_methods_and_paths() {
    let simulator = InProcess::start(quick()).await;
    for (method, path) in
        [("GET", "send"), ("POST", "mid/1"), ("GET", "messages/5"), ("GET", "balance/1"), ("GET", "")]
    {
        assert_eq!(simulator.client.magfa(method, path, "").await, json!({"status": 25}), "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_changes_nothing() {
    let simulator = InProcess::start(quick()).await;
    let url = format!("http://{}/api/http/sms/v2/send", simulator.client.address);
    let request = simulator.client.http.post(url).basic_auth("demo/demo", Some("demo"));
    let answer = request.body(vec![b' '; (16 << 20) + 1]).send().await;
    // The answer may be lost behind the octets that nobody reads any more.
    assert!(answer.map_or(true, |answer| answer.status() == 413));
    assert_eq!(simulator.operator.stats().calls, 0);
}

#[tokio::test]
async fn a_stop_answers_what_is_in_progress() {
    let simulator = InProcess::start(Settings { latency_ms: 300, ..quick() }).await;
    let shutdown = simulator.shutdown.clone();
    let operator = std::sync::Arc::clone(&simulator.operator);
    let uids = [1];
    let (answer, ()) = tokio::join!(simulator.client.send_uids(&uids), async {
        while operator.stats().messages == 0 {
            tokio::task::yield_now().await;
        }
        shutdown.cancel();
    });
    assert_eq!(mids(&answer).len(), 1);
    simulator.served.await.unwrap().unwrap();
}
