//! `smshub send` against an API that answers as it is told.

use crate::support::{ended, smshub};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// Instead of a status: no answer at all.
const LOST: u16 = 0;

/// An API of one account. Bulk calls are answered by `answers` first, then as accepted.
#[derive(Clone, Default)]
struct Api(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    answers: VecDeque<(u16, Value)>,
    calls: Vec<(String, Value)>,
    reports: u32,
    /// Whether messages end.
    stuck: bool,
}

impl Api {
    async fn start(answers: Vec<(u16, Value)>) -> (Self, String) {
        let api = Api::default();
        api.0.lock().unwrap().answers = answers.into();
        let router = Router::new()
            .route("/v1/balance", get(balance))
            .route("/v1/messages/bulk", post(bulk))
            .route("/v1/messages/bulk/{id}", get(report))
            .route("/v1/messages/preview", post(preview))
            .with_state(api.clone());
        (api, serve(router).await)
    }

    fn calls(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().calls.clone()
    }
}

/// Serves it on a port of its own; its address.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

async fn balance(headers: HeaderMap) -> Response {
    if headers["Authorization"] != "Bearer sk_test" {
        let problem =
            json!({"status": 401, "code": "unauthenticated", "title": "The key is missing or unknown"});
        return (StatusCode::UNAUTHORIZED, problem.to_string()).into_response();
    }
    json!({"balance": 9000, "held": 0, "currency": "IRR"}).to_string().into_response()
}

async fn bulk(State(api): State<Api>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let mut api = api.0.lock().unwrap();
    let count = body["messages"].as_array().unwrap().len();
    api.calls.push((headers["Idempotency-Key"].to_str().unwrap().to_owned(), body));
    let id = (api.calls.len() * 256).to_string();
    let accepted = json!({"batch_id": id, "accepted": count, "price": count * 1000, "rejected": []});
    let (status, answer) = api.answers.pop_front().unwrap_or((202, accepted));
    drop(api);
    // The server closes the connection of a handler that panics.
    assert_ne!(status, LOST, "on purpose: this answer is lost");
    let status = StatusCode::from_u16(status).unwrap();
    (status, [("Retry-After", "0")], answer.to_string()).into_response()
}

async fn report(State(api): State<Api>, Path(id): Path<String>) -> Response {
    let mut api = api.0.lock().unwrap();
    api.reports += 1;
    let index: usize = id.parse::<usize>().unwrap() / 256 - 1;
    let count = api.calls[index].1["messages"].as_array().unwrap().len();
    // At first it is not recorded yet, then a part is open.
    let counts = match api.reports {
        1 => return StatusCode::NOT_FOUND.into_response(),
        2 => json!({"sent": count}),
        _ if api.stuck => json!({"sent": 1, "delivered": count - 1}),
        _ => json!({"delivered": count - 1, "undelivered": 1, "sent": 0, "queued": 0}),
    };
    json!({"messages": count, "counts": counts, "price": count * 1000, "refunded": 1000})
        .to_string()
        .into_response()
}

async fn preview(body: Bytes) -> String {
    assert!(!serde_json::from_slice::<Value>(&body).unwrap()["to"].as_str().unwrap().is_empty());
    json!({"segments": 1, "price": 1000, "currency": "IRR"}).to_string()
}

/// Runs `smshub send` over a file of this content.
async fn send(content: &str, url: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    let mut command = smshub();
    command
        .args(["send", "--url", url, "--file"])
        .arg(file.path())
        .args(arguments)
        .env("SMSHUB_KEY", "sk_test");
    // The API answers meanwhile.
    let ended = tokio::task::spawn_blocking(move || {
        let ended = ended(&mut command);
        drop(file);
        ended
    });
    ended.await.unwrap()
}

fn rows(count: usize) -> String {
    let row = |n| format!("0912000{n:04},Sara {n}\n");
    format!("to,name\n{}", (1..=count).map(row).collect::<String>())
}

#[tokio::test]
async fn a_file_is_submitted_in_batches_and_followed_to_the_end() {
    let (api, url) = Api::start(vec![]).await;
    let arguments = ["--text", "Dear {name}", "--batch", "4", "--lane", "standard", "--from", "100002"];
    let (code, out, error) = send(&rows(10), &url, &arguments).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    for line in [
        "submitted             10",
        "invalid                0",
        "charged            10000 IRR",
        "delivered              7",
        "failed                 3  (undelivered 3)",
        "refunded            3000 IRR",
        "balance             9000 IRR before",
        "                    9000 IRR after",
        "following: 100 % final",
    ] {
        assert!(out.lines().any(|found| found == line), "{line:?} is not in\n{out}");
    }
    let calls = api.calls();
    let mut all: Vec<Value> =
        calls.iter().flat_map(|(_, body)| body["messages"].as_array().unwrap().clone()).collect();
    all.sort_by_key(|message| message["to"].as_str().unwrap().to_owned());
    assert_eq!(all.len(), 10);
    assert_eq!(all[2], json!({"to": "09120000003", "text": "Dear Sara 3"}));
    assert_eq!((&calls[0].1["lane"], &calls[0].1["from"]), (&json!("standard"), &json!("100002")));
    let mut keys: Vec<_> = calls.iter().map(|(key, _)| key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3, "a key for each batch");
}

#[tokio::test]
async fn what_is_busy_is_tried_again_with_the_same_key() {
    let busy = |status, code: &str| (status, json!({"status": status, "code": code}));
    let answers = vec![busy(503, "overloaded"), busy(429, "rate_limited")];
    let (api, url) = Api::start(answers).await;
    let (code, out, error) = send(&rows(3), &url, &["--text", "x"]).await;
    assert_eq!(code, 0, "{out}{error}");
    let calls = api.calls();
    assert_eq!(calls.len(), 3);
    assert!(calls.iter().all(|call| *call == calls[0]), "{calls:?}");
}

/// Whether the answer says so, or is lost: the key makes it the same call.
#[tokio::test]
async fn what_may_have_been_taken_is_sent_again_with_the_same_key() {
    let unclear = json!({"status": 503, "code": "unavailable", "detail": "the outcome is unknown"});
    let running = json!({"status": 409, "code": "idempotency_in_progress"});
    let (api, url) = Api::start(vec![(503, unclear), (LOST, Value::Null), (409, running)]).await;
    let (code, out, error) = send(&rows(3), &url, &["--text", "x"]).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let calls = api.calls();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|call| *call == calls[0]), "{calls:?}");
}

#[tokio::test]
async fn invalid_rows_are_counted_and_are_no_failure() {
    let rejected = json!([{"index": 1, "to": "12", "code": "invalid_recipient"}]);
    let some = (202, json!({"batch_id": "256", "accepted": 1, "price": 1000, "rejected": rejected}));
    let errors: Vec<_> = (0..2)
        .map(|i| json!({"field": format!("messages[{i}].to"), "code": "unsupported_country"}))
        .collect();
    let none = (400, json!({"status": 400, "code": "invalid_request", "errors": errors}));
    let (_, url) = Api::start(vec![some, none]).await;
    let (code, out, error) =
        send(&rows(4), &url, &["--text", "x", "--batch", "2", "--calls", "1", "--no-follow"]).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    assert!(out.contains("invalid                3  (invalid_recipient 1, unsupported_country 2)"), "{out}");
    assert!(out.contains("  row 2: invalid_recipient\n"), "{out}");
    assert!(out.contains("accepted               1\n"), "{out}");
}

/// Leaves out the first three messages of every call. The call with row 1 is answered when row
/// 9 has come: of two calls at once, that is after the one between them was answered and taken.
async fn late_first(State(row_9): State<Arc<Notify>>, body: Bytes) -> String {
    let body: Value = serde_json::from_slice(&body).unwrap();
    match body["messages"][0]["to"].as_str().unwrap() {
        "09120000001" => row_9.notified().await,
        "09120000009" => row_9.notify_one(),
        _ => {}
    }
    let rejected: Vec<_> =
        (0..3).map(|index| json!({"index": index, "to": "12", "code": "invalid_recipient"})).collect();
    json!({"batch_id": "256", "accepted": 1, "price": 1000, "rejected": rejected}).to_string()
}

#[tokio::test]
async fn invalid_rows_are_named_in_the_order_of_the_file() {
    let router = Router::new()
        .route("/v1/balance", get(balance))
        .route("/v1/messages/bulk", post(late_first))
        .with_state(Arc::new(Notify::new()));
    let url = serve(router).await;
    let (code, out, error) =
        send(&rows(12), &url, &["--text", "x", "--batch", "4", "--calls", "2", "--no-follow"]).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    let place = out.find("invalid  ").unwrap_or_else(|| panic!("{out}"));
    let named: Vec<&str> = out[place..].lines().skip(1).take(6).map(str::trim).collect();
    let row = |number| format!("row {number}: invalid_recipient");
    assert_eq!(named, [&row(1), &row(2), &row(3), &row(5), &row(6), "and 4 more"], "{out}");
}

#[tokio::test]
async fn a_refusal_ends_the_submission() {
    let poor = json!({"status": 402, "code": "insufficient_funds", "balance": 5, "required": 2000, "currency": "IRR"});
    let (api, url) = Api::start(vec![(402, poor)]).await;
    let (code, out, error) = send(&rows(6), &url, &["--text", "x", "--batch", "2", "--calls", "1"]).await;
    assert_eq!(code, 1, "{out}");
    assert_eq!(error, "smshub: rows 1 to 2: 402 insufficient_funds (balance 5, required 2000)\n");
    assert!(out.contains("not accepted           2\n"), "{out}");
    assert!(api.calls().len() <= 2, "nothing further is read");
}

#[tokio::test]
async fn what_does_not_end_in_time_is_said() {
    let (api, url) = Api::start(vec![]).await;
    api.0.lock().unwrap().stuck = true;
    let (code, out, _) = send(&rows(3), &url, &["--text", "x", "--deadline", "2"]).await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("not final              1  (1 sent to an operator)"), "{out}");
}

/// Each is said in one line, and its batch is not sent.
#[tokio::test]
async fn a_file_that_is_wrong_is_refused_with_its_row() {
    let (api, url) = Api::start(vec![]).await;
    for (content, arguments, says) in [
        ("phone\n1\n", &["--text", "x"][..], "no column `to`, `receiver` or `mobile`: "),
        (
            "to,name\n1,a\n",
            &["--text", "{nmae}"],
            "the text has {nmae}, but the file has no such column; it has to, name",
        ),
        ("to,name\n1,a\n", &[], "no column `text` for the texts: "),
        ("to,name\n1,a\n", &["--column-of-text", "body"], "no column `body` for the texts: "),
        (
            "to,name\n1,a\n2\n",
            &["--text", "x"],
            "row 2 (line 3): expected 2 columns as in the header, found 1",
        ),
        ("to,name\n1,\"a\n2,b\n", &["--text", "x"], "row 1 (line 2): a quote is not closed"),
        ("", &["--text", "x"], " is empty: expected a header row"),
    ] {
        let (code, out, error) = send(content, &url, arguments).await;
        assert_eq!((code, error.lines().count()), (1, 1), "{out}{error}");
        assert!(error.starts_with("smshub: ") && error.contains(says), "{error}");
        assert!(api.calls().is_empty(), "{content:?}");
    }
    let (code, _, error) = send(&rows(1), "http://127.0.0.1:1", &["--text", "x", "--dry-run"]).await;
    assert_eq!(code, 1, "{error}");
}

#[tokio::test]
async fn the_key_comes_from_the_environment_only() {
    let (_, url) = Api::start(vec![]).await;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(rows(1).as_bytes()).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let run = move |key: Option<&'static str>| {
        let (path, url) = (path.clone(), url.clone());
        tokio::task::spawn_blocking(move || {
            let mut command = smshub();
            command.args(["send", "--text", "x", "--url", &url, "--file", &path]);
            ended(command.envs(key.map(|key| ("SMSHUB_KEY", key))))
        })
    };
    let (code, _, error) = run(None).await.unwrap();
    assert_eq!(code, 1);
    assert!(error.starts_with("smshub: no API key: set the environment variable SMSHUB_KEY"), "{error}");
    let (code, _, error) = run(Some("sk_wrong")).await.unwrap();
    assert_eq!((code, error.lines().count()), (1, 1), "{error}");
    assert!(error.contains(": 401 unauthenticated: The key is missing or unknown"), "{error}");
}

#[tokio::test]
async fn a_dry_run_counts_and_sends_nothing() {
    let (api, url) = Api::start(vec![]).await;
    let content = "to,name\n09120000001,Sara\n12,x\n09120000002,سارا\n+14155550123,y\n";
    let (code, out, error) = send(content, &url, &["--text", "Dear {name}", "--dry-run"]).await;
    assert_eq!((code, error.as_str()), (0, ""), "{out}");
    for line in [
        "rows                   4",
        "gsm7                   1  messages in 1 segments",
        "ucs2                   1  messages in 1 segments",
        "price               2000 IRR, as estimated from one message of each encoding",
        "nothing was sent",
    ] {
        assert!(out.lines().any(|found| found == line), "{line:?} is not in\n{out}");
    }
    assert!(api.calls().is_empty());
}
