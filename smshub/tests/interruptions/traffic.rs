//! Customers that send without pause, and what must hold after they stopped.

use simulator::Settings;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::gateway::{Customer, Gateway};
use tokio::task::JoinHandle;

const END: Duration = Duration::from_secs(120);
/// Change it to try other points; say it when a test fails.
const SEED: u64 = 20_261_121;

pub(crate) fn operator() -> Settings {
    Settings {
        delivery_min_ms: 0,
        delivery_max_ms: 200,
        latency_ms: 5,
        latency_jitter_ms: 20,
        ..Settings::default()
    }
}

/// The k-th pseudo-random number of the seed, below `bound`.
pub(crate) fn drawn(k: u64, bound: u64) -> u64 {
    let mut x = SEED.wrapping_add(k.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)) % bound
}

/// Customers that send without pause, bulk and express, until they are told to stop; each
/// returns the ids that were answered with 2xx.
pub(crate) fn traffic(
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
pub(crate) async fn verify(gateway: &Gateway, accepted: &[i64]) {
    gateway.quiescent(END).await;
    let unique: HashSet<i64> = accepted.iter().copied().collect();
    assert_eq!(unique.len(), accepted.len(), "an id was given twice");
    let submissions = gateway.submissions();
    let lost = unique.iter().filter(|id| !submissions.contains_key(id)).count();
    assert_eq!(lost, 0, "answered with 2xx and never sent");
    let twice: Vec<_> = submissions.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    let final_: i64 = sqlx::query_scalar("select coalesce(sum(messages), 0)::bigint from account_hour where status in ('delivered', 'undelivered', 'failed', 'blocked', 'expired', 'refused', 'canceled')")
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap();
    assert!(final_ >= i64::try_from(accepted.len()).unwrap(), "{final_} final, {} accepted", accepted.len());
    gateway.must(&["audit", "--quiescent"]);
}

pub(crate) async fn collect(traffic: Vec<JoinHandle<Vec<i64>>>) -> Vec<i64> {
    let mut accepted = Vec::new();
    for one in traffic {
        accepted.extend(one.await.unwrap());
    }
    accepted
}

pub(crate) async fn until(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await; // the seeded point, not a hope
}
