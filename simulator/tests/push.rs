//! Receipts pushed to a customer's endpoint, over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use simulator::Settings;
use support::{InProcess, mids, quick};
use tokio::net::TcpListener;

const LONG: Duration = Duration::from_secs(10);

/// A customer's endpoint that writes down what it is given.
struct Endpoint {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// How many of the next POSTs are answered with 503.
    refuse: usize,
    /// Path, secret and content type, and the body, of each POST.
    posts: Vec<(String, Vec<Value>)>,
    /// Receipts of the POSTs that were accepted.
    receipts: Vec<Value>,
}

impl Endpoint {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let shared = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let shared = Arc::clone(&shared);
                let service = service_fn(move |request| receive(Arc::clone(&shared), request));
                let builder = hyper::server::conn::http1::Builder::new();
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, seen }
    }

    fn settings(&self) -> Settings {
        Settings {
            push_url: format!("http://{}/receipts/magfa", self.address),
            push_secret: "s3cret".to_owned(),
            push_retry_ms: 20,
            ..quick()
        }
    }

    async fn receipts(&self, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + LONG;
        loop {
            let receipts = self.seen.lock().unwrap().receipts.clone();
            if receipts.len() >= count {
                assert_eq!(receipts.len(), count);
                return receipts;
            }
            assert!(Instant::now() < deadline, "only {receipts:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn receive(
    seen: Arc<Mutex<Seen>>,
    request: Request<Incoming>,
) -> Result<Response<Full<&'static [u8]>>, Infallible> {
    let header = |name: &str| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
    let head = [request.uri().path(), &header("x-receipt-secret"), &header("content-type")].join(" ");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let receipts: Vec<Value> = serde_json::from_slice(&body).unwrap();
    let mut seen = seen.lock().unwrap();
    seen.posts.push((head, receipts.clone()));
    let mut response = Response::new(Full::default());
    if seen.refuse > 0 {
        seen.refuse -= 1;
        *response.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
    } else {
        seen.receipts.extend(receipts);
    }
    Ok(response)
}

fn field(receipts: &[Value], name: &str) -> Vec<i64> {
    receipts.iter().map(|receipt| receipt[name].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn final_statuses_are_posted_as_agreed_and_can_still_be_polled() {
    let endpoint = Endpoint::start().await;
    let settings = Settings { delivery_ratio: 0.5, ..endpoint.settings() };
    let simulator = InProcess::start(settings).await;
    let uids: Vec<i64> = (1..=20).collect();
    let mids = mids(&simulator.client.send_uids(&uids).await);
    let receipts = endpoint.receipts(20).await;
    let statuses = simulator.client.statuses(&mids).await;
    assert_eq!((field(&receipts, "uid"), field(&receipts, "status")), (uids, statuses));
    let date = receipts[0]["date"].as_str().unwrap();
    assert_eq!((date.len(), &date[4..5], &date[10..11], &date[16..17]), (19, "-", " ", ":"));
    assert_eq!(receipts[0].as_object().unwrap().len(), 3);
    assert_eq!(endpoint.seen.lock().unwrap().posts[0].0, "/receipts/magfa s3cret application/json");
    let deadline = Instant::now() + LONG;
    while simulator.operator.stats().pushed < 20 {
        assert!(Instant::now() < deadline, "not counted");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (_, stats) = simulator.client.control("GET", "/control/stats", "").await;
    assert_eq!((&stats["push_waiting"], &stats["push_dropped"]), (&json!(0), &json!(0)));
}

#[tokio::test]
async fn a_push_is_repeated_until_it_is_answered_with_200() {
    let endpoint = Endpoint::start().await;
    endpoint.seen.lock().unwrap().refuse = 3;
    let simulator = InProcess::start(endpoint.settings()).await;
    simulator.client.send_uids(&[1, 2]).await;
    assert_eq!(field(&endpoint.receipts(2).await, "uid"), [1, 2]);
    let posts = endpoint.seen.lock().unwrap().posts.len();
    assert_eq!(posts, 4);
    assert_eq!(simulator.operator.stats().push_retries, 3);
}

#[tokio::test]
async fn nobody_there_is_no_loss() {
    let endpoint = Endpoint::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let settings = Settings { push_url: format!("http://{nobody}/"), ..endpoint.settings() };
    let simulator = InProcess::start(settings).await;
    simulator.client.send_uids(&[1]).await;
    let deadline = Instant::now() + LONG;
    while simulator.operator.stats().push_retries < 2 {
        assert!(Instant::now() < deadline, "not tried again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    simulator.operator.set(endpoint.settings()).unwrap();
    assert_eq!(field(&endpoint.receipts(1).await, "uid"), [1]);
}

#[tokio::test]
async fn batches_hold_at_most_a_thousand() {
    let endpoint = Endpoint::start().await;
    // The first is refused once, so that all others wait behind it.
    endpoint.seen.lock().unwrap().refuse = 1;
    let settings = Settings { push_retry_ms: 2000, push_by_mid: true, ..endpoint.settings() };
    let simulator = InProcess::start(settings).await;
    let mut sent = Vec::new();
    for call in 0..15 {
        let uids: Vec<i64> = (call * 100 + 1..=call * 100 + 100).collect();
        sent.extend(mids(&simulator.client.send_uids(&uids).await));
    }
    assert_eq!(field(&endpoint.receipts(1500).await, "mid"), sent);
    let longest = endpoint.seen.lock().unwrap().posts.iter().map(|(_, receipts)| receipts.len()).max();
    assert_eq!(longest, Some(1000));
}

#[tokio::test]
async fn pushed_receipts_come_early_twice_wrong_unknown_or_not() {
    let endpoint = Endpoint::start().await;
    let slow = Settings { delivery_min_ms: 100, delivery_max_ms: 100, ..endpoint.settings() };
    let simulator = InProcess::start(slow).await;
    let client = &simulator.client;
    client.faults(&json!([{"fault": "receipt_early", "delay_ms": 1000}])).await;
    let body = support::request(&[1]);
    let before = Instant::now();
    let (answer, pushed) = tokio::join!(client.send(&body), async {
        endpoint.receipts(1).await;
        before.elapsed()
    });
    assert!(pushed < Duration::from_millis(1000) && before.elapsed() >= Duration::from_millis(1000));
    assert_eq!(mids(&answer).len(), 1);
    client
        .faults(&json!([
            {"fault": "receipt_never", "to": 1},
            {"fault": "receipt_twice", "delay_ms": 300, "to": 2},
            {"fault": "receipt_wrong", "delay_ms": 400, "to": 3},
            {"fault": "receipt_unknown", "to": 4},
            {"fault": "receipt_late", "delay_ms": 500, "to": 5},
        ]))
        .await;
    client.send_uids(&[2, 3, 4, 5, 6]).await;
    let receipts = &endpoint.receipts(8).await[1..];
    let said: Vec<(i64, i64)> = field(receipts, "uid").into_iter().zip(field(receipts, "status")).collect();
    let nobodys = 5 | 1 << 62;
    assert_eq!(said, [(3, 1), (4, 2), (5, 1), (nobodys, 1), (3, 1), (4, 1), (6, 1)]);
}

#[tokio::test]
async fn without_a_url_nothing_is_queued_and_a_reset_empties_the_queue() {
    let endpoint = Endpoint::start().await;
    let slow = Settings { delivery_min_ms: 3_600_000, delivery_max_ms: 3_600_000, ..endpoint.settings() };
    let simulator = InProcess::start(slow.clone()).await;
    let waiting =
        async || simulator.client.control("GET", "/control/stats", "").await.1["push_waiting"].clone();
    // Uid 0 is none: nobody would know whose receipt it is.
    simulator.client.send_uids(&[1, 0, 2]).await;
    assert_eq!(waiting().await, 2);
    simulator.client.control("POST", "/control/reset", "").await;
    assert_eq!(waiting().await, 0);
    simulator.operator.set(Settings { push_url: String::new(), ..slow }).unwrap();
    simulator.client.send_uids(&[1, 2]).await;
    assert_eq!(waiting().await, 0);
}
