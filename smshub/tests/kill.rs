//! Killing processes in mid-traffic: nothing lost, nothing billed twice, one output for each
//! input, no message sent twice. The points are seeded; each test kills twice.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use simulator::Settings;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::gateway::{Customer, Gateway, Process};
use tokio::task::JoinHandle;

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(120);
/// Change it to try other points; say it when a test fails.
const SEED: u64 = 20_261_121;

fn operator() -> Settings {
    Settings {
        delivery_min_ms: 0,
        delivery_max_ms: 200,
        latency_ms: 5,
        latency_jitter_ms: 20,
        ..Settings::default()
    }
}

/// The k-th pseudo-random number of the seed, below `bound`.
fn drawn(k: u64, bound: u64) -> u64 {
    let mut x = SEED.wrapping_add(k.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)) % bound
}

/// Customers that send without pause, bulk and express, until they are told to stop; each
/// returns the ids that were answered with 2xx.
fn traffic(
    customers: &[Arc<Customer>],
    api: &Arc<std::sync::Mutex<SocketAddr>>,
    stop: &Arc<AtomicBool>,
) -> Vec<JoinHandle<Vec<i64>>> {
    let sends = customers.iter().map(|customer| {
        let (customer, api, stop) = (Arc::clone(customer), Arc::clone(api), Arc::clone(stop));
        tokio::spawn(async move {
            let mut accepted = Vec::new();
            let mut round = 0;
            while !stop.load(Ordering::Acquire) {
                let address = *api.lock().unwrap();
                round += 1;
                match round % 3 {
                    0 => {
                        accepted.extend(customer.send_bulk(address, round * 7, 300).await.unwrap_or_default())
                    }
                    _ => accepted.extend(customer.send(address, round, "express").await.ok().flatten()),
                }
            }
            accepted
        })
    });
    sends.collect()
}

/// What must hold after everything has come to rest.
async fn verify(gateway: &Gateway, accepted: &[i64]) {
    gateway.quiescent(END).await;
    let unique: HashSet<i64> = accepted.iter().copied().collect();
    assert_eq!(unique.len(), accepted.len(), "an id was given twice");
    let submissions = gateway.submissions();
    let lost = unique.iter().filter(|id| !submissions.contains_key(id)).count();
    assert_eq!(lost, 0, "answered with 2xx and never sent");
    let twice: Vec<_> = submissions.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    let final_: i64 = sqlx::query_scalar("select coalesce(sum(messages), 0)::bigint from account_day where status in ('delivered', 'undelivered', 'failed', 'blocked', 'expired', 'refused', 'canceled')")
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap();
    assert!(final_ >= i64::try_from(accepted.len()).unwrap(), "{final_} final, {} accepted", accepted.len());
    gateway.must(&["audit", "--quiescent"]);
}

async fn collect(traffic: Vec<JoinHandle<Vec<i64>>>) -> Vec<i64> {
    let mut accepted = Vec::new();
    for one in traffic {
        accepted.extend(one.await.unwrap());
    }
    accepted
}

async fn until(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await; // the seeded point, not a hope
}

/// Kills `name` twice at seeded points and starts it again with the same data folder.
async fn kill_twice(
    gateway: &Gateway,
    mut victim: Process,
    name: &str,
    targets: &str,
    api: Option<&std::sync::Mutex<SocketAddr>>,
) -> Process {
    for k in 0..2 {
        until(1_000 + drawn(k, 1_500)).await;
        victim.kill();
        victim = gateway.start(name, targets).await;
        if let Some(api) = api {
            *api.lock().unwrap() = victim.api;
        }
    }
    until(500).await;
    victim
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_billing_consumer_is_killed_twice() {
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    let others = gateway.start("others", "ingest,sender,dlr-reconciler").await;
    let billing = gateway.start("billing", "billing-consumer").await;
    let customers: Vec<_> = (0..3).map(|_| Arc::new(gateway.customer(1_000_000_000))).collect();
    let (api, stop) = (Arc::new(std::sync::Mutex::new(others.api)), Arc::new(AtomicBool::new(false)));
    let traffic = traffic(&customers, &api, &stop);
    let billing = kill_twice(&gateway, billing, "billing", "billing-consumer", None).await;
    stop.store(true, Ordering::Release);
    let accepted = collect(traffic).await;
    assert!(!accepted.is_empty());
    verify(&gateway, &accepted).await;
    assert!(billing.stop().await && others.stop().await);
}

/// While the operator has faults, too: what was taken unheard, by whoever is dead now, is not
/// sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sender_and_the_reconciler_are_killed_twice() {
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__LOOK_UPS_PER_SECOND", "2000");
    gateway.set("SENDER__POLL_AGAIN_AFTER_MS", "2000");
    let faults = r#"[{"fault":"timeout_after","probability":0.01,"delay_ms":3000},
                     {"fault":"error_500_after","probability":0.05},
                     {"fault":"reset_after","probability":0.02}]"#;
    gateway.operator.set_faults_json(faults.as_bytes()).unwrap();
    let targets = "sender,dlr-reconciler";
    let others = gateway.start("others", "ingest,billing-consumer").await;
    let victim = gateway.start("victim", targets).await;
    let customers: Vec<_> = (0..3).map(|_| Arc::new(gateway.customer(1_000_000_000))).collect();
    let (api, stop) = (Arc::new(std::sync::Mutex::new(others.api)), Arc::new(AtomicBool::new(false)));
    let traffic = traffic(&customers, &api, &stop);
    let victim = kill_twice(&gateway, victim, "victim", targets, None).await;
    stop.store(true, Ordering::Release);
    let accepted = collect(traffic).await;
    assert!(!accepted.is_empty());
    gateway.operator.set_faults_json(b"[]").unwrap();
    verify(&gateway, &accepted).await;
    assert!(victim.stop().await && others.stop().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_killed_twice() {
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    let all = gateway.start("all", "all").await;
    let customers: Vec<_> = (0..3).map(|_| Arc::new(gateway.customer(1_000_000_000))).collect();
    let (api, stop) = (Arc::new(std::sync::Mutex::new(all.api)), Arc::new(AtomicBool::new(false)));
    let traffic = traffic(&customers, &api, &stop);
    let all = kill_twice(&gateway, all, "all", "all", Some(&api)).await;
    stop.store(true, Ordering::Release);
    let accepted = collect(traffic).await;
    assert!(!accepted.is_empty());
    verify(&gateway, &accepted).await;
    assert!(all.stop().await);
}
