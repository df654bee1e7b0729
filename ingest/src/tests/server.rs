//! The role as a process runs it: its port, and how it stops.

use std::time::Duration;

use platform::lifecycle::{Budgets, Lifecycle};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::gateway::Gateway;
use super::settings::{calls, settings};

async fn exchange(address: std::net::SocketAddr, request: String) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut answer));
    read.await.expect("answered in time").unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_becomes_ready_and_stops() {
    let gateway = Gateway::with_topics().await;
    let ms = 10_000;
    let budgets = Budgets { stop_accepting_ms: ms, drain_ms: ms, flush_ms: ms, release_ms: ms, close_ms: ms };
    let mut lifecycle = Lifecycle::new(budgets);
    let address =
        crate::start(&gateway.common, &settings(), &calls(), gateway.ids.clone(), &mut lifecycle).unwrap();
    let (stop, asked) = tokio::sync::oneshot::channel::<()>();
    let running = tokio::spawn(lifecycle.run(async move {
        let _ = asked.await;
    }));
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !gateway.common.health.report().ready {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", gateway.common.health.report());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    let body = json!({"to": "09123456789", "text": "hello"}).to_string();
    let key = &gateway.key;
    let head = format!("POST /v1/messages HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: {key}\r\n");
    let whole =
        format!("{head}content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let answer = exchange(address, whole).await;
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");

    // The second attempt at the same port is one clear line.
    let mut taken = settings();
    taken.listen = address;
    let error = crate::start(
        &gateway.common,
        &taken,
        &calls(),
        gateway.ids.clone(),
        &mut Lifecycle::new(budgets_of(ms)),
    );
    let line = format!("{:#}", error.unwrap_err());
    assert!(line.starts_with(&format!("cannot listen on {address} (setting ingest.listen): ")), "{line}");

    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(20), running).await.expect("stopped in time").unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
    gateway.close().await;
}

fn budgets_of(ms: u64) -> Budgets {
    Budgets { stop_accepting_ms: ms, drain_ms: ms, flush_ms: ms, release_ms: ms, close_ms: ms }
}
