//! SIGKILL, twice in each test.

use crate::BINARY;
use crate::traffic::{collect, drawn, operator, traffic, until, verify};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use testkit::gateway::{Gateway, Process};

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
