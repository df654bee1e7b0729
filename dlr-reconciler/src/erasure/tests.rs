//! On real Postgres: texts and numbers go, and money and statuses stay.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::store::erase;
use super::*;
use crate::flush::tests::world::{ATTEMPTS, BILLED, RECEIPTS, World};
use crate::history::store::copy;
use crate::samples::{MINTED, billed, chunk_id, outcome, outcomes, receipts};
use bytes::Bytes;
use domain::id::ChunkId;
use domain::outcome::{Outcome, Receipt, Refusal};
use domain::phone::Msisdn;
use ledger::audit::Expect;
use sqlx::Connection;
use wire::Version;
use wire::billed::{Billed, Verdict};
use wire::submitted::Chunk;

/// Chunks of two messages in history: one delivered, one refused.
async fn history(chunks: i64) -> World {
    let world = World::new().await;
    for chunk in (0..chunks).map(chunk_id) {
        world.hold(chunk, 2, 2).await;
        world.flush(BILLED, &[billed(chunk, 2, 2)]).await;
        let ended = vec![outcome(0, Outcome::Taken), outcome(1, Outcome::Refused(Refusal::Operator))];
        world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, ended)]).await;
        world.flush(RECEIPTS, &[receipts(chunk, 1, true, &[(0, Receipt::Delivered)])]).await;
    }
    let all: Vec<i64> = (0..chunks).map(|k| chunk_id(k).get()).collect();
    world.pool().within(async |connection| copy(connection, &all).await).await.unwrap();
    for table in ["chunk_content", "chunk_state", "chunk_operator_ids", "chunk_finished"] {
        let delete = sqlx::AssertSqlSafe(format!("delete from {table}"));
        sqlx::query(delete).execute(&**world.pool()).await.unwrap();
    }
    world
}

async fn erased(world: &World, before: UnixMillis, count: u32) -> Batch {
    let erase =
        async |connection: &mut sqlx::PgConnection| erase(connection, before, count, Version::NEWEST).await;
    world.pool().within(erase).await.unwrap()
}

async fn record(world: &World, chunk: ChunkId) -> Bytes {
    let record: Vec<u8> = sqlx::query_scalar("select record from history_chunk where chunk_id = $1")
        .bind(chunk.get())
        .fetch_one(&**world.pool())
        .await
        .unwrap();
    record.into()
}

async fn content(world: &World, chunk: ChunkId) -> Chunk {
    match Billed::decode(&record(world, chunk).await).unwrap().verdict {
        Verdict::Paid { paid: 2, chunk } => chunk,
        other => panic!("{other:?}"),
    }
}

/// Whether the text and the first number of a record of these tests are in it.
fn personal(record: &[u8]) -> [bool; 2] {
    let has = |needle: &[u8]| record.windows(needle.len()).any(|window| window == needle);
    [has(b"hi"), has(&989_120_000_000_u64.to_le_bytes()[..5])]
}

const LATER: UnixMillis = UnixMillis(MINTED.0 + 1_000);

#[tokio::test]
async fn texts_and_numbers_go_and_all_else_stays() {
    let world = history(5).await;
    let before = content(&world, chunk_id(0)).await;
    assert_eq!(personal(&record(&world, chunk_id(0)).await), [true; 2]);
    let states: Vec<Vec<u8>> = world.states().await.into_values().collect();
    assert_eq!(erased(&world, MINTED, 9).await, Batch::default(), "it is not old enough");

    // Batch by batch, each from where the last one ended.
    let mut batches = vec![];
    for _ in 0..4 {
        let batch = erased(&world, LATER, 2).await;
        batches.push((batch.chunks, batch.more));
    }
    assert_eq!(batches, [(2, true), (2, true), (1, false), (0, false)]);

    let after = content(&world, chunk_id(0)).await;
    assert_eq!(after, before.erased());
    assert_eq!((after.recipient(0), before.recipient(0)), (None, before.recipients.first().copied()));
    assert_eq!((&after.line, after.len(), after.created_at), (&before.line, 2, before.created_at));
    assert_eq!(after.texts[0].segments, before.texts[0].segments);
    for k in 0..5 {
        let octets = record(&world, chunk_id(k)).await;
        assert!(personal(&octets).into_iter().all(|found| !found), "{octets:?}");
        assert_eq!(world.statuses(chunk_id(k)).await, "delivered failed");
    }
    let found_by = "select count(*) from history_chunk
                    where recipient_key is not null or reference_key is not null or sought <> ''";
    let found_by: i64 = sqlx::query_scalar(found_by).fetch_one(&**world.pool()).await.unwrap();
    assert_eq!(found_by, 0);
    assert_eq!(world.states().await.into_values().collect::<Vec<_>>(), states);
    assert_eq!(world.money().await, (5_000, 0));
    world.is_clean(Expect::Quiescence).await;
    world.drop().await;
}

#[tokio::test]
async fn what_cannot_be_read_goes_as_a_whole_and_so_does_what_was_parked() {
    let world = history(1).await;
    let spoil = "update history_chunk set record = 'a text of somebody'::bytea";
    sqlx::query(spoil).execute(&**world.pool()).await.unwrap();
    let park = "insert into parked (topic, partition, source_offset, reason, record, at)
                values ('t', 0, 1, 'undecodable', 'a text', to_timestamp($1 / 1000.0)),
                       ('t', 0, 2, 'undecodable', 'another', to_timestamp($2 / 1000.0))";
    let park = sqlx::query(park).bind(MINTED.0).bind(LATER.0 + 1);
    park.execute(&**world.pool()).await.unwrap();
    let batch = erased(&world, LATER, 9).await;
    assert_eq!((batch.chunks, batch.parked), (1, 1));
    assert!(record(&world, chunk_id(0)).await.is_empty());
    let left: Vec<Vec<u8>> =
        sqlx::query_scalar("select record from parked order by id").fetch_all(&**world.pool()).await.unwrap();
    assert_eq!(left, [b"".to_vec(), b"another".to_vec()]);
    assert_eq!(erased(&world, LATER, 9).await, Batch::default());
    world.drop().await;
}

/// A chunk that came to history long after erasing had passed its time.
#[tokio::test]
async fn what_comes_late_is_erased_too() {
    let world = history(2).await;
    let pool = world.pool();
    sqlx::query("update erased_below set chunk_id = $1").bind(i64::MAX >> 1).execute(&**pool).await.unwrap();
    assert_eq!(erased(&world, LATER, 9).await.chunks, 0);
    let young = ChunkId::new(ChunkId::floor(platform::ownership::clock::unix_now())).unwrap();
    let old = ChunkId::new(ChunkId::floor(MINTED.plus(-8 * DAY_MS))).unwrap();
    let place = async || {
        let place: i64 =
            sqlx::query_scalar("select chunk_id from erased_below").fetch_one(&**pool).await.unwrap();
        place
    };
    for (chunk, expected) in [(young, i64::MAX >> 1), (old, old.get())] {
        pool.within(async |connection| reopen(connection, &[young.get(), chunk.get()]).await).await.unwrap();
        assert_eq!(place().await, expected);
    }
    assert_eq!(erased(&world, LATER, 9).await.chunks, 2);
    world.drop().await;
}

#[tokio::test]
async fn two_do_not_erase_at_once() {
    let world = history(1).await;
    let mut other = world.pool().acquire().await.unwrap();
    let mut holds = other.begin().await.unwrap();
    sqlx::query("select from erased_below for update").execute(&mut *holds).await.unwrap();
    assert_eq!(erased(&world, LATER, 9).await, Batch::default());
    holds.rollback().await.unwrap();
    assert_eq!(erased(&world, LATER, 9).await.chunks, 1);
    assert_eq!(content(&world, chunk_id(0)).await.recipients, [Msisdn::ERASED; 2]);
    drop(other);
    world.drop().await;
}
