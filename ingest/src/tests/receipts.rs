//! Receipts that operators push.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use domain::outcome::{CLOSING_ATTEMPT, Receipt};
use domain::partition;
use platform::ownership::clock::unix_now;
use serde_json::{Value, json};
use wire::receipts::Receipts;

use super::bad_input::Answers;
use super::gateway::{Answer, Gateway};
use super::sending;
use super::settings::{SECRET, settings};
use crate::receipts::{Of, Pushed};

const PATH: &str = "/receipts/magfa";

/// The k-th message of a chunk.
fn id(chunk: i64, index: i64) -> i64 {
    (117_594_862_387_200_000 & !255) + (chunk << 8) + index
}

async fn ask(gateway: &Gateway, path: &str, secrets: &[&str], body: impl Into<Body>) -> Answer {
    let request = Request::post(path).header("content-type", "application/json");
    let request = secrets.iter().fold(request, |request, secret| request.header("x-receipt-secret", *secret));
    gateway.ask(request.body(body.into()).unwrap()).await
}

async fn push(gateway: &Gateway, body: &Value) -> Answer {
    ask(gateway, PATH, &[SECRET], body.to_string()).await
}

/// Everything in `sms.receipts`, by partition.
fn stored(gateway: &Gateway) -> Vec<(i32, Receipts)> {
    let topic = gateway.common.topics.receipts();
    let of = |partition| {
        let records = sending::records(gateway, &topic, partition);
        records.into_iter().map(move |record| (partition, Receipts::decode(&record).unwrap()))
    };
    (0..gateway.common.partitions).flat_map(of).collect()
}

/// The sweep must know that the operator is well.
async fn is_heard_of(gateway: &Gateway, connector: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let heard: Vec<String> =
            sqlx::query_scalar("select connector from connector_heard where last_at <= clock_timestamp()")
                .fetch_all(gateway.schema.pool())
                .await
                .unwrap();
        if heard == [connector] {
            return;
        }
        assert!(Instant::now() < deadline, "{heard:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_with_200_is_in_kafka() {
    let gateway = Gateway::with_topics().await;
    let before = unix_now();
    let body = json!([
        {"uid": id(1, 0), "status": 1, "date": "2026-11-21 15:30:00"},
        {"uid": id(2, 7).to_string(), "status": 2},
        {"uid": id(1, 1), "status": 8, "date": null},
        {"uid": id(1, 0), "status": 16},
        {"uid": id(3, 255), "status": 77},
        {"uid": id(3, 254), "status": -1},
    ]);
    let answer = push(&gateway, &body).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (200, &json!({"receipts": 6})));
    assert_eq!(answer.headers["cache-control"], "no-store");
    is_heard_of(&gateway, "magfa").await;

    let mut found = BTreeMap::new();
    for (at, receipts) in stored(&gateway) {
        assert_eq!((receipts.connector.as_str(), receipts.polled), ("magfa", false));
        assert!((before..=unix_now()).contains(&receipts.at));
        for slice in receipts.slices {
            assert_eq!(at, partition::of_chunk(slice.chunk, gateway.common.partitions));
            assert_eq!(slice.attempt, CLOSING_ATTEMPT, "an id of ours does not say which");
            let heard = slice.messages.iter().map(|one| (one.position, one.receipt, one.code));
            assert!(found.insert(slice.chunk.get(), heard.collect::<Vec<_>>()).is_none());
        }
    }
    use Receipt::{Delivered, Nothing, OnTheWay, Undelivered};
    let due = [
        (id(1, 0), vec![(0, Delivered, 1), (1, OnTheWay, 8), (0, Undelivered, 16)]),
        (id(2, 0), vec![(7, Undelivered, 2)]),
        (id(3, 0), vec![(255, Nothing, 77), (254, Nothing, -1)]),
    ];
    assert_eq!(found, due.into());
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_at_once_and_once_more() {
    let gateway = Gateway::with_topics().await;
    let body: Vec<Value> = (0..1_000).map(|k| json!({"uid": id(k / 4, k % 4), "status": 1})).collect();
    let body = json!(body);
    for _ in 0..2 {
        assert_eq!(push(&gateway, &body).await.body, json!({"receipts": 1_000}));
    }
    let messages = stored(&gateway).into_iter().flat_map(|(_, receipts)| receipts.slices);
    assert_eq!(messages.map(|slice| slice.messages.len()).sum::<usize>(), 2_000);
    gateway.close().await;
}

/// Keys are settings, and nothing is looked up.
#[tokio::test(flavor = "multi_thread")]
async fn it_works_without_the_database() {
    let gateway = Gateway::with_topics().await;
    gateway.schema.pools().close().await;
    assert_eq!(push(&gateway, &json!([{"uid": id(0, 0), "status": 1}])).await.status, 200);
    assert_eq!(stored(&gateway).len(), 1);
    gateway.delete_topics().await;
}

#[tokio::test]
async fn only_the_secret_of_the_connector_opens() {
    let gateway = Gateway::without_topics().await;
    let body = json!([{"uid": id(0, 0), "status": 1}]).to_string();
    let mut answers = Answers::new();
    let right = SECRET;
    for (what, path, secrets) in [
        ("no secret", PATH, &[][..]),
        ("an empty secret", PATH, &[""]),
        ("a wrong secret", PATH, &["0123456789abcdef!"]),
        ("another connector's secret", PATH, &["the-secret-of-another"]),
        ("two secrets", PATH, &[right, right]),
        ("a connector without a secret", "/receipts/silent", &[""]),
        ("a connector that is not known", "/receipts/nobody", &[right]),
        ("capitals", "/receipts/MAGFA", &[right]),
        ("no name", "/receipts/%FF", &[right]),
    ] {
        let answer = ask(&gateway, path, secrets, body.clone()).await;
        if answer.status == 401 {
            assert_eq!(answer.headers["www-authenticate"], "X-Receipt-Secret");
        }
        answers.keep(what, &answer);
    }
    // A customer's key opens nothing here, and an operator's secret nothing there.
    let request = gateway.request("POST", PATH).header("content-type", "application/json");
    answers.keep("a customer's key", &gateway.ask(request.body(body.clone().into()).unwrap()).await);
    insta::assert_json_snapshot!(answers.0);
    for (name, value) in [("x-receipt-secret", right), ("x-api-key", right)] {
        let request = Request::get("/v1/balance").header(name, value).body(Body::empty()).unwrap();
        assert_eq!(gateway.ask(request).await.status, 401);
    }
    gateway.close().await;
}

#[tokio::test]
async fn bad_pushes() {
    let gateway = Gateway::without_topics().await;
    let good = json!({"uid": id(0, 0), "status": 1});
    let bodies = [
        ("empty body", String::new()),
        ("not JSON", "uid=1".into()),
        ("cut off", r#"[{"uid": 1"#.into()),
        ("something behind it", "[] []".into()),
        ("a key twice", r#"[{"uid": 1, "status": 1, "uid": 2}]"#.into()),
        ("an object", good.to_string()),
        ("null", "null".into()),
        ("a string", "\"x\"".into()),
        ("no receipt", "[]".into()),
        ("too many", json!(vec![&good; 1_001]).to_string()),
        ("elements of other types", json!([1, null, "x", [good], good]).to_string()),
        ("nothing in it", "[{}]".into()),
        ("null fields", json!([{"uid": null, "status": null}]).to_string()),
        ("unknown fields", json!([{"uid": 1, "status": 1, "mid": 5, "text": "x"}]).to_string()),
        (
            "wrong types",
            json!([{"uid": true, "status": "1", "date": 5}, {"uid": [1], "status": {}}]).to_string(),
        ),
        (
            "a uid that is no number",
            json!([{"uid": "12a", "status": 1}, {"uid": "", "status": 1}, {"uid": "-5", "status": 1}])
                .to_string(),
        ),
        ("a uid that is no integer", json!([{"uid": 1.5, "status": 1}]).to_string()),
        (
            "a status beyond 16 bits",
            json!([{"uid": 1, "status": 32_768}, {"uid": 1, "status": -32_769}]).to_string(),
        ),
        ("a date that is too long", json!([{"uid": 1, "status": 1, "date": "5".repeat(65)}]).to_string()),
    ];
    let mut answers = Answers::new();
    for (what, body) in bodies {
        answers.keep(what, &ask(&gateway, PATH, &[SECRET], body).await);
    }
    answers.keep("a body too large", &ask(&gateway, PATH, &[SECRET], " ".repeat(131_073)).await);
    let plain = Request::post(PATH).header("x-receipt-secret", SECRET).header("content-type", "text/plain");
    answers.keep("another content type", &gateway.ask(plain.body("[]".into()).unwrap()).await);
    let query = format!("{PATH}?uid=1");
    answers.keep("a query", &ask(&gateway, &query, &[SECRET], json!([good]).to_string()).await);
    answers.keep("another method", &gateway.get(PATH).await);
    insta::assert_json_snapshot!(answers.0);
    gateway.close().await;
}

/// Without topics nothing is acknowledged: no 200.
#[tokio::test(flavor = "multi_thread")]
async fn not_without_an_acknowledgement() {
    let mut settings = settings();
    settings.produce.ack_timeout_ms = 200;
    settings.produce.queue_bytes.standard = 1_024;
    let gateway = Gateway::open(settings, false).await;
    let one = json!([{"uid": id(0, 0), "status": 1}]);
    let unknown = push(&gateway, &one).await;
    let full = push(&gateway, &one).await;
    let all = gateway.app.pushes.acquire_many(64).await.unwrap();
    let busy = push(&gateway, &one).await;
    drop(all);
    for answer in [&unknown, &full, &busy] {
        assert!(answer.headers.contains_key("retry-after"));
    }
    insta::assert_json_snapshot!([unknown.lines(), full.lines(), busy.lines()]);
    gateway.close().await;
}

#[tokio::test]
async fn ids_are_read_as_they_are_written() {
    let ids = |body: Value| -> Vec<Option<i64>> {
        let read = crate::request::receipts::read(body.to_string().as_bytes(), false).unwrap();
        let id = |pushed: &Pushed| match &pushed.of {
            Of::Message(message) => Some(message.get()),
            Of::OperatorId(_) | Of::Nobody => None,
        };
        read.iter().map(id).collect()
    };
    let uids = |uids: &[Value]| uids.iter().map(|uid| json!({"uid": uid, "status": 1})).collect();
    let ours = [json!(i64::MAX), json!("0009000"), json!(256)];
    assert_eq!(ids(uids(&ours)), [Some(i64::MAX), Some(9_000), Some(256)]);
    let too_long = "9".repeat(60);
    let nobodys = [json!(0), json!("0"), json!(1), json!(255), json!("255"), json!(-1), json!(i64::MIN)];
    let beyond = [json!(9_223_372_036_854_775_808_u64), json!(too_long)];
    assert!(ids(uids(&[&nobodys[..], &beyond].concat())).iter().all(Option::is_none));
}

/// Others may share the operator's account with us: what is said of their messages keeps out
/// nothing of ours.
#[tokio::test(flavor = "multi_thread")]
async fn ids_that_we_never_give_do_no_harm() {
    let gateway = Gateway::with_topics().await;
    let nobodys = [0, 1, 17, 255, -5, i64::MIN];
    let ours: Vec<i64> = (0..120).map(|chunk| id(chunk, 3)).collect();
    let all = nobodys.iter().chain(&ours).chain(&nobodys);
    let body: Value = all.map(|uid| json!({"uid": uid, "status": 1})).collect();
    assert_eq!(push(&gateway, &body).await.body, json!({"receipts": 132}));
    let slices = stored(&gateway).into_iter().flat_map(|(_, receipts)| receipts.slices);
    let mut found: Vec<i64> = slices
        .flat_map(|slice| slice.messages.into_iter().map(move |one| slice.chunk.message(one.position).get()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, ours);
    gateway.close().await;
}

#[tokio::test]
async fn a_call_of_others_alone_is_a_sign_of_life() {
    let gateway = Gateway::without_topics().await;
    let answer = push(&gateway, &json!([{"uid": 7, "status": 1}])).await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, json!({"receipts": 1})));
    is_heard_of(&gateway, "magfa").await;
    gateway.close().await;
}

/// Where the connector is set to that; elsewhere `mid` is no field.
#[tokio::test]
async fn messages_may_be_named_by_the_operators_own_ids() {
    let read = |body: Value, mids| crate::request::receipts::read(body.to_string().as_bytes(), mids);
    let body = json!([
        {"mid": 134_512_228_059_i64, "status": 1},
        {"mid": "00AB-7", "status": 2},
        {"uid": 9_000, "status": 1},
    ]);
    let read_of: Vec<Of> = read(body.clone(), true).unwrap().into_iter().map(|pushed| pushed.of).collect();
    let id = |id: &str| Of::OperatorId(id.into());
    assert_eq!(read_of, [id("134512228059"), id("ab-7"), Of::id(9_000)]);

    let wrong = |body: Value, mids| format!("{:?}", read(body, mids).unwrap_err());
    assert!(wrong(body, false).contains("body[0].mid"));
    for (field, entry) in [
        ("body[0].mid", json!({"mid": "", "status": 1})),
        ("body[0].mid", json!({"mid": "a b", "status": 1})),
        ("body[0].mid", json!({"mid": "9".repeat(65), "status": 1})),
        ("body[0].mid", json!({"mid": true, "status": 1})),
        ("body[0].mid", json!({"mid": "7", "uid": 9_000, "status": 1})),
        ("body[0].uid", json!({"mid": null, "status": 1})),
        ("body[0].uid", json!({"status": 1})),
    ] {
        let said = wrong(json!([entry]), true);
        assert!(said.contains(field), "{field}: {said}");
    }
}
