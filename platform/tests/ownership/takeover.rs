//! Dead, frozen and late processes.

use crate::process::Process;
use crate::world::{ROLE, TOPIC, World, until};
use platform::ownership::clock::boot_ms;
use platform::ownership::{Advance, Lease, advance};
use sqlx::PgPool;

/// Short, so that lapses come soon; the order of events is checked, never how long they took.
const SHORT_MS: u64 = 1_200;

fn step(lease: &Lease, from: i64, to: i64) -> Advance {
    Advance {
        topic: TOPIC.into(),
        partition: lease.partition,
        epoch: lease.epoch,
        from,
        to,
        published: 0,
        last_source: -1,
    }
}

async fn moved(pool: &PgPool, lease: &Lease, from: i64, to: i64) -> usize {
    let mut connection = pool.acquire().await.unwrap();
    advance(&mut connection, ROLE, &[step(lease, from, to)]).await.unwrap()
}

async fn next_offset(pool: &PgPool, partition: i32) -> i64 {
    let (next,): (i64,) = sqlx::query_as("select next_offset from position where partition = $1")
        .bind(partition)
        .fetch_one(pool)
        .await
        .unwrap();
    next
}

/// Many runs: a frozen process's leases end by its own clock, then its life by the
/// database's, then another takes over; what it does late moves nothing.
#[tokio::test]
async fn a_frozen_process_is_taken_over_after_its_own_deadline() {
    let world = World::new(4).await;
    let mut processes = [Process::start(&world, 0, SHORT_MS), Process::start(&world, 1, SHORT_MS)];
    for run in 0..6 {
        until("half each", async || processes.iter().all(|process| process.holds(2))).await;
        let [frozen, other] = &processes;
        let (was, leases) = (frozen.standing.process(), frozen.held());
        let freeze = frozen.freeze();
        let before = boot_ms();
        let lapses_at = before + world.alive_for_ms(was).await;
        // No sooner than that, and whoever begins to hold checks that these hold no more.
        until("the other has all", async || other.held().len() == 4).await;
        for lease in leases.values() {
            let taken = world.last(lease.partition);
            assert_eq!(taken.by, other.number, "run {run}");
            assert!(taken.lease.epoch > lease.epoch, "run {run}");
            assert!(taken.at_ms >= lapses_at, "taken at {}, alive until {lapses_at}", taken.at_ms);
            assert!(!lease.holds());
            let next = next_offset(world.pool(), lease.partition).await;
            assert_eq!(moved(world.pool(), lease, next, next + 100).await, 0, "a late step moves nothing");
            assert_eq!(moved(world.pool(), &taken.lease, next, next + 1).await, 1);
            assert_eq!(next_offset(world.pool(), lease.partition).await, next + 1);
        }
        drop(freeze);
        until("it is back under a new id", async || frozen.standing.process() != was).await;
        assert!(leases.values().all(|lease| !lease.holds()), "what was lost does not come back");
        processes.reverse();
    }
    until("half each", async || processes.iter().all(|process| process.holds(2))).await;
    for process in processes {
        process.stop().await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_killed_process_is_taken_over_when_it_has_lapsed() {
    let world = World::new(4).await;
    let first = Process::start(&world, 1, SHORT_MS);
    until("one has all", async || first.holds(4)).await;
    let (was, before) = (first.standing.process(), boot_ms());
    first.kill().await;
    let lapses_at = before + world.alive_for_ms(was).await;
    let second = Process::start(&world, 2, SHORT_MS);
    until("the other has all", async || second.holds(4)).await;
    assert!((0..4).all(|partition| world.last(partition).at_ms >= lapses_at));
    second.stop().await;
    world.end().await;
}

/// Taking waits for the former holder's last transaction, and begins behind it.
#[tokio::test]
async fn the_former_holders_last_transaction_is_waited_for() {
    let world = World::new(1).await;
    let first = Process::start(&world, 1, SHORT_MS);
    until("one has it", async || first.holds(1)).await;
    let lease = first.held()[&0].clone();
    let mut late = world.pool().begin().await.unwrap();
    assert_eq!(advance(&mut late, ROLE, &[step(&lease, 0, 5)]).await.unwrap(), 1);
    first.kill().await;
    let second = Process::start(&world, 2, SHORT_MS);
    until("the other waits for the row", async || waits_for_a_lock(world.pool()).await).await;
    assert!(second.held().is_empty());
    late.commit().await.unwrap();
    until("the other has it", async || second.holds(1)).await;
    let taken = world.last(0);
    assert_eq!((taken.positions[0].next_offset, taken.positions[0].topic.as_str()), (5, TOPIC));
    assert_eq!(moved(world.pool(), &lease, 5, 6).await, 0);
    second.stop().await;
    world.end().await;
}

async fn waits_for_a_lock(pool: &PgPool) -> bool {
    let (waiting,): (i64,) = sqlx::query_as(
        "select count(*) from pg_locks w join pg_locks mine using (pid)
         where not w.granted and mine.granted and mine.relation = 'position'::regclass",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    waiting > 0
}

#[tokio::test]
async fn a_restart_in_place_takes_over_at_once() {
    let world = World::new(4).await;
    // It would count as alive for a minute.
    let first = Process::start(&world, 1, 60_000);
    until("it has all", async || first.holds(4)).await;
    let (leases, began) = (first.held(), boot_ms());
    first.kill().await;
    let second = Process::start(&world, 1, 60_000);
    until("it has all again", async || second.holds(4)).await;
    assert!(boot_ms() - began < 20_000);
    for lease in leases.values() {
        assert_eq!(world.last(lease.partition).lease.epoch, lease.epoch + 1);
        assert_eq!(moved(world.pool(), lease, 0, 1).await, 0);
    }
    // In the real world the killed process has no leases any more; here they still tick.
    world.record.lock().unwrap().overlaps.clear();
    second.stop().await;
    world.end().await;
}

/// Steps move nothing but from where they begin, for this role, and never backwards in what
/// is only ever raised.
#[tokio::test]
async fn a_step_begins_where_the_position_stands() {
    let world = World::new(2).await;
    let process = Process::start(&world, 1, 60_000);
    until("it has all", async || process.holds(2)).await;
    let held = process.held();
    let (zero, one) = (&held[&0], &held[&1]);
    let pool = world.pool();
    assert_eq!(moved(pool, zero, 1, 2).await, 0, "behind");
    assert_eq!(moved(pool, zero, 0, 3).await, 1);
    assert_eq!(moved(pool, zero, 0, 3).await, 0, "an earlier commit did happen");
    let mut connection = pool.acquire().await.unwrap();
    let both = [step(zero, 3, 4), step(one, 7, 8)];
    assert_eq!(advance(&mut connection, ROLE, &both).await.unwrap(), 1, "the caller rolls this back");
    let raised = Advance { published: 9, last_source: 8, ..step(one, 0, 1) };
    assert_eq!(advance(&mut connection, ROLE, &[raised]).await.unwrap(), 1);
    assert_eq!(advance(&mut connection, ROLE, &[step(one, 1, 2)]).await.unwrap(), 1);
    let positions = platform::ownership::read_positions(&mut connection, ROLE, 1).await.unwrap();
    assert_eq!((positions[0].next_offset, positions[0].published, positions[0].last_source), (2, 9, 8));
    drop(connection);
    process.stop().await;
    world.end().await;
}
