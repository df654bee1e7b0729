//! What readiness promises.
#![allow(clippy::unwrap_used)]

use simulator::Settings;
use std::path::Path;
use testkit::gateway::Gateway;

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");

/// Whoever sends traffic to what is ready must not be turned away. Several times: the moment in
/// which it may go wrong is short.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ready_takes_calls() {
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, Settings::default()).await;
    let customer = gateway.customer(1_000_000);
    for number in 0..4 {
        let process = gateway.start("all", "all").await;
        let (status, answer) = customer.submit(process.api, number, "express").await.unwrap();
        assert_eq!(status, 202, "{answer}");
        process.kill();
    }
    gateway.close().await;
}
