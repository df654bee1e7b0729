//! The load generator against a gateway of a few lines: what it reports, and what it does
//! not let pass.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use benches::{Flags, measure};
use clap::Parser;
use serde_json::{Value, json};
use std::io::Write;
use std::sync::{Arc, Mutex};
use tempfile::NamedTempFile;
use tokio::net::TcpListener;

const FUNDS: i64 = 1_000_000_000;

/// Delivers at once; of each call one message is refunded.
#[derive(Default)]
struct Gateway {
    calls: Vec<i64>,
    singles: i64,
    /// Rial that go missing with the first call.
    lost: i64,
    /// The first so many submissions are answered with 503.
    overloads: u32,
    /// The fault rules that its operator was given, one after the other.
    faults: Vec<String>,
}

type Shared = State<Arc<Mutex<Gateway>>>;

impl Gateway {
    fn overloaded(&mut self) -> Option<(StatusCode, Json<Value>)> {
        self.overloads = self.overloads.checked_sub(1)?;
        Some((StatusCode::SERVICE_UNAVAILABLE, Json(json!({"code": "overloaded"}))))
    }
}

async fn bulk(State(gateway): Shared, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    let mut gateway = gateway.lock().unwrap();
    if let Some(overloaded) = gateway.overloaded() {
        return overloaded;
    }
    let count = body["messages"].as_array().or(body["to"].as_array()).unwrap().len() as i64;
    gateway.calls.push(count);
    let id = (gateway.calls.len() - 1).to_string();
    (
        StatusCode::ACCEPTED,
        Json(json!({"batch_id": id, "accepted": count, "segments": count, "price": count * 1_000})),
    )
}

async fn single(State(gateway): Shared, Json(body): Json<Value>) -> (StatusCode, Json<Value>) {
    assert_eq!(body["lane"], "express");
    let mut gateway = gateway.lock().unwrap();
    gateway.singles += 1;
    (StatusCode::ACCEPTED, Json(json!({"id": (gateway.singles << 8).to_string(), "price": 1_500})))
}

/// An operator that has seen a fault and three look-ups in each call.
async fn stats(State(gateway): Shared) -> Json<Value> {
    let calls = gateway.lock().unwrap().calls.len();
    let faults = json!({"error_500_after": calls});
    Json(json!({"faults": faults, "mid_calls": 3 * calls, "mids_unknown": 0, "repeated_uids": 0}))
}

async fn set_faults(State(gateway): Shared, rules: String) -> StatusCode {
    let taken = rules.starts_with('[');
    gateway.lock().unwrap().faults.push(rules);
    if taken { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY }
}

async fn report(State(gateway): Shared, Path(id): Path<usize>) -> Json<Value> {
    let count = gateway.lock().unwrap().calls[id];
    let counts = json!({"delivered": count - 1, "undelivered": 1, "queued": 0, "sent": 0});
    Json(json!({"messages": count, "counts": counts, "price": count * 1_000, "refunded": 1_000}))
}

/// Only the first account ever pays.
async fn balance(State(gateway): Shared, headers: HeaderMap) -> Json<Value> {
    if headers["authorization"] != "Bearer sk_one" {
        return Json(json!({"balance": FUNDS, "held": 0}));
    }
    let gateway = gateway.lock().unwrap();
    let paid: i64 = gateway.calls.iter().map(|count| (count - 1) * 1_000).sum();
    let lost = if gateway.calls.is_empty() { 0 } else { gateway.lost };
    Json(json!({"balance": FUNDS - paid - lost, "held": 0}))
}

/// Runs the generator with these arguments against such a gateway.
async fn run(gateway: Gateway, arguments: &[&str]) -> (anyhow::Result<String>, Arc<Mutex<Gateway>>) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let gateway = Arc::new(Mutex::new(gateway));
    let routes = Router::new()
        .route("/v1/messages/bulk", post(bulk))
        .route("/v1/messages", post(single))
        .route("/v1/messages/bulk/{id}", get(report))
        .route("/v1/balance", get(balance))
        .route("/control/stats", get(stats))
        .route("/control/faults", put(set_faults))
        .with_state(Arc::clone(&gateway));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async { axum::serve(listener, routes).await.unwrap() });
    let mut keys = NamedTempFile::new().unwrap();
    keys.write_all(b"sk_one\n\nsk_two\n").unwrap();
    let keys = keys.path().to_str().unwrap();
    // Gateway and operator are one here.
    let arguments = arguments.iter().map(|argument| if *argument == "URL" { url.as_str() } else { argument });
    let flags = Flags::parse_from(["loadgen", "--url", &url, "--keys", keys].into_iter().chain(arguments));
    let report = measure(&flags).await;
    server.abort();
    (report, gateway)
}

#[tokio::test]
async fn everything_is_sent_and_reported() {
    let gateway = Gateway { overloads: 2, ..Gateway::default() };
    let sent = [
        "--messages",
        "600",
        "--per-call",
        "100",
        "--express-rate",
        "200",
        "--warm-up",
        "100",
        "--runs",
        "2",
    ];
    let (report, gateway) = run(gateway, &sent).await;
    let report = report.unwrap();
    assert_eq!(gateway.lock().unwrap().calls, [100; 13]);
    assert!(gateway.lock().unwrap().singles > 0);
    for row in
        ["| messages that ended `delivered` | 594 | 594 – 594 |", "| loadgen |", "| express 202, ms p99 |"]
    {
        assert!(report.contains(row), "{row} is missing in\n{report}");
    }
}

#[tokio::test]
async fn one_text_for_all() {
    let (report, gateway) =
        run(Gateway::default(), &["--messages", "50", "--per-call", "50", "--form", "one-text"]).await;
    assert!(report.unwrap().contains("one text for all messages"));
    assert_eq!(gateway.lock().unwrap().calls, [50]);
}

#[tokio::test]
async fn money_that_goes_missing_is_no_result() {
    let gateway = Gateway { lost: 7, ..Gateway::default() };
    let error = run(gateway, &["--messages", "100", "--per-call", "100"]).await.0.unwrap_err();
    assert_eq!(error.to_string(), "the accounts paid 99007 rial, their messages cost 99000");
}

#[tokio::test]
async fn when_express_messages_were_due_and_answered_is_written() {
    let file = NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let sent = ["--messages", "0", "--express-rate", "100", "--express-seconds", "1", "--answers", path];
    let (report, gateway) = run(Gateway::default(), &sent).await;
    report.unwrap();
    let lines = std::fs::read_to_string(file.path()).unwrap();
    let lines: Vec<Vec<i64>> =
        lines.lines().map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect()).collect();
    let mut ids: Vec<i64> = lines.iter().map(|line| line[0]).collect();
    ids.sort_unstable();
    assert!(!ids.is_empty());
    assert_eq!(ids, (1..=gateway.lock().unwrap().singles).map(|single| single << 8).collect::<Vec<_>>());
    assert!(lines.iter().all(|line| line[1] <= line[2] && line[2] - line[1] < 60_000_000), "{lines:?}");
}

#[tokio::test]
async fn faults_are_made_while_it_measures_and_another_scenario_is_compared() {
    let rates = NamedTempFile::new().unwrap();
    let path = rates.path().to_str().unwrap();
    let bulk = ["--title", "Bulk", "--messages", "100", "--per-call", "50", "--save-rates", path];
    run(Gateway::default(), &bulk).await.0.unwrap();
    let unknown = [
        "--messages",
        "100",
        "--per-call",
        "50",
        "--warm-up",
        "50",
        "--operator",
        "URL",
        "--faults",
        r#"[{"fault":"error_500_after"}]"#,
        "--compare",
        path,
    ];
    let (report, gateway) = run(Gateway::default(), &unknown).await;
    let report = report.unwrap();
    assert_eq!(gateway.lock().unwrap().faults, [r#"[{"fault":"error_500_after"}]"#, "[]"]);
    for row in [
        // Two calls: that of the warm-up is not counted.
        "| operator: calls that met the fault | 2 |",
        "| operator: messages looked up | 6 |",
        "| operator: **messages given to it again** | 0 |",
        "of the median of “Bulk”** |",
        r#"the operator has the faults `[{"fault":"error_500_after"}]`. One run."#,
    ] {
        assert!(report.contains(row), "{row} is missing in\n{report}");
    }
}

#[tokio::test]
async fn faults_that_the_operator_does_not_take_are_no_result() {
    let faults = ["--messages", "100", "--per-call", "100", "--operator", "URL", "--faults", "no rules"];
    let (report, gateway) = run(Gateway::default(), &faults).await;
    assert!(report.unwrap_err().to_string().contains("does not take these faults"));
    assert!(gateway.lock().unwrap().calls.is_empty());
}
