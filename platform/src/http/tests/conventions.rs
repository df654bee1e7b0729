//! What holds of every answer, on real sockets.

use std::time::Duration;

use axum::routing::get;
use axum::{Extension, Router};
use metrics_exporter_prometheus::PrometheusBuilder;

use super::server::{Server, limits, within};
use crate::http::RequestId;
use crate::http::problem::{Code, FieldCode, FieldError, Problem};

fn router() -> Router {
    Router::new()
        .route("/id", get(|Extension(id): Extension<RequestId>| async move { id.to_string() }))
        .route(
            "/panic",
            get(|| async {
                if true {
                    panic!("boom")
                }
            }),
        )
        .route("/items/{id}", get(|| async { "item" }).delete(|| async { "gone" }))
        .route(
            "/number/{n}",
            get(|axum::extract::Path(n): axum::extract::Path<u8>| async move { n.to_string() }),
        )
        .route("/hang", get(std::future::pending::<()>))
        .route(
            "/invalid",
            get(|| async {
                Problem::invalid(vec![FieldError::new("to", FieldCode::Required, "is missing")])
            }),
        )
}

async fn server() -> Server {
    Server::start(limits(), router()).await
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\nRequest-Id: r-1\r\n\r\n")
}

#[tokio::test]
async fn the_request_id_is_echoed_or_made() {
    let server = server().await;
    let echoed = server.ask(&request("GET", "/id")).await;
    assert_eq!((echoed.header("request-id"), echoed.body.as_str()), (Some("r-1"), "r-1"));

    let made = server.ask("GET /id HTTP/1.1\r\nHost: x\r\nRequest-Id: a b\r\n\r\n").await;
    assert_eq!(made.header("request-id"), Some(made.body.as_str()));
    assert_eq!(made.body.len(), 36);
}

#[tokio::test]
async fn errors_are_problems_with_the_request_id() {
    let server = server().await;
    let cases = [
        ("GET", "/nothing", 404, Code::NotFound),
        ("POST", "/items/7", 405, Code::MethodNotAllowed),
        ("GET", "/panic", 500, Code::InternalError),
        ("GET", "/invalid", 400, Code::InvalidRequest),
        // Refused by axum, as plain text.
        ("GET", "/number/x", 400, Code::InvalidRequest),
    ];
    let mut client = server.connect().await;
    for (method, path, status, code) in cases {
        client.write(&request(method, path)).await;
        let answer = client.answer().await;
        let body = answer.json();
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!((&body["code"], &body["request_id"]), (&code.as_str().into(), &"r-1".into()), "{path}");
        assert_eq!(answer.header("request-id"), Some("r-1"));
        if status == 405 {
            assert_eq!(answer.header("allow"), Some("get,head,delete"));
        }
    }
    client.write(&request("HEAD", "/nothing")).await;
    let mut head = [0; 12];
    within(tokio::io::AsyncReadExt::read_exact(&mut client.0, &mut head)).await.unwrap();
    assert_eq!(head, *b"HTTP/1.1 404");
}

#[tokio::test]
async fn requests_are_counted_by_route() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // The test's runtime has one thread: the server's tasks see the recorder too.
    let _guard = metrics::set_default_local_recorder(&recorder);
    let server = server().await;
    server.ask(&request("GET", "/items/1")).await;
    server.ask(&request("GET", "/items/2?to=09121234567")).await;
    server.ask(&request("BREW", "/09121234567")).await;

    let mut leaving = server.connect().await;
    leaving.write(&request("GET", "/hang")).await;
    drop(leaving);
    let left = "smshub_http_requests_total{route=\"/hang\",method=\"GET\",status=\"499\"} 1";
    within(async {
        while !handle.render().contains(left) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;

    let text = handle.render();
    for line in [
        "smshub_http_requests_total{route=\"/items/{id}\",method=\"GET\",status=\"200\"} 2",
        "smshub_http_requests_total{route=\"unmatched\",method=\"other\",status=\"404\"} 1",
        "smshub_http_request_seconds_count{route=\"/items/{id}\"} 2",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("0912"));
}
