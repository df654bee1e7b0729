//! Bodies that are too large, too slow, or broken.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::post;

use super::server::{Server, limits, within};
use crate::http::problem::Problem;
use crate::http::read_body;

const MAX_BYTES: usize = 1_000;

/// Answers with the length of the body.
fn router(total_ms: u64, idle_ms: u64) -> Router {
    let read = move |body: Body| async move {
        let total = Duration::from_millis(total_ms);
        let bytes = read_body(body, MAX_BYTES, total, Duration::from_millis(idle_ms)).await?;
        Ok::<_, Problem>(bytes.len().to_string())
    };
    Router::new().route("/", post(read))
}

async fn patient() -> Server {
    Server::start(limits(), router(60_000, 60_000)).await
}

fn sized(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length))
}

fn chunked(chunks: &[usize]) -> String {
    let body: String = chunks.iter().map(|size| format!("{size:x}\r\n{}\r\n", "x".repeat(*size))).collect();
    format!("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{body}0\r\n\r\n")
}

#[tokio::test]
async fn a_body_within_the_bound_is_read_whole() {
    let server = patient().await;
    for request in [sized(MAX_BYTES), chunked(&[999, 1]), sized(0)] {
        let answer = server.ask(&request).await;
        let expected = if request.contains("Length: 0") { "0" } else { "1000" };
        assert_eq!((answer.status, answer.body.as_str()), (200, expected));
    }
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_413() {
    let server = patient().await;
    let huge = "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 900000000\r\n\r\n";
    // The client of the middle ones writes all of it before it listens.
    for request in [sized(MAX_BYTES + 1), sized(900_000), chunked(&[500, 501]), huge.to_owned()] {
        let answer = server.ask(&request).await;
        assert_eq!(answer.status, 413, "{request:.80}");
        assert_eq!(answer.json()["code"], "body_too_large");
        assert_eq!(answer.json()["detail"], "the body may have at most 1000 bytes");
    }
}

#[tokio::test]
async fn a_body_somewhat_beyond_the_bound_is_read_to_its_end() {
    let server = patient().await;
    for request in [sized(900_000), chunked(&[500_000, 500_000])] {
        let mut client = server.connect().await;
        client.write(&request).await;
        assert_eq!(client.answer().await.status, 413);
        // Nothing of it is left in the way of the next request.
        client.write(&sized(3)).await;
        assert_eq!(client.answer().await.body, "3");
    }
}

#[tokio::test]
async fn a_body_that_pauses_is_408() {
    let server = Server::start(limits(), router(60_000, 100)).await;
    let mut client = server.connect().await;
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").await;
    let answer = client.answer().await;
    assert_eq!((answer.status, &answer.json()["code"]), (408, &"request_timeout".into()));
    assert_eq!(client.until_closed().await, "");
}

#[tokio::test]
async fn a_body_that_trickles_is_408() {
    let server = Server::start(limits(), router(300, 60_000)).await;
    let mut client = server.connect().await;
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n").await;
    let (mut reading, mut writing) = client.0.split();
    let trickle = async {
        while tokio::io::AsyncWriteExt::write_all(&mut writing, b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut first = [0; 12];
    let answer = tokio::io::AsyncReadExt::read_exact(&mut reading, &mut first);
    let answered = within(async {
        tokio::select! {
            answered = answer => answered.is_ok(),
            () = trickle => false,
        }
    })
    .await;
    assert!(answered, "cut before the answer");
    assert_eq!(first, *b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_body_that_breaks_off_changes_nothing() {
    let server = patient().await;
    let broken = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n";
    let answer = server.ask(broken).await;
    assert_eq!((answer.status, &answer.json()["code"]), (400, &"invalid_request".into()));
}
