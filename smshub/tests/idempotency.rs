//! Processes that take requests are killed in mid-request; customers that send each request
//! again, with its key, until it is answered, have each message billed and sent once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::Settings;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::gateway::{Customer, Gateway};

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(120);
/// Between two tries, and the longest that one request is tried.
const PAUSE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);
/// Customers, each with one request at a time.
const CUSTOMERS: usize = 10;

/// What a customer heard.
#[derive(Default)]
struct Heard {
    accepted: Vec<i64>,
    /// Requests whose first answer was lost, and whose retry was told what had been done.
    recovered: usize,
}

/// A request that is like no other.
fn request(customer: usize, round: usize) -> (&'static str, Value) {
    let text = format!("{customer} {round}");
    if round.is_multiple_of(4) {
        let to: Vec<String> = (0..250).map(|n| format!("0912000{n:04}")).collect();
        return ("/v1/messages/bulk", json!({"text": text, "to": to}));
    }
    let lane = if round.is_multiple_of(2) { "standard" } else { "express" };
    ("/v1/messages", json!({"to": "09120000001", "text": text, "lane": lane}))
}

fn ids(answer: &Value) -> Vec<i64> {
    let id = |value: &Value| value.as_str().and_then(|id| id.parse::<i64>().ok());
    let Some(ranges) = answer["ranges"].as_array() else { return id(&answer["id"]).into_iter().collect() };
    let range = |range: &Value| {
        let (first, count) = (id(&range["first_id"]).unwrap(), range["count"].as_i64().unwrap());
        (0..count).map(move |k| first + k)
    };
    ranges.iter().flat_map(range).collect()
}

/// Sends a request until it is answered.
async fn once(
    customer: &Customer,
    api: &Mutex<SocketAddr>,
    key: &str,
    path: &str,
    body: &Value,
) -> (bool, Value) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let address = *api.lock().unwrap();
        match customer.post_keyed(address, path, key, body).await {
            Ok((StatusCode::ACCEPTED, replayed, answer)) => return (replayed, answer),
            Ok((StatusCode::SERVICE_UNAVAILABLE | StatusCode::CONFLICT, _, problem)) => {
                assert_ne!(problem["code"], "idempotency_conflict");
            }
            Ok((status, _, problem)) => panic!("{status} {problem}"),
            Err(_) => {}
        }
        assert!(Instant::now() < deadline, "{key} was never answered");
        tokio::time::sleep(PAUSE).await;
    }
}

async fn sends(
    customer: Arc<Customer>,
    number: usize,
    api: Arc<Mutex<SocketAddr>>,
    stop: Arc<AtomicBool>,
) -> Heard {
    let mut heard = Heard::default();
    for round in 0.. {
        if stop.load(Ordering::Acquire) {
            break;
        }
        let (path, body) = request(number, round);
        let key = format!("{number}-{round}");
        let (replayed, answer) = once(&customer, &api, &key, path, &body).await;
        heard.recovered += usize::from(replayed);
        heard.accepted.extend(ids(&answer));
        // And again, as a client that did not trust its ears.
        if round.is_multiple_of(3) {
            let (replayed, again) = once(&customer, &api, &key, path, &body).await;
            assert!(replayed);
            assert_eq!(again, answer);
        }
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_of_killed_processes_are_done_once() {
    let operator = Settings { delivery_min_ms: 0, delivery_max_ms: 200, ..Settings::default() };
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator).await;
    let others = gateway.start("others", "billing-consumer,sender,dlr-reconciler").await;
    let mut ingest = gateway.start("ingest", "ingest").await;
    let api = Arc::new(Mutex::new(ingest.api));
    let stop = Arc::new(AtomicBool::new(false));
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| {
            let customer = Arc::new(gateway.customer(1_000_000_000));
            tokio::spawn(sends(customer, number, Arc::clone(&api), Arc::clone(&stop)))
        })
        .collect();
    // The third comes up in another place: nobody can tell at once that its predecessor is dead.
    for (name, after_ms) in [("ingest", 1_700), ("ingest", 900), ("elsewhere", 1_300)] {
        tokio::time::sleep(Duration::from_millis(after_ms)).await; // on purpose: the point of the kill
        ingest.kill();
        ingest = gateway.start(name, "ingest").await;
        *api.lock().unwrap() = ingest.api;
    }
    tokio::time::sleep(Duration::from_millis(500)).await; // on purpose: some more traffic
    stop.store(true, Ordering::Release);
    let (mut accepted, mut recovered) = (Vec::new(), 0);
    for customer in customers {
        let heard = customer.await.unwrap();
        accepted.extend(heard.accepted);
        recovered += heard.recovered;
    }
    assert!(recovered > 0, "no kill met a request: {} messages", accepted.len());

    gateway.quiescent(END).await;
    let unique: HashSet<i64> = accepted.iter().copied().collect();
    assert_eq!(unique.len(), accepted.len(), "two requests were given the same ids");
    let submissions = gateway.submissions();
    let sent: HashSet<i64> = submissions.keys().copied().collect();
    let (lost, more) = (unique.difference(&sent).count(), sent.difference(&unique).count());
    assert_eq!((lost, more), (0, 0), "answered and not sent; sent and not what was answered");
    assert!(submissions.values().all(|count| *count == 1), "sent twice");
    let paid: i64 = sqlx::query_scalar("select sum(paid)::bigint from hold")
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap();
    assert_eq!(usize::try_from(paid).unwrap(), accepted.len(), "billed once each");
    gateway.must(&["audit", "--quiescent"]);
    assert!(ingest.stop().await && others.stop().await);
    gateway.close().await;
}
