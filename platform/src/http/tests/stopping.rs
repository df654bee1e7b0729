//! Ending a server.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::server::{Server, limits, within};
use crate::http::HttpLimits;

const WAIT: &str = "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

/// `/wait` says that it has begun, and ends when told.
fn router(begun: Arc<Notify>, finish: Arc<Notify>) -> Router {
    let wait = move || async move {
        begun.notify_one();
        finish.notified().await;
        "finished"
    };
    Router::new().route("/", get(|| async { "hello" })).route("/wait", get(wait))
}

#[tokio::test]
async fn requests_in_flight_are_finished_and_nothing_else() {
    let (begun, finish) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = Server::start(limits(), router(begun.clone(), finish.clone())).await;
    let mut silent = server.connect().await;
    let mut idle = server.connect().await;
    idle.write(GET).await;
    idle.answer().await;
    let mut busy = server.connect().await;
    busy.write(WAIT).await;
    within(begun.notified()).await;

    server.stop.cancel();
    assert_eq!(idle.until_closed().await, "");
    assert_eq!(silent.until_closed().await, "");
    within(async {
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(!server.ended.is_finished(), "one is in flight");

    finish.notify_one();
    let answer = busy.answer().await;
    assert_eq!((answer.body.as_str(), answer.header("connection")), ("finished", Some("close")));
    within(server.ended).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_does_not_finish_in_time_is_cut() {
    let (begun, never) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let server = Server::start(HttpLimits { drain_ms: 100, ..limits() }, router(begun.clone(), never)).await;
    let mut busy = server.connect().await;
    busy.write(WAIT).await;
    let mut half = server.connect().await;
    half.write("GET / HTTP/1.1\r\n").await;
    within(begun.notified()).await;

    server.stop.cancel();
    within(server.ended).await.unwrap().unwrap();
    assert_eq!(busy.until_closed().await, "");
    assert_eq!(half.until_closed().await, "");
}

#[test]
fn limits_that_contradict_are_violations() {
    let mut violations = crate::config::Violations::new();
    HttpLimits { max_head_bytes: 5, head_timeout_ms: 90_000, ..limits() }
        .check("ingest.http", &mut violations);
    assert_eq!(
        violations.into_result().unwrap_err().to_string(),
        "ingest.http.head_timeout_ms: expected at most idle_timeout_ms\n\
         ingest.http.max_head_bytes: expected from 1024 to 32768, is 5"
    );
}
