//! On real Postgres: chunks leave the open tables, and nothing is lost or doubled by it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::flush::tests::world::{ATTEMPTS, BILLED, RECEIPTS, World};
use crate::flush::{Stored, match_all};
use crate::samples::{billed, chunk_id, outcome, outcomes, receipts};
use bytes::Bytes;
use domain::id::ChunkId;
use domain::outcome::{Outcome, Receipt, Refusal};
use ledger::audit::Expect;
use sqlx::types::Uuid;

const PROCESS: Uuid = Uuid::from_u128(7);

async fn world() -> World {
    let world = World::new().await;
    world.own(PROCESS).await;
    world
}

/// What is written about a chunk of two: one delivered, one refused by the operator.
fn told(chunk: ChunkId) -> [Bytes; 3] {
    let ended = vec![outcome(0, Outcome::Taken), outcome(1, Outcome::Refused(Refusal::Operator))];
    [billed(chunk, 2, 2), outcomes(chunk, 2, 1, ended), receipts(chunk, 1, true, &[(0, Receipt::Delivered)])]
}

async fn finished(world: &World, k: i64) -> ChunkId {
    let chunk = chunk_id(k);
    world.hold(chunk, 2, 2).await;
    let [billed, outcomes, receipts] = told(chunk);
    world.flush(BILLED, &[billed]).await;
    world.flush(ATTEMPTS, &[outcomes]).await;
    world.flush(RECEIPTS, &[receipts]).await;
    chunk
}

async fn next(world: &World, after_s: f64, count: i64) -> Vec<Finished> {
    world
        .pool()
        .within(async |connection| leave::next(connection, PROCESS, after_s, count).await)
        .await
        .unwrap()
}

async fn copy(world: &World, finished: &[Finished]) -> usize {
    world.pool().within(async |connection| leave::copy(connection, PROCESS, finished).await).await.unwrap()
}

async fn delete(world: &World, finished: &[Finished]) -> usize {
    world.pool().within(async |connection| leave::delete(connection, PROCESS, finished).await).await.unwrap()
}

async fn moved(world: &World) -> usize {
    let all = next(world, 0.0, 100).await;
    copy(world, &all).await;
    delete(world, &all).await
}

/// Rows of the open tables, and of history: states, content, operators' ids.
async fn rows(world: &World) -> ([i64; 3], [i64; 2]) {
    let open = ["chunk_state", "chunk_content", "chunk_operator_ids"];
    let count = async |table: &str| world.count(table).await;
    (
        [count(open[0]).await, count(open[1]).await, count(open[2]).await],
        [count("history_chunk").await, count("history_operator_ids").await],
    )
}

async fn contents(world: &World) -> Vec<(i64, i64, String, i64, i32, i32, Vec<u8>)> {
    sqlx::query_as("select * from all_chunk_content order by 1").fetch_all(&**world.pool()).await.unwrap()
}

#[tokio::test]
async fn a_finished_chunk_leaves_the_open_tables_unchanged() {
    let world = world().await;
    let chunk = finished(&world, 0).await;
    let before = (world.states().await, contents(&world).await, world.operator_ids(chunk).await);
    assert!(next(&world, 3_600.0, 100).await.is_empty(), "it stays open for a while");
    let all = next(&world, 0.0, 100).await;
    assert_eq!(all.len(), 1);
    assert_eq!(copy(&world, &all).await, 1);
    assert_eq!(rows(&world).await, ([1, 1, 1], [1, 1]), "in both");
    let here = (world.states().await, contents(&world).await, world.operator_ids(chunk).await);
    assert_eq!(here, before, "seen once");
    // A process that died here begins again with either.
    assert_eq!(copy(&world, &all).await, 1);
    let all = next(&world, 0.0, 100).await;
    assert!(all[0].copied);
    assert_eq!(delete(&world, &all).await, 1);
    assert_eq!((rows(&world).await, world.count("chunk_finished").await), (([0, 0, 0], [1, 1]), 0));
    let after = (world.states().await, contents(&world).await, world.operator_ids(chunk).await);
    assert_eq!(after, before);
    assert_eq!((delete(&world, &all).await, copy(&world, &all).await), (0, 0), "once");
    assert!(next(&world, 0.0, 100).await.is_empty());
    assert_eq!(world.hours().await, "delivered 1, failed 1, submitted 2");
    world.ends_clean().await;
}

#[tokio::test]
async fn what_is_not_ready_stays() {
    let world = world().await;
    // One message is still open.
    let open = chunk_id(0);
    world.hold(open, 2, 2).await;
    world.flush(BILLED, &[billed(open, 2, 2)]).await;
    world.flush(ATTEMPTS, &[outcomes(open, 2, 1, vec![outcome(0, Outcome::Expired)])]).await;
    assert_eq!(world.count("chunk_finished").await, 0);
    // Its content is not recorded.
    let unrecorded = chunk_id(1);
    world.hold(unrecorded, 1, 1).await;
    world.flush(ATTEMPTS, &[outcomes(unrecorded, 1, 1, vec![outcome(0, Outcome::Expired)])]).await;
    // A receipt waits to be taken in.
    let early = chunk_id(2);
    world.hold(early, 1, 1).await;
    world.flush(RECEIPTS, &[receipts(early, 1, false, &[(0, Receipt::Delivered)])]).await;
    world.flush(BILLED, &[billed(early, 1, 1)]).await;
    world.flush(ATTEMPTS, &[outcomes(early, 1, 1, vec![outcome(0, Outcome::Expired)])]).await;
    assert_eq!((world.count("chunk_finished").await, next(&world, 0.0, 100).await.len()), (2, 0));

    world.flush(BILLED, &[billed(unrecorded, 1, 1)]).await;
    match_all(world.pool(), 0, &world.means()).await.unwrap();
    world.flush(ATTEMPTS, &[outcomes(open, 2, 1, vec![outcome(1, Outcome::Expired)])]).await;
    assert_eq!(next(&world, 0.0, 2).await.len(), 2, "a batch");
    assert_eq!(moved(&world).await, 3);
    world.ends_clean().await;
}

#[tokio::test]
async fn only_who_holds_the_partition_moves_its_chunks() {
    let world = world().await;
    finished(&world, 0).await;
    let all = next(&world, 0.0, 100).await;
    world.own(Uuid::from_u128(8)).await;
    assert_eq!((next(&world, 0.0, 100).await.len(), copy(&world, &all).await), (0, 0));
    world.own(PROCESS).await;
    copy(&world, &all).await;
    world.own(Uuid::from_u128(8)).await;
    assert_eq!((delete(&world, &all).await, rows(&world).await), (0, ([1, 1, 1], [1, 1])));
    world.ends_clean().await;
}

/// It had come before its chunk was known, and was not matched before the chunk went.
#[tokio::test]
async fn a_receipt_that_waited_finds_its_chunk_in_history() {
    let world = world().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 1, 1).await;
    world.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(0, Receipt::Delivered)])]).await;
    world.flush(BILLED, &[billed(chunk, 1, 1)]).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, vec![outcome(0, Outcome::Expired)])]).await;
    let partition = crate::flush::tests::world::PARTITION;
    for copied in [false, true] {
        let one = [Finished { chunk_id: chunk.get(), partition, copied }];
        assert_eq!(if copied { delete(&world, &one).await } else { copy(&world, &one).await }, 1);
    }
    let (matched, _) = match_all(world.pool(), 0, &world.means()).await.unwrap();
    assert_eq!((matched.late, matched.settled.get(), world.count("pending_receipt").await), (1, 0, 0));
    assert_eq!(world.statuses(chunk).await, "expired");
    world.ends_clean().await;
}

/// What comes for a chunk that was never copied is not lost by a deletion.
#[tokio::test]
async fn nothing_goes_that_is_not_there() {
    let world = world().await;
    finished(&world, 0).await;
    let all = next(&world, 0.0, 100).await;
    // The content is gone: it cannot be copied.
    sqlx::query("delete from chunk_content").execute(&**world.pool()).await.unwrap();
    assert_eq!((copy(&world, &all).await, delete(&world, &all).await), (1, 0));
    assert_eq!(rows(&world).await, ([1, 0, 1], [0, 1]));
    world.drop().await;
}

#[tokio::test]
async fn a_late_receipt_is_marked_wherever_the_chunk_is() {
    let world = world().await;
    let refused =
        |stored: &Stored| (stored.late, stored.settled.get(), stored.refunded.get(), stored.pending);
    for (k, copied_before, deleted_before) in [(0, false, false), (1, true, false), (2, true, true)] {
        let chunk = finished(&world, k).await;
        let money = world.money().await;
        let all = next(&world, 0.0, 100).await;
        if copied_before {
            copy(&world, &all).await;
        }
        if deleted_before {
            delete(&world, &all).await;
        }
        let late = [receipts(chunk, 1, false, &[(0, Receipt::Undelivered), (1, Receipt::Undelivered)])];
        assert_eq!(refused(&world.flush(RECEIPTS, &late).await), (1, 0, 0, 0), "{k}");
        assert_eq!(refused(&world.flush(RECEIPTS, &late).await), (0, 0, 0, 0), "{k}");
        if !copied_before {
            copy(&world, &all).await;
        }
        // What was copied before the receipt came is brought up to date.
        delete(&world, &all).await;
        let states = world.states().await.remove(&chunk).unwrap();
        let state = domain::status::MessageState::from_bytes(states[..16].try_into().unwrap()).unwrap();
        assert!(state.late_receipt(), "{k}");
        assert_eq!((world.statuses(chunk).await.as_str(), world.money().await), ("delivered failed", money));
    }
    assert_eq!(world.count("chunk_state").await + world.count("pending_receipt").await, 0);
    world.ends_clean().await;
}

/// Repetitions long after: of the verdict, the outcomes, the receipts; and ids of an operator
/// that come for the first time.
#[tokio::test]
async fn a_repeated_record_does_not_bring_a_chunk_back() {
    let world = world().await;
    let chunk = finished(&world, 0).await;
    moved(&world).await;
    let before = (world.states().await, contents(&world).await, world.hours().await);
    for _ in 0..2 {
        let [billed, outcomes, receipts] = told(chunk);
        let stored = world.flush(BILLED, &[billed]).await;
        assert_eq!((stored.recorded, stored.ready.len()), (0, 0));
        let stored = world.flush(ATTEMPTS, &[outcomes]).await;
        assert_eq!((stored.ready.len(), stored.ended.iter().sum::<u64>()), (0, 0));
        assert_eq!(world.flush(RECEIPTS, &[receipts]).await.late, 0);
    }
    let more = crate::samples::outcomes(chunk, 2, 2, vec![outcome(1, Outcome::Taken)]);
    world.flush(ATTEMPTS, &[more]).await;
    assert_eq!(rows(&world).await, ([0, 0, 0], [1, 2]));
    assert_eq!(world.operator_ids(chunk).await, [(0, "op-0".to_owned()), (1, "op-1".to_owned())]);
    assert_eq!((contents(&world).await, world.hours().await), (before.1, before.2));
    assert_eq!(world.statuses(chunk).await, "delivered failed");
    assert_eq!((world.count("receipt_poll").await, world.count("chunk_finished").await), (0, 0));
    world.ends_clean().await;
}

/// A chunk of which only a part was paid for makes a state row by its content alone.
#[tokio::test]
async fn what_was_refused_goes_too_and_does_not_come_back() {
    let world = world().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 3, 0).await;
    world.flush(BILLED, &[billed(chunk, 3, 0)]).await;
    assert_eq!((moved(&world).await, rows(&world).await), (1, ([0, 0, 0], [1, 0])));
    world.flush(BILLED, &[billed(chunk, 3, 0)]).await;
    assert_eq!(
        (rows(&world).await, world.hours().await.as_str()),
        (([0, 0, 0], [1, 0]), "refused 3, submitted 3")
    );
    assert_eq!(world.statuses(chunk).await, "refused refused refused");
    world.ends_clean().await;
}

/// Movers run in a loop while everything is told once, twice and late: each chunk ends in one
/// place, as it was told first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn movers_in_a_loop_lose_and_double_nothing() {
    const CHUNKS: i64 = 5;
    let world = world().await;
    for k in 0..CHUNKS {
        world.hold(chunk_id(k), 2, 2).await;
    }
    let done = std::sync::atomic::AtomicBool::new(false);
    let mover = async || {
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            let all = next(&world, 0.0, 2).await;
            let (old, new): (Vec<Finished>, Vec<Finished>) = all.into_iter().partition(|one| one.copied);
            delete(&world, &old).await;
            copy(&world, &new).await;
            tokio::task::yield_now().await;
        }
    };
    let streams = async |topic, of: usize| {
        for _ in 0..6 {
            for k in 0..CHUNKS {
                world.flush(topic, &[told(chunk_id(k))[of].clone()]).await;
            }
        }
    };
    let telling = async {
        tokio::join!(streams(BILLED, 0), streams(ATTEMPTS, 1), streams(RECEIPTS, 2));
        match_all(world.pool(), 0, &world.means()).await.unwrap();
        // Everything once more, when the first of it is gone.
        tokio::join!(streams(BILLED, 0), streams(ATTEMPTS, 1), streams(RECEIPTS, 2));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(telling, mover(), mover());
    moved(&world).await;
    assert_eq!(rows(&world).await, ([0, 0, 0], [CHUNKS, CHUNKS]));
    for k in 0..CHUNKS {
        assert_eq!(world.statuses(chunk_id(k)).await, "delivered failed");
    }
    assert_eq!(world.count("pending_receipt").await + world.count("receipt_poll").await, 0);
    assert_eq!(world.hours().await, "delivered 5, failed 5, submitted 10");
    assert_eq!(world.money().await, (5_000, 0));
    world.is_clean(Expect::Quiescence).await;
    world.drop().await;
}
