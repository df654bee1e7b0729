//! Random schedules on the real database: what it holds in the end is what the pure model
//! of the same records says, and the books are clean.

use super::world::{ATTEMPTS, BILLED, RECEIPTS, Topic, World};
use super::*;
use crate::merge::tests::{Story, played, records, shuffled};
use crate::read::Stream;
use crate::samples;
use bytes::Bytes;
use domain::lane::Lane;
use domain::status::StatusCounts;
use ledger::audit::Expect;
use proptest::test_runner::{Config, TestRunner};

/// Stores records as they stand, in groups; a commit's answer is lost now and then.
async fn store(world: &World, topic: Topic, records: &[Bytes], cut: usize) {
    for (number, group) in records.chunks(cut).enumerate() {
        let batch = world.batch(topic, group).await;
        let flushed = world.try_flush(topic, 1, &batch).await;
        let Flushed::Stored(stored) = flushed else { panic!("nobody else moves this position") };
        assert_eq!(stored.disagreements, 0);
        if number % 2 == 0 {
            assert!(matches!(world.try_flush(topic, 1, &batch).await, Flushed::Moved));
        }
        if number % 3 == 0 && !stored.ready.is_empty() {
            loop_until_no_race(world, &stored.ready).await;
        }
    }
}

async fn loop_until_no_race(world: &World, made: &[ChunkId]) {
    while let Err(error) = match_chunks(world.pool(), made, &world.means()).await {
        assert!(error.postgres().is_some_and(platform::postgres::lost_a_race), "{error}");
    }
}

async fn play(stories: &[Story], shuffled: &[(Stream, Bytes)], cuts: &[usize]) {
    let world = World::new().await;
    samples::charge(world.pool(), 10_000).await;
    for (k, (fates, unpaid)) in (0..).zip(stories) {
        let paid = fates.len() as u16;
        world.hold(chunk_id(k), paid + unpaid, paid).await;
    }
    let of = |stream: Stream| -> Vec<Bytes> {
        shuffled.iter().filter(|(of, _)| *of == stream).map(|(_, record)| record.clone()).collect()
    };
    let cut = |index: usize| cuts.get(index % cuts.len()).map_or(1, |cut| cut + 1);
    let (billed, attempts) = (of(Stream::Billed(Lane::Bulk)), of(Stream::Attempts(Lane::Bulk)));
    let receipts = of(Stream::Receipts);
    // All three at once: more than the workers do, so that locks meet.
    tokio::join!(
        store(&world, BILLED, &billed, cut(0)),
        store(&world, ATTEMPTS, &attempts, cut(1)),
        store(&world, RECEIPTS, &receipts, cut(2)),
    );
    match_all(world.pool(), 0, &world.means()).await.unwrap();

    let expected = played(stories, &records(stories), &[]);
    assert_eq!(world.states().await, expected.states);
    let mut connection = world.pool().acquire().await.unwrap();
    let chunks: Vec<ChunkId> = expected.money.keys().copied().collect();
    for row in ledger::hold::read(&mut connection, &chunks).await.unwrap() {
        assert_eq!((row.decided.settled(), row.decided.voided()), expected.money[&row.chunk]);
    }
    let counts: Vec<StatusCounts> =
        expected.states.values().map(|states| StatusCounts::of(states).unwrap()).collect();
    let mut hours = Vec::new();
    for (status, ended) in Status::ALL.into_iter().zip(expected.ended).skip(1) {
        let messages: u64 = counts.iter().map(|counts| u64::from(counts.of_status(status))).sum();
        assert!(messages == ended || status == Status::Sent);
        hours.extend((messages > 0).then(|| format!("{} {messages}", status.as_str())));
    }
    let submitted: usize = stories.iter().map(|(paid, unpaid)| paid.len() + usize::from(*unpaid)).sum();
    hours.extend((submitted > 0).then(|| format!("submitted {submitted}")));
    hours.sort();
    assert_eq!(world.hours().await, hours.join(", "));
    assert_eq!(world.campaign().await, of_campaign(&world, &mut connection, stories).await);
    drop(connection);
    world.is_clean(Expect::Traffic).await;
    world.drop().await;
}

/// What the states and the ledger say of the campaign's chunks.
async fn of_campaign(
    world: &World,
    connection: &mut sqlx::PgConnection,
    stories: &[Story],
) -> (String, i64, i64) {
    let chunks = (0..).zip(stories).map(|(k, story)| (chunk_id(k), story));
    let chunks: Vec<_> = chunks.filter(|(chunk, _)| samples::campaign(*chunk).is_some()).collect();
    let mut words = std::collections::BTreeMap::new();
    for (chunk, (paid, unpaid)) in &chunks {
        *words.entry("submitted".to_owned()).or_insert(0) += paid.len() + usize::from(*unpaid);
        for word in world.statuses(*chunk).await.split_whitespace().filter(|word| *word != "queued") {
            *words.entry(word.to_owned()).or_insert(0) += 1;
        }
    }
    words.retain(|_, count| *count > 0);
    let ids: Vec<ChunkId> = chunks.iter().map(|(chunk, _)| *chunk).collect();
    let rows = ledger::hold::read(connection, &ids).await.unwrap();
    let price = rows.iter().map(|row| row.cost.get()).sum();
    let refunded = rows.iter().map(|row| row.prices.cost_of(&row.decided.voided()).get()).sum();
    let words: Vec<String> = words.into_iter().map(|(word, count)| format!("{word} {count}")).collect();
    (words.join(", "), price, refunded)
}

#[test]
fn whatever_the_schedule_the_books_are_clean_and_the_end_is_the_same() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Each case makes a schema: few of them, and no shrinking through hundreds.
    let config = Config { cases: 12, max_shrink_iters: 20, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&shuffled(), |(stories, shuffled, cuts)| {
            runtime.block_on(play(&stories, &shuffled, &cuts));
            Ok(())
        })
        .unwrap();
}
