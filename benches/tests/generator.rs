//! The load generator against a gateway of a few lines: what it reports, and what it does
//! not let pass.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
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
    gateway.lock().unwrap().singles += 1;
    (StatusCode::ACCEPTED, Json(json!({"price": 1_500})))
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
        .with_state(Arc::clone(&gateway));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async { axum::serve(listener, routes).await.unwrap() });
    let mut keys = NamedTempFile::new().unwrap();
    keys.write_all(b"sk_one\n\nsk_two\n").unwrap();
    let keys = keys.path().to_str().unwrap();
    let flags = Flags::parse_from(["loadgen", "--url", &url, "--keys", keys].iter().chain(arguments));
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
