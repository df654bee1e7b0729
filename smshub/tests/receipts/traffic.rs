//! Customers that send without pause while something happens to a process.

use super::world::{Sent, World, accepted, price};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use testkit::gateway::Customer;
use tokio::task::JoinHandle;

/// Messages of a campaign: two chunks.
const CAMPAIGN: usize = 220;
/// Customers wait so long between two calls: they are to keep everything busy, not the machine.
const PAUSE: Duration = Duration::from_millis(40);

/// Change it to try other points; say it when a test fails.
const SEED: u64 = 20_261_121;

/// The k-th pseudo-random number of the seed, below `bound`.
pub(crate) fn drawn(k: u64, bound: u64) -> u64 {
    let mut x = SEED.wrapping_add(k.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)) % bound
}

/// Lets seeded time go by.
pub(crate) async fn pass(from_ms: u64, k: u64, up_to_ms: u64) {
    tokio::time::sleep(Duration::from_millis(from_ms + drawn(k, up_to_ms))).await; // the seeded point, not a hope
}

/// Everything that is sent until it is stopped.
pub(crate) struct Traffic {
    stop: Arc<AtomicBool>,
    senders: Vec<JoinHandle<HashMap<i64, Sent>>>,
    readers: Vec<JoinHandle<usize>>,
}

impl Traffic {
    /// All customers begin, and read again and again what became of their campaigns.
    pub(crate) fn start(world: &World, api: SocketAddr) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (mut senders, mut readers) = (Vec::new(), Vec::new());
        for (by, customer) in world.customers.iter().enumerate() {
            let (campaigns, heard) = std::sync::mpsc::channel();
            let (customer, stop) = (Arc::clone(customer), Arc::clone(&stop));
            let reader = read(Arc::clone(&customer), api, heard, Arc::clone(&stop));
            readers.push(tokio::spawn(reader));
            senders.push(tokio::spawn(send(customer, by, api, campaigns, stop)));
        }
        Traffic { stop, senders, readers }
    }

    /// Ends it, and takes what was sent into the world's books.
    pub(crate) async fn stop(self, world: &mut World) -> Vec<i64> {
        self.stop.store(true, Ordering::Release);
        for sender in self.senders {
            world.sent.extend(sender.await.unwrap());
        }
        for reader in self.readers {
            assert!(reader.await.unwrap() > 0, "reports were read");
        }
        world.sent.keys().copied().collect()
    }
}

async fn send(
    customer: Arc<Customer>,
    by: usize,
    api: SocketAddr,
    campaigns: std::sync::mpsc::Sender<i64>,
    stop: Arc<AtomicBool>,
) -> HashMap<i64, Sent> {
    let (mut sent, mut round) = (HashMap::new(), 0);
    while !stop.load(Ordering::Acquire) {
        round += 1;
        if round % 4 == 1 {
            let ids = customer.send_bulk(api, round * 7, CAMPAIGN).await.unwrap();
            assert_eq!(ids.len(), CAMPAIGN, "accepted");
            // Nobody reading any more is fine: the end is near then.
            let _ = campaigns.send(ids[0]);
            sent.extend(ids.into_iter().map(|id| (id, Sent { by, price: price("bulk") })));
        } else {
            let id = accepted(&customer, api, round, "express").await;
            sent.insert(id, Sent { by, price: price("express") });
        }
        tokio::time::sleep(PAUSE).await; // the pace of the customer, nothing is waited for
    }
    sent
}

/// Reads the reports of campaigns, from when they are shown until the end: none is ever missing
/// again, none has more or fewer messages than were accepted, and what ended stays ended. Returns
/// how many reports it read.
async fn read(
    customer: Arc<Customer>,
    api: SocketAddr,
    campaigns: std::sync::mpsc::Receiver<i64>,
    stop: Arc<AtomicBool>,
) -> usize {
    let (mut shown, mut read) = (Vec::<(i64, u64)>::new(), 0);
    let mut waiting = Vec::new();
    while !stop.load(Ordering::Acquire) {
        waiting.extend(campaigns.try_iter());
        let mut still = Vec::new();
        for campaign in waiting {
            match open_of(&customer, api, campaign).await {
                None => still.push(campaign),
                Some(open) => shown.push((campaign, open)),
            }
        }
        waiting = still;
        for (campaign, open) in &mut shown {
            let now = open_of(&customer, api, *campaign).await.expect("what was shown once is shown");
            assert!(now <= *open, "campaign {campaign}: {now} messages are open again, not {open}");
            *open = now;
            read += 1;
        }
        tokio::time::sleep(PAUSE).await; // the pace of the customer, nothing is waited for
    }
    read
}

/// How many messages of a campaign have not ended; nothing where it is not shown yet.
async fn open_of(customer: &Customer, api: SocketAddr, campaign: i64) -> Option<u64> {
    let (status, report) = customer.get(api, &format!("/v1/messages/bulk/{campaign}")).await.unwrap();
    if status == 404 {
        return None;
    }
    assert_eq!(status, 200, "{report}");
    let counts = report["counts"].as_object().unwrap();
    let of = |status: &str| counts[status].as_u64().unwrap();
    let all: u64 = counts.keys().map(|status| of(status)).sum();
    assert_eq!(all, CAMPAIGN as u64, "{report}");
    Some(of("queued") + of("sent"))
}
