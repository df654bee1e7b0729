//! What tests share: a Postgres schema of their own, Kafka topics of their own.
//!
//! The real parts are started by `make test`, which names them in the environment.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used)] // for tests only

pub mod gateway;
pub mod kafka;
pub mod postgres;

use platform::ownership::OwnershipSettings;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// An environment variable that `make test` sets.
///
/// # Panics
/// Where it is missing, with what to do.
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests by `make test`, or `make parts-up` and `eval \"$(infra/parts env test)\"` first")
    })
}

/// A client for tests.
///
/// # Panics
/// Where it cannot be made.
pub fn http_client() -> reqwest::Client {
    // Whoever comes first sets the process's provider; a second one is told so, no more.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let limit = std::time::Duration::from_secs(30);
    reqwest::Client::builder().no_proxy().timeout(limit).build().expect("a client")
}

/// How a test's process holds partitions, over a data folder of its own: as by default. What a
/// test needs otherwise it says.
pub fn ownership(data_folder: PathBuf) -> OwnershipSettings {
    OwnershipSettings {
        data_folder,
        alive_ms: 5_000,
        renew_ms: 1_000,
        margin_ms: 500,
        mint_ms: 600_000,
        mint_renew_ms: 60_000,
        clock_skew_max_ms: 2_000,
        look_ms: 200,
        watchdog_ms: 10_000,
    }
}

/// Waits until a condition holds, at most so long.
///
/// # Panics
/// Where it does not in that time, with `what`.
pub async fn until(what: &str, limit: Duration, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !condition().await {
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
    }
}
