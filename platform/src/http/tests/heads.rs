//! Heads that are refused, late, or too many.

use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;

use super::server::{Server, limits, within};

fn router() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

const GET: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[tokio::test]
async fn a_bad_head_gets_a_bare_4xx() {
    let server = Server::start(limits(), router()).await;
    let many: String = (0..30).map(|n| format!("h{n}: x\r\n")).collect();
    let cases = [
        ("GET\r\n\r\n".to_owned(), 400),
        ("G@T / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nlong: {}\r\n\r\n", "x".repeat(5_000)), 431),
        // A head without an end.
        (format!("GET / HTTP/1.1\r\nlong: {}", "x".repeat(5_000)), 431),
    ];
    for (head, status) in cases {
        let mut client = server.connect().await;
        client.write(&head).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{head:.60}");
        assert_eq!(client.until_closed().await, "", "{head:.60}");
    }
}

#[tokio::test]
async fn a_slow_head_is_cut_though_it_keeps_coming() {
    let server = Server::start(super::super::HttpLimits { head_timeout_ms: 200, ..limits() }, router()).await;
    let mut client = server.connect().await;
    let started = Instant::now();
    let cut = async {
        client.write("GET / HTTP/1.1\r\n").await;
        loop {
            // Never idle, never done.
            let written = tokio::io::AsyncWriteExt::write_all(&mut client.0, b"a: b\r\n").await;
            if written.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            if started.elapsed() > Duration::from_secs(15) {
                panic!("still reading a head of {:?}", started.elapsed());
            }
        }
    };
    within(cut).await;
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(client.until_closed().await, "", "nobody to answer");
}

#[tokio::test]
async fn the_timer_of_heads_does_not_run_between_or_during_requests() {
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "slow"
    };
    let limits = super::super::HttpLimits { head_timeout_ms: 100, ..limits() };
    let server = Server::start(limits, router().route("/slow", get(slow))).await;
    let mut client = server.connect().await;
    tokio::time::sleep(Duration::from_millis(250)).await;
    for (path, body) in [("/slow", "slow"), ("/", "hello"), ("/slow", "slow")] {
        // In two pieces, so that the timer is started.
        client.write(&format!("GET {path} HTTP/1.1\r\n")).await;
        client.write("Host: x\r\n\r\n").await;
        assert_eq!(client.answer().await.body, body);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let limits = super::super::HttpLimits { idle_timeout_ms: 100, head_timeout_ms: 100, ..limits() };
    let server = Server::start(limits, router()).await;
    let mut silent = server.connect().await;
    let mut used = server.connect().await;
    used.write(GET).await;
    assert_eq!(used.answer().await.status, 200);
    assert_eq!(used.until_closed().await, "");
    assert_eq!(silent.until_closed().await, "");
}

#[tokio::test]
async fn connections_above_the_bound_wait_for_a_slot() {
    let server = Server::start(super::super::HttpLimits { max_connections: 1, ..limits() }, router()).await;
    let mut first = server.connect().await;
    first.write(GET).await;
    assert_eq!(first.answer().await.status, 200);

    let mut second = server.connect().await;
    second.write(GET).await;
    let early = tokio::time::timeout(Duration::from_millis(200), second.0.readable()).await;
    assert!(early.is_err(), "answered beyond the bound");

    drop(first);
    assert_eq!(second.answer().await.body, "hello");
}

#[tokio::test]
async fn a_client_that_does_not_take_the_answer_is_cut() {
    let large = get(|| async { "x".repeat(64 * 1024 * 1024) });
    let limits = super::super::HttpLimits { max_connections: 1, write_timeout_ms: 200, ..limits() };
    let server = Server::start(limits, router().route("/large", large)).await;
    let mut stuck = server.connect().await;
    stuck.write("GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await;
    // It holds the only slot until it is cut.
    assert_eq!(server.ask(GET).await.body, "hello");
}
