//! The reconciler freezes for longer than it holds its partitions, and wakes up.

use super::traffic::{Traffic, drawn, pass};
use super::world::{World, operator, until};
use simulator::Settings;
use sqlx::PgPool;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Partitions of the reconciler whose holder is alive.
const HELD: &str = "select count(*) from ownership o join process p on p.id = o.process
    where o.role = 'dlr-reconciler' and p.alive_until > clock_timestamp() and not p.dead";
const HOLDERS: &str = "select count(distinct process) from ownership where role = 'dlr-reconciler'";
const EPOCHS: &str = "select sum(epoch)::bigint from ownership where role = 'dlr-reconciler'";

/// Looks at the positions again and again: neither they nor their epochs ever go back, whoever
/// wakes up. Returns how often they went on.
async fn positions_only_rise(pool: PgPool, stop: Arc<AtomicBool>) -> u32 {
    let mut former: HashMap<(String, i32), (i64, i64)> = HashMap::new();
    let mut steps = 0;
    while !stop.load(Ordering::Acquire) {
        let rows: Vec<(String, i32, i64, i64)> = sqlx::query_as(
            "select topic, partition, epoch, next_offset from position where role = 'dlr-reconciler'",
        )
        .fetch_all(&pool)
        .await
        .unwrap();
        for (topic, partition, epoch, next) in rows {
            let (before, at) = former.get(&(topic.clone(), partition)).copied().unwrap_or((0, 0));
            assert!(
                epoch >= before && next >= at,
                "{topic}/{partition}: {at} of {before}, then {next} of {epoch}"
            );
            steps += u32::from(next > at);
            former.insert((topic, partition), (epoch, next));
        }
        tokio::time::sleep(Duration::from_millis(5)).await; // between two looks, nothing is waited for
    }
    steps
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_twice_while_another_takes_over() {
    let operator = Settings { delivery_max_ms: 1_500, latency_ms: 5, latency_jitter_ms: 20, ..operator() };
    let settings = [("DLR_RECONCILER__HISTORY__AFTER_S", "1"), ("DLR_RECONCILER__HISTORY__EVERY_MS", "50")];
    let mut world = World::new(operator, &settings).await;
    let others = world.gateway.start("others", "ingest,billing-consumer,sender").await;
    let pair = [
        world.gateway.start("one", "dlr-reconciler").await,
        world.gateway.start("other", "dlr-reconciler").await,
    ];
    let api = others.api;
    let partitions = world.count("select count(*) from ownership where role = 'dlr-reconciler'").await;
    until("both hold some", async || world.count(HOLDERS).await == 2).await;
    let stop = Arc::new(AtomicBool::new(false));
    let pool = world.gateway.schema.pool().clone();
    let positions = tokio::spawn(positions_only_rise(pool, Arc::clone(&stop)));
    let traffic = Traffic::start(&world, api);
    let mut frozen = usize::from(drawn(0, 2) == 1);
    for k in 1..=2 {
        pass(500, k, 1_500).await;
        let epochs = world.count(EPOCHS).await;
        pair[frozen].freeze();
        until("the other holds all", async || {
            world.count(HOLDERS).await == 1 && world.count(HELD).await == partitions
        })
        .await;
        assert!(world.count(EPOCHS).await >= epochs + partitions / 2, "under other epochs");
        pass(0, k + 10, 1_000).await;
        pair[frozen].thaw();
        until("both hold some again", async || world.count(HOLDERS).await == 2).await;
        frozen = 1 - frozen;
    }
    pass(0, 20, 500).await;
    let ids = traffic.stop(&mut world).await;
    world.until("all were taken", &ids, |state| state.closed_attempt().is_some()).await;
    let due = world.by_fate(&ids);
    world.ended("frozen", api, due).await;
    stop.store(true, Ordering::Release);
    assert!(positions.await.unwrap() > 50);
    assert!(world.states(&ids).await.values().all(|state| !state.late_receipt()));
    let [one, other] = pair;
    world.end(vec![one, other, others]).await;
}
