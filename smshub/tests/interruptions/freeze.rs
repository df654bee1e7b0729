//! SIGSTOP for longer than the hold, then SIGCONT: what a sender had under way when it froze, it
//! does not do when it wakes, because another has done it.
//!
//! The records of bulk are lingered over here, so that calls go out in bursts: each burst right
//! behind the acknowledgement of its intents; a linger later their outcomes are written, and
//! another linger later the next intents. Freezes are seeded between these, when no call stands
//! between its last check and its bytes: what a freeze exactly there does, nothing on our side
//! can undo (design, section 11).

use crate::BINARY;
use crate::traffic::{drawn, operator, verify};
use domain::lane::Lane;
use platform::kafka::tail::Tail;
use platform::kafka::topics::{Stage, Topics};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testkit::gateway::{Customer, Gateway, Process};
use uuid::Uuid;
use wire::attempt::{Attempt, AttemptKind};

const LINGER_MS: u64 = 1_500;
/// A freeze comes so long after the last bytes of a burst: once while outcomes are written, once
/// while intents are.
const AFTER_BURST_MS: [Range<u64>; 2] = [300..900, LINGER_MS + 300..LINGER_MS + 900];
const CALL_MESSAGES: usize = 30;
const FREEZES_MAX: usize = 6;
const LIMIT: Duration = Duration::from_secs(60);

struct World {
    gateway: Gateway,
    senders: [(Process, Uuid); 2],
    partition: i32,
}

impl World {
    /// Messages that the operator was given so far.
    fn sent(&self) -> u64 {
        self.gateway.operator.stats().messages
    }

    /// Which of the senders holds the customer's partition.
    async fn holder(&self) -> usize {
        let deadline = Instant::now() + LIMIT;
        loop {
            let folder: Option<Uuid> = sqlx::query_scalar(
                "select p.data_folder from ownership o join process p on p.id = o.process
                 where o.role = 'sender' and o.partition = $1 and not p.dead",
            )
            .bind(self.partition)
            .fetch_optional(self.gateway.schema.pool())
            .await
            .unwrap();
            if let Some(at) = self.senders.iter().position(|(_, of)| Some(*of) == folder) {
                return at;
            }
            assert!(Instant::now() < deadline, "nobody holds the partition");
            tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
        }
    }

    /// Freezes who holds the partition at the seeded one of these points between two bursts.
    async fn freeze(&self, points: Range<u64>) -> usize {
        let after = Duration::from_millis(points.start + drawn(points.start, points.end - points.start));
        let deadline = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < deadline, "no point to freeze at was found");
            self.burst_over(after, deadline).await;
            let (sent, holder) = (self.sent(), self.holder().await);
            self.senders[holder].0.freeze();
            // Bytes that had left it arrive although it is frozen: then this was not the point.
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.sent() == sent {
                return holder;
            }
            self.senders[holder].0.thaw();
        }
    }

    /// Waits until the last bytes of a burst are `after` ago.
    async fn burst_over(&self, after: Duration, deadline: Instant) {
        let (mut sent, mut changed) = (self.sent(), None);
        while changed.is_none_or(|at: Instant| at.elapsed() < after) {
            assert!(Instant::now() < deadline, "there are no bursts");
            tokio::time::sleep(Duration::from_millis(5)).await; // a look, not a hope: see the deadline
            if self.sent() != sent {
                (sent, changed) = (self.sent(), Some(Instant::now()));
            }
        }
    }

    /// Waits until another holds the partition and has sent of it.
    async fn taken_over(&self, frozen: usize) {
        let deadline = Instant::now() + LIMIT;
        while self.holder().await == frozen {
            assert!(Instant::now() < deadline, "nobody takes over");
            tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
        }
        let before = self.sent();
        while self.sent() == before {
            assert!(Instant::now() < deadline, "who took over does not send");
            tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
        }
    }

    /// Waits until a thawed process knows that it was counted out, so many times by now.
    async fn knows(&self, thawed: usize, times: usize) {
        let url = format!("http://{}/metrics", self.senders[thawed].0.management);
        let deadline = Instant::now() + LIMIT;
        loop {
            let metrics = testkit::http_client().get(&url).send().await.unwrap().text().await.unwrap();
            if metrics.contains(&format!("smshub_process_counted_out_total {times}")) {
                return;
            }
            assert!(Instant::now() < deadline, "it does not notice:\n{}", self.senders[thawed].0.log());
            tokio::time::sleep(Duration::from_millis(50)).await; // a look, not a hope: see the deadline
        }
    }

    /// Intents and outcomes that were written behind the fence of a later holder.
    fn late_records(&self) -> (usize, usize) {
        let tail = Tail::new(&self.gateway.kafka).unwrap();
        let topic = Topics::new(&self.gateway.kafka.topic_prefix, 1).of(Stage::Attempts, Lane::Bulk);
        let (mut fence, mut late) = (0, (0, 0));
        let range = tail.bounds(&topic, self.partition).unwrap();
        tail.read(&topic, self.partition, range, |record| {
            let attempt = Attempt::decode(&record.value).unwrap();
            if attempt.epoch < fence {
                match attempt.kind {
                    AttemptKind::Intent { .. } => late.0 += 1,
                    AttemptKind::Outcomes { .. } => late.1 += 1,
                    AttemptKind::Fence => {}
                }
            }
            fence = fence.max(attempt.epoch);
        })
        .unwrap();
        late
    }
}

async fn start_sender(gateway: &Gateway, name: &str) -> (Process, Uuid) {
    let process = gateway.start(name, "sender").await;
    let newest = "select data_folder from process where roles = '{sender}' order by started_at desc limit 1";
    let folder = sqlx::query_scalar(newest).fetch_one(gateway.schema.pool()).await.unwrap();
    (process, folder)
}

/// A campaign in small calls, until told to stop: what the senders can just follow.
async fn campaign(customer: Arc<Customer>, api: std::net::SocketAddr, stop: Arc<AtomicBool>) -> Vec<i64> {
    let mut accepted = Vec::new();
    while !stop.load(Ordering::Acquire) {
        accepted.extend(customer.send_bulk(api, accepted.len(), 150).await.unwrap());
        tokio::time::sleep(Duration::from_millis(500)).await; // the rate of the traffic
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_sender_wakes_up_and_sends_nothing_more() {
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    gateway.set("SENDER__LINGER_BULK_MS", &LINGER_MS.to_string());
    gateway.set("SENDER__CONNECTORS__MAGFA__CALL_MESSAGES", &CALL_MESSAGES.to_string());
    gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__LOOK_UPS_PER_SECOND", "2000");
    let others = gateway.start("others", "ingest,billing-consumer,dlr-reconciler").await;
    let senders = [start_sender(&gateway, "one").await, start_sender(&gateway, "two").await];
    let customer = Arc::new(gateway.customer(1_000_000_000));
    let partition = domain::partition::of_account(customer.account, gateway.kafka.partitions);
    let world = World { gateway, senders, partition };
    let stop = Arc::new(AtomicBool::new(false));
    let campaign = tokio::spawn(campaign(customer, others.api, Arc::clone(&stop)));
    let (mut times, mut late) = ([0; 2], (0, 0));
    // Where exactly the linger stands at a point depends on how busy the machine is.
    for points in AFTER_BURST_MS.into_iter().cycle().take(FREEZES_MAX) {
        let frozen = world.freeze(points).await;
        world.taken_over(frozen).await;
        world.senders[frozen].0.thaw();
        times[frozen] += 1;
        world.knows(frozen, times[frozen]).await;
        late = world.late_records();
        if late.0 > 0 && late.1 > 0 {
            break;
        }
    }
    stop.store(true, Ordering::Release);
    let accepted = campaign.await.unwrap();
    verify(&world.gateway, &accepted).await;
    let (intents, outcomes) = late;
    assert!(
        intents > 0 && outcomes > 0,
        "not under way when it froze: {intents} intents, {outcomes} outcomes"
    );
    let [(one, _), (two, _)] = world.senders;
    assert!(one.stop().await && two.stop().await && others.stop().await);
}
