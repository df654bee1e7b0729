//! Pushes that nobody should believe: they change nothing, and are told exactly what is wrong,
//! or are kept, counted and visible. At the end the operator says of every message that it was
//! not delivered: had anything before been believed, some would be delivered.

use super::world::{SECRET, World, accepted, metric, operator, report, until};
use domain::status::{MessageState, Status};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::SocketAddr;

const OTHERS_SECRET: &str = "the-secret-of-another";
const MAGFA: &str = "/receipts/magfa";

/// A gateway with a second operator, that no message goes by, and a third that may not push.
fn settings() -> Vec<(&'static str, &'static str)> {
    let nowhere = "http://127.0.0.1:9/v2";
    vec![
        ("SENDER__CONNECTORS__OTHER__BASE_URL", nowhere),
        ("SENDER__CONNECTORS__OTHER__USER", "u/d"),
        ("SENDER__CONNECTORS__OTHER__PASSWORD", "p"),
        ("SENDER__CONNECTORS__OTHER__CALL_TIMEOUT_MS", "1000"),
        ("SENDER__CONNECTORS__OTHER__CALL_MESSAGES", "100"),
        ("SENDER__CONNECTORS__MUTE__BASE_URL", nowhere),
        ("SENDER__CONNECTORS__MUTE__USER", "u/d"),
        ("SENDER__CONNECTORS__MUTE__PASSWORD", "p"),
        ("SENDER__CONNECTORS__MUTE__CALL_TIMEOUT_MS", "1000"),
        ("SENDER__CONNECTORS__MUTE__CALL_MESSAGES", "100"),
        ("INGEST__RECEIPTS__OTHER__SECRET", OTHERS_SECRET),
        ("INGEST__RECEIPTS__MUTE__SECRET", ""),
        ("DLR_RECONCILER__POLL_SCHEDULE_S", "3600"),
    ]
}

/// An answer.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// It is a problem document, as all errors are.
    fn is_problem(&self, case: &str, status: u16, code: &str) {
        let Answer { status: answered, headers, body } = self;
        assert_eq!((*answered, &body["code"]), (status, &json!(code)), "{case}: {body}");
        assert_eq!(headers[CONTENT_TYPE], "application/problem+json", "{case}");
        assert_eq!(body["status"], status, "{case}: {body}");
        assert_eq!(body["request_id"], headers["request-id"].to_str().unwrap(), "{case}: {body}");
        let has = |name: &str| body[name].as_str().is_some_and(|text| !text.is_empty());
        assert!(
            has("type") && has("title") && (has("detail") || !self.errors().is_empty()),
            "{case}: {body}"
        );
        assert!(!body.to_string().contains(SECRET), "{case}: {body}");
    }

    /// Which fields are wrong, and how.
    fn errors(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = self.body["errors"].as_array().into_iter().flatten();
        errors.map(|error| (text(&error["field"]), text(&error["code"]))).collect()
    }
}

async fn push(api: SocketAddr, path: &str, secrets: &[&str], body: impl ToString) -> Answer {
    let request = testkit::http_client().post(format!("http://{api}{path}"));
    let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
    let request = secrets.iter().fold(request, |request, secret| request.header("X-Receipt-Secret", *secret));
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Answer { status, headers, body: response.json().await.unwrap_or(Value::Null) }
}

/// All of them were delivered, somebody says.
fn delivered(ids: &[i64]) -> Value {
    ids.iter().map(|id| json!({"uid": id, "status": 1, "date": "2026-11-21 15:30:00"})).collect()
}

async fn is_stored(api: SocketAddr, path: &str, secret: &str, ids: &[i64]) {
    let answer = push(api, path, &[secret], delivered(ids)).await;
    assert_eq!((answer.status, answer.body), (200, json!({"receipts": ids.len()})));
}

/// Whoever does not know the secret is not let in, and is not told more than that.
async fn without_the_secret(api: SocketAddr, ids: &[i64], key: &str) {
    let body = delivered(ids);
    for (case, path, secrets) in [
        ("none", MAGFA, &[][..]),
        ("an empty one", MAGFA, &[""]),
        ("a wrong one", MAGFA, &["the-secret-of-magfb"]),
        ("the beginning of it", MAGFA, &["the-secret-of-magf"]),
        ("another operator's", MAGFA, &[OTHERS_SECRET]),
        ("the right one and another", MAGFA, &[SECRET, OTHERS_SECRET]),
        ("that of this one elsewhere", "/receipts/other", &[SECRET]),
        ("a customer's key", MAGFA, &[key]),
    ] {
        let answer = push(api, path, secrets, &body).await;
        answer.is_problem(case, 401, "unauthenticated");
        assert_eq!(answer.headers["www-authenticate"], "X-Receipt-Secret", "{case}");
    }
    for (case, path, secret) in [
        ("an operator that may not push", "/receipts/mute", SECRET),
        ("an operator that may not push, and its secret", "/receipts/mute", ""),
        ("an operator that nobody knows", "/receipts/nobody", SECRET),
        ("capitals", "/receipts/Magfa", SECRET),
    ] {
        push(api, path, &[secret], &body).await.is_problem(case, 404, "not_found");
    }
}

/// Of a body with anything wrong in it nothing is taken, and all that is wrong is named.
async fn malformed(api: SocketAddr, good: i64) {
    let good = json!({"uid": good, "status": 1});
    let cases = [
        ("an object", good.clone(), vec![("body", "wrong_type")]),
        ("null", Value::Null, vec![("body", "wrong_type")]),
        ("none", json!([]), vec![("body", "out_of_range")]),
        ("too many", json!(vec![&good; 1_001]), vec![("body", "too_many")]),
        ("a number", json!([good, 5]), vec![("body[1]", "wrong_type")]),
        ("no uid", json!([good, {"status": 1}]), vec![("body[1].uid", "required")]),
        ("no status", json!([good, {"uid": 1}]), vec![("body[1].status", "required")]),
        (
            "a word as status",
            json!([good, {"uid": 1, "status": "1"}]),
            vec![("body[1].status", "wrong_type")],
        ),
        (
            "several",
            json!([{"uid": "x", "status": 1}, good, {"uid": [1], "status": 40_000, "date": 1, "text": "x"}]),
            vec![
                ("body[0].uid", "wrong_type"),
                ("body[2].date", "wrong_type"),
                ("body[2].status", "out_of_range"),
                ("body[2].text", "unknown_field"),
                ("body[2].uid", "wrong_type"),
            ],
        ),
    ];
    for (case, body, due) in cases {
        let answer = push(api, MAGFA, &[SECRET], body).await;
        answer.is_problem(case, 400, "invalid_request");
        let mut errors = answer.errors();
        errors.sort();
        let errors: Vec<_> = errors.iter().map(|(field, code)| (field.as_str(), code.as_str())).collect();
        assert_eq!(errors, due, "{case}");
    }
    for (case, body) in
        [("cut off", format!("[{good}")), ("nothing", String::new()), ("a form", "uid=1".into())]
    {
        push(api, MAGFA, &[SECRET], body).await.is_problem(case, 400, "malformed_json");
    }
    let large = format!("[{good}{}]", " ".repeat(300_000));
    push(api, MAGFA, &[SECRET], large).await.is_problem("too large", 413, "body_too_large");
    let answer = push(api, "/receipts/magfa?uid=1", &[SECRET], json!([good])).await;
    answer.is_problem("a query", 400, "invalid_request");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forged_changes_nothing() {
    let mut world = World::new(operator(), &settings()).await;
    let poor = world.gateway.customer(2_000);
    let ingest = world.gateway.start("ingest", "ingest").await;
    let reconciler = world.gateway.start("reconciler", "dlr-reconciler").await;
    let api = ingest.api;

    // The second message of a customer who can pay for one is refused when its turn comes: it was
    // taken by a process that does not know of the first, and billing, which does, is not there.
    let paid = accepted(&poor, api, 1, "express").await;
    let other = world.gateway.start("other", "ingest").await;
    let refused = accepted(&poor, other.api, 2, "express").await;
    assert!(other.stop().await, "a clean stop");
    // Pushed by who does not carry them, while nobody knows yet who will.
    let early = world.send(api, 5, 1).await;
    is_stored(api, "/receipts/other", OTHERS_SECRET, &early).await;
    until("they wait", async || world.pending().await > 0).await;
    world.faults(r#"[{"fault":"receipt_never"}]"#);
    let rest = world.gateway.start("rest", "billing-consumer,sender").await;
    let mut open = world.send(api, 10, 2).await;
    open.extend(&early);
    world.until("all were taken", &open, |state| state.closed_attempt().is_some()).await;
    world.until("and that of the poor", &[paid], |state| state.closed_attempt().is_some()).await;
    world.until("the other is refused", &[refused], |state| state.status() == Status::Refused).await;
    world.until_none_waits().await;
    world.faults(r#"[{"fault":"refuse","code":27}]"#);
    let blocked = world.send(api, 5, 1).await;
    world.until_final(&blocked).await;

    without_the_secret(api, &open, "sk_this_is_no_secret_of_an_operator").await;
    malformed(api, open[0]).await;
    // Another operator's secret opens its own door, and no message went by it.
    is_stored(api, "/receipts/other", OTHERS_SECRET, &open).await;
    // Ids that are nobody's: of no chunk, and beyond the end of one.
    let unknown: Vec<i64> = (0..1_000).map(|k| (open[0] & !255) + (1 << 40) + k).collect();
    is_stored(api, MAGFA, SECRET, &unknown).await;
    is_stored(api, MAGFA, SECRET, &[paid + 7]).await;
    // Codes that say nothing.
    for code in [-1, 0, 8, 3, 77] {
        world.push(api, &open, code).await;
    }
    // Messages that were not sent: refused for lack of funds, and by the operator.
    is_stored(api, MAGFA, SECRET, &[refused]).await;
    is_stored(api, MAGFA, SECRET, &blocked).await;

    world.until_late(&[refused]).await;
    world.until_late(&blocked).await;
    let sums = async |name: &str, label: &str| metric(&reconciler, name, &[label]).await;
    until("the foreign are counted", async || {
        let foreign = sums("smshub_dlr_reconciler_foreign_receipts_total", "connector=\"other\"").await;
        foreign == (open.len() + early.len()) as f64
    })
    .await;
    assert!(report(&reconciler).await["alarms"].to_string().contains("foreign_receipts"));
    until("nobody's wait", async || sums("smshub_dlr_reconciler_pending_receipts", "").await >= 4.0).await;
    let chunks = world.pending().await;
    assert!((4..=5).contains(&chunks), "1,000 messages are of so many chunks: {chunks}");
    until("what is beyond is counted", async || {
        sums("smshub_dlr_reconciler_positions_beyond_chunk_total", "").await > 0.0
    })
    .await;
    let counted = async |name: &str, label: &str| metric(&ingest, name, &[label]).await;
    let codes = counted("smshub_receipts_unknown_codes_total", "connector=\"magfa\"").await;
    assert_eq!(codes, (2 * open.len()) as f64, "3 and 77 are none of the operator's");
    let turned_away = counted("smshub_receipts_refused_calls_total", "reason=\"unauthenticated\"").await;
    assert_eq!(turned_away, 8.0);

    let states = world.states(&open).await;
    assert!(states.values().all(|state| state.status() == Status::Sent), "nothing was believed");
    world.push(api, &open, 2).await;
    world.push(api, &[paid], 2).await;
    world.until_final(&[paid]).await;
    let ends = |ids: &[i64], status| ids.iter().map(|id| (*id, status)).collect::<HashMap<_, _>>();
    let mut due = ends(&open, Status::Undelivered);
    due.extend(ends(&blocked, Status::Blocked));
    world.ended("forged", api, due).await;
    assert!(!world.states(&open).await.values().any(MessageState::late_receipt));
    let (_, balance) = poor.get(api, "/v1/balance").await.unwrap();
    assert_eq!((&balance["balance"], &balance["held"]), (&json!(2_000), &json!(0)));
    let (_, message) = poor.get(api, &format!("/v1/messages/{refused}")).await.unwrap();
    assert_eq!((&message["status"], &message["price"]), (&json!("refused"), &json!(0)), "{message}");
    assert_eq!(world.pending().await, chunks, "they still wait");
    world.end(vec![rest, reconciler, ingest]).await;
}
