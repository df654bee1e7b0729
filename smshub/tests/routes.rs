//! Two operators: one that is jammed holds up nobody but its own lane, and what went by one is
//! asked about there, wherever the routes lead by then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use simulator::Settings;
use std::path::Path;
use std::time::Duration;
use testkit::gateway::{Customer, Gateway, Process, taken};

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(60);
const EXPRESS: usize = 40;

/// An operator that delivers everything, at once.
fn operator() -> Settings {
    Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 0, ..Settings::default() }
}

async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    testkit::until(what, END, condition).await;
}

/// The status of a message; nothing where it is not recorded yet.
async fn status(customer: &Customer, process: &Process, id: i64) -> String {
    let (status, message) = customer.get(process.api, &format!("/v1/messages/{id}")).await.unwrap();
    assert!(status == 200 || message["code"] == "not_found", "{message}");
    message["status"].as_str().unwrap_or_default().to_owned()
}

/// Bulk goes by an operator that accepts connections and never answers: every slot of the lane
/// hangs. Login codes by another operator are delivered meanwhile, receipts and all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn express_does_not_notice_that_bulk_is_jammed() {
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    let slow = gateway.connector("slow", operator()).await;
    gateway.set("SENDER__ROUTES__BULK", "slow");
    gateway.set("SENDER__CONNECTORS__SLOW__CALL_TIMEOUT_MS", "60000");
    let all = gateway.start("all", "all").await;
    let customer = gateway.customer(100_000_000);
    slow.set_faults_json(br#"[{"fault":"hang","for_ms":600000}]"#).unwrap();
    let campaign = customer.send_bulk(all.api, 0, 5_000).await.unwrap();
    let hanging = format!("http://{}/metrics", all.management);
    until("every slot of bulk hangs", async || {
        let metrics = testkit::http_client().get(&hanging).send().await.unwrap().text().await.unwrap();
        metrics.lines().any(|line| {
            line.starts_with("smshub_sender_calls_total{lane=\"bulk\"}")
                && line.rsplit(' ').next().is_some_and(|calls| calls.parse::<f64>().unwrap() >= 32.0)
        })
    })
    .await;

    let mut codes = Vec::new();
    for number in 0..EXPRESS {
        codes.extend(customer.send(all.api, number, "express").await.unwrap());
    }
    assert_eq!(codes.len(), EXPRESS);
    until("every code is delivered", async || {
        let mut delivered = 0;
        for id in &codes {
            delivered += usize::from(status(&customer, &all, *id).await == "delivered");
        }
        delivered == EXPRESS
    })
    .await;
    assert!(taken(&slow).is_empty(), "bulk is still jammed");
    assert!(codes.iter().all(|id| taken(&gateway.operator).get(id) == Some(&1)));

    // The operator comes back: the campaign arrives, each message once.
    all.kill();
    slow.set_faults_json(b"[]").unwrap();
    gateway.set("SENDER__CONNECTORS__SLOW__LIMITS__LOOK_UPS_PER_SECOND", "10000");
    gateway.set("SENDER__CONNECTORS__SLOW__CALL_TIMEOUT_MS", "2000");
    let all = gateway.start("all", "all").await;
    gateway.quiescent(END).await;
    let taken = taken(&slow);
    assert!(campaign.iter().all(|id| taken.get(id) == Some(&1)), "each message once");
    assert!(all.stop().await, "a clean stop");
    gateway.close().await;
}

/// Messages of unknown outcome, when the process dies and comes back with another route: asked
/// there, the other operator would say that it never saw them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_by_one_operator_is_not_sent_again_by_another() {
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    let other = gateway.connector("other", operator()).await;
    gateway.set("SENDER__LOOK_UP_AFTER_MS", "5000");
    gateway.set("SENDER__DEFER_AFTER_MS", "100");
    let all = gateway.start("all", "all").await;
    let customer = gateway.customer(100_000_000);
    gateway.operator.set_faults_json(br#"[{"fault":"error_500_after"}]"#).unwrap();
    let mut ids = customer.send_bulk(all.api, 0, 300).await.unwrap();
    ids.extend(customer.send(all.api, 0, "express").await.unwrap());
    until("the operator has them all", async || taken(&gateway.operator).len() == ids.len()).await;
    // Some stand in the table by now, some only in what was written before the calls.
    all.kill();
    gateway.operator.set_faults_json(b"[]").unwrap();
    for lane in ["EXPRESS", "STANDARD", "BULK"] {
        gateway.set(&format!("SENDER__ROUTES__{lane}"), "other");
    }
    gateway.set("SENDER__LOOK_UP_AFTER_MS", "200");
    gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__LOOK_UPS_PER_SECOND", "10000");
    let all = gateway.start("all", "all").await;
    let later =
        customer.send(all.api, 1, "express").await.unwrap_or_else(|e| panic!("{e}\n{}", all.log())).unwrap();
    gateway.quiescent(END).await;
    assert_eq!(taken(&other).into_keys().collect::<Vec<_>>(), [later], "only what came later");
    let taken = taken(&gateway.operator);
    assert!(ids.iter().all(|id| taken.get(id) == Some(&1)), "each message once");
    for id in ids.iter().step_by(30).chain([&later]) {
        assert_eq!(status(&customer, &all, *id).await, "delivered");
    }
    assert!(all.stop().await, "a clean stop");
    gateway.close().await;
}
