//! Webhooks through the real binary: a receiver on this machine, permitted by the allow-list, is
//! told what became of every message, once or again by the same id, though the process that
//! tells it is killed in between; and the sample of docs/api.md verifies every call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use simulator::Settings;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use testkit::gateway::Gateway;
use tokio::net::TcpListener;

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(60);
const MESSAGES: usize = 300;
const GUIDE: &str = include_str!("../../docs/api.md");

/// One call, as a receiver has it.
#[derive(Clone)]
struct Heard {
    headers: BTreeMap<String, String>,
    body: String,
    taken: bool,
}

type All = Arc<Mutex<Vec<Heard>>>;

/// Takes all calls but every fifth.
async fn receiver() -> (SocketAddr, All) {
    let all = All::default();
    let keep = Arc::clone(&all);
    let take = move |headers: HeaderMap, body: Bytes| async move {
        let mut all = keep.lock().unwrap();
        let taken = all.len() % 5 != 4;
        let headers =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let body = String::from_utf8(body.to_vec()).unwrap();
        all.push(Heard { headers: headers.collect(), body, taken });
        if taken { StatusCode::NO_CONTENT } else { StatusCode::INTERNAL_SERVER_ERROR }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(take))).await });
    (address, all)
}

/// Statuses told of each message, in the order in which they were taken, repeated calls left out.
fn told(all: &All) -> BTreeMap<i64, Vec<String>> {
    let (mut told, mut ids) = (BTreeMap::<i64, Vec<String>>::new(), BTreeSet::new());
    for heard in all.lock().unwrap().iter().filter(|heard| heard.taken) {
        if !ids.insert(heard.headers["webhook-id"].clone()) {
            continue;
        }
        let body: Value = serde_json::from_str(&heard.body).unwrap();
        let list = body["data"].as_array().cloned().unwrap_or_else(|| vec![body["data"].clone()]);
        for message in list {
            let id = message["id"].as_str().unwrap().parse().unwrap();
            told.entry(id).or_default().push(message["status"].as_str().unwrap().to_owned());
        }
    }
    told
}

fn is_final(statuses: &[String]) -> bool {
    statuses.iter().any(|status| status != "sent")
}

/// Runs the sample of the guide over all calls: it must take them, and nothing changed.
fn the_sample_verifies(all: &All, secret: &str) {
    let sample = GUIDE.split("```python").find(|block| block.contains("def verify(")).expect("a sample");
    let sample = sample.split("```").next().unwrap();
    let driver = r#"
import sys
given = json.load(sys.stdin)
for call in given["calls"]:
    verify(given["secret"], call["headers"], call["body"].encode())
    for change in ("body", "webhook-id", "webhook-timestamp", "webhook-signature"):
        headers, body = dict(call["headers"]), call["body"]
        if change == "body":
            body = body.replace('"id":"', '"id":"1', 1)
        elif change == "webhook-timestamp":
            headers[change] = str(int(headers[change]) - 3600)
        else:
            headers[change] = headers[change][:-4] + "AAA="
        try:
            verify(given["secret"], headers, body.encode())
        except ValueError:
            continue
        sys.exit("a changed " + change + " was taken")
print(len(given["calls"]))
"#;
    let calls: Vec<Value> = all
        .lock()
        .unwrap()
        .iter()
        .map(|heard| json!({"headers": heard.headers, "body": heard.body}))
        .collect();
    let folder = tempfile::tempdir().unwrap();
    let (script, input) = (folder.path().join("verify.py"), folder.path().join("calls.json"));
    std::fs::write(&script, format!("{sample}\n{driver}")).unwrap();
    std::fs::write(&input, json!({"secret": secret, "calls": calls}).to_string()).unwrap();
    let output =
        Command::new("python3").arg(&script).stdin(std::fs::File::open(&input).unwrap()).output().unwrap();
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.trim(), calls.len().to_string(), "{complained}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_is_told_though_who_tells_it_is_killed() {
    let operator =
        Settings { delivery_ratio: 0.8, delivery_min_ms: 0, delivery_max_ms: 300, ..Settings::default() };
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator).await;
    gateway.set("WEBHOOKS__ALLOW", "127.0.0.0/8");
    gateway.set("DLR_RECONCILER__WEBHOOKS__EVERY_MS", "50");
    gateway.set("DLR_RECONCILER__WEBHOOKS__RETRY_SCHEDULE_S", "1");
    gateway.set("DLR_RECONCILER__WEBHOOKS__PAUSE_LONGEST_S", "1");
    let front = gateway.start("front", "ingest,billing-consumer,sender").await;
    let teller = gateway.start("teller", "dlr-reconciler").await;
    let customer = gateway.customer(10_000_000);

    let (address, all) = receiver().await;
    let body = json!({"url": format!("http://{address}/hook"), "batch_size": 7});
    let (status, made) = customer.post(front.api, "/v1/webhooks", &body).await.unwrap();
    assert_eq!(status, 201, "{made}");
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let (_, tested) = customer.post(front.api, &format!("/v1/webhooks/{id}/test"), &json!({})).await.unwrap();
    assert_eq!(tested["delivered"], true, "{tested}");
    all.lock().unwrap().clear();

    let mut sent: BTreeSet<i64> =
        customer.send_bulk(front.api, 0, MESSAGES).await.unwrap().into_iter().collect();
    wait("something is told", || !told(&all).is_empty()).await;
    teller.kill();
    let teller = gateway.start("teller", "dlr-reconciler").await;
    sent.insert(customer.send(front.api, 1, "express").await.unwrap().expect("accepted"));
    gateway.quiescent(END).await;
    let told_all = || {
        let told = told(&all);
        sent.iter().all(|id| told.get(id).is_some_and(|statuses| is_final(statuses)))
    };
    wait("everything is told", told_all).await;

    // What was told is what is shown, and nothing was told twice or of nobody.
    let told = told(&all);
    assert_eq!(told.keys().copied().collect::<BTreeSet<_>>(), sent);
    let mut ends = BTreeMap::<&str, usize>::new();
    for (id, statuses) in &told {
        let mut once = statuses.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), statuses.len(), "{id}: {statuses:?}");
        let end: Vec<&String> = statuses.iter().filter(|status| *status != "sent").collect();
        let (_, message) = customer.get(front.api, &format!("/v1/messages/{id}")).await.unwrap();
        assert_eq!(end, [message["status"].as_str().unwrap()], "{message}");
        *ends.entry(end[0]).or_default() += 1;
    }
    assert!(ends["delivered"] > 0 && ends["undelivered"] > 0, "{ends:?}");
    the_sample_verifies(&all, secret);
    let path = format!("/v1/webhooks/{id}/deliveries?limit=500");
    let (_, log) = customer.get(front.api, &path).await.unwrap();
    let log = log["data"].as_array().unwrap().clone();
    let events: i64 = log.iter().map(|delivery| delivery["events"].as_i64().unwrap()).sum();
    assert_eq!(events, told.values().map(|statuses| i64::try_from(statuses.len()).unwrap()).sum::<i64>());
    for process in [&teller, &front] {
        assert!(
            !process.log().contains("whsec_") && !process.log().contains("+98912"),
            "secrets or numbers in the log"
        );
    }
    gateway.must(&["audit", "--quiescent"]);
    assert!(teller.stop().await && front.stop().await, "a clean stop");
    gateway.close().await;
}

async fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + END;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
    }
}
