//! Billing for tests: books what is submitted in lane bulk, as billing-consumer does.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::hold::Prices;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use ledger::hold::{Booked, Request, book};
use platform::kafka::topics::Stage;
use platform::ownership::clock::unix_now;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use wire::submitted::Chunk;

use super::gateway::Gateway;

/// What a segment costs.
pub(crate) const PRICE: i64 = 1_000;

/// A biller that runs until it is dropped or stopped.
pub(crate) struct Biller {
    stop: Arc<AtomicBool>,
    /// Stands still while set.
    pub(crate) paused: Arc<AtomicBool>,
    /// Spends so much of the account for something else before the next chunk is booked.
    pub(crate) steal: Arc<AtomicI64>,
    seen: Arc<Mutex<HashMap<ChunkId, Chunk>>>,
    running: Option<JoinHandle<()>>,
}

/// A message that is paid for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PaidMessage {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Biller {
    pub(crate) async fn start(gateway: &Gateway) -> Self {
        let mut connection = gateway.schema.pool().acquire().await.unwrap();
        ledger::ranges::ensure(&mut connection, unix_now(), 1).await.unwrap();
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", &gateway.common.kafka.bootstrap)
            .set("group.id", "none")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let topic = gateway.common.topics.of(Stage::Submitted, Lane::Bulk);
        let mut all = TopicPartitionList::new();
        for partition in 0..gateway.common.partitions {
            all.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&all).unwrap();
        let (stop, paused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (steal, seen) = (Arc::new(AtomicI64::new(0)), Arc::new(Mutex::new(HashMap::new())));
        let running = {
            let (stop, paused) = (Arc::clone(&stop), Arc::clone(&paused));
            let (steal, seen) = (Arc::clone(&steal), Arc::clone(&seen));
            let (pool, runtime) = (gateway.schema.pool().clone(), tokio::runtime::Handle::current());
            tokio::task::spawn_blocking(move || {
                let mut source = 0;
                while !stop.load(Ordering::Relaxed) {
                    if paused.load(Ordering::Relaxed) {
                        std::thread::sleep(Duration::from_millis(5));
                        continue;
                    }
                    let Some(Ok(record)) = consumer.poll(Duration::from_millis(20)) else { continue };
                    let chunk = Chunk::decode(&record.payload().unwrap().to_vec().into()).unwrap();
                    source += 1;
                    runtime.block_on(bill(&pool, &chunk, source, &steal));
                    let before = seen.lock().unwrap().insert(chunk.id, chunk.clone());
                    if let Some(before) = before {
                        assert_eq!(before.request_hash(), chunk.request_hash(), "an id with another content");
                    }
                }
            })
        };
        Biller { stop, paused, steal, seen, running: Some(running) }
    }

    /// All that is paid for, in the order of the ids.
    pub(crate) async fn paid(&self, pool: &PgPool) -> Vec<PaidMessage> {
        let rows: Vec<(i64, i16)> =
            sqlx::query_as("select chunk_id, paid from hold where topic <> 'theft' order by chunk_id")
                .fetch_all(pool)
                .await
                .unwrap();
        let seen = self.seen.lock().unwrap();
        let messages = rows.iter().flat_map(|(id, paid)| {
            let chunk = &seen[&ChunkId::new(*id).unwrap()];
            (0..usize::try_from(*paid).unwrap()).map(|at| PaidMessage {
                to: chunk.recipients[at].to_string(),
                text: chunk.text(at).unwrap().body.clone(),
            })
        });
        messages.collect()
    }

    /// The chunks that were seen, in the order of their ids.
    pub(crate) fn chunks(&self) -> Vec<Chunk> {
        let mut chunks: Vec<Chunk> = self.seen.lock().unwrap().values().cloned().collect();
        chunks.sort_by_key(|chunk| chunk.id);
        chunks
    }

    pub(crate) async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.running.take().unwrap().await.unwrap();
    }
}

impl Drop for Biller {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

async fn bill(pool: &PgPool, chunk: &Chunk, source: i64, steal: &AtomicI64) {
    let mut transaction = pool.begin().await.unwrap();
    let stolen = steal.swap(0, Ordering::Relaxed);
    if stolen > 0 {
        // Another call of the same account was billed just before.
        let theft = request(ChunkId::new(256 * source).unwrap(), chunk.account, "theft", source, &[stolen]);
        let theft = Request { request_hash: 0, ..theft };
        // An old id has no range.
        let id = chunk.id.nth(50_000).unwrap();
        book(&mut transaction, &[Request { chunk: id, ..theft }]).await.unwrap();
    }
    let prices: Vec<i64> =
        (0..chunk.len()).map(|at| PRICE * i64::from(chunk.text(at).unwrap().segments)).collect();
    let mut request = request(chunk.id, chunk.account, "sms.submitted", source, &prices);
    request.request_hash = chunk.request_hash();
    let booked = book(&mut transaction, &[request]).await.unwrap();
    assert_ne!(booked, [Booked::Collision]);
    transaction.commit().await.unwrap();
}

fn request(chunk: ChunkId, account: i64, topic: &str, source: i64, prices: &[i64]) -> Request {
    let prices: Vec<Money> = prices.iter().copied().map(Money::new).collect();
    let prices = Prices::of_each(&prices).unwrap();
    Request { chunk, account, topic: topic.into(), partition: 0, source, request_hash: 0, prices }
}
