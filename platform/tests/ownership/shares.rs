//! Fair shares: ceil(partitions ÷ live processes), whoever comes and goes.

use crate::process::Process;
use crate::world::{World, until};
use platform::ownership::clock::boot_ms;

/// Longer than any test: nobody lapses, so whatever happens at once happened without waiting.
const LONG_MS: u64 = 60_000;

#[tokio::test]
async fn everybody_has_a_fair_share() {
    let world = World::new(8).await;
    let first = Process::start(&world, 1, LONG_MS);
    until("one has all", async || first.holds(8)).await;
    let second = Process::start(&world, 2, LONG_MS);
    until("two have half each", async || first.holds(4) && second.holds(4)).await;
    let third = Process::start(&world, 3, LONG_MS);
    // Nobody has more than three, so all eight are held where nothing is left over.
    until("three share", async || {
        let shares = world.shares().await;
        let held = [&first, &second, &third].map(|process| process.held().len());
        held.iter().sum::<usize>() == 8 && held.iter().all(|count| *count <= 3) && !shares.contains_key(&None)
    })
    .await;
    third.stop().await;
    until("two have half each again", async || first.holds(4) && second.holds(4)).await;
    // All that changed hands was drained before; nobody took more than his share meanwhile.
    first.stop().await;
    second.stop().await;
    world.end().await;
}

#[tokio::test]
async fn more_processes_than_partitions() {
    let world = World::new(2).await;
    let processes: Vec<_> = (0..4).map(|number| Process::start(&world, number, LONG_MS)).collect();
    until("two have one each", async || {
        let mut held: Vec<_> = processes.iter().map(|process| process.held().len()).collect();
        held.sort_unstable();
        held == [0, 0, 1, 1]
    })
    .await;
    for process in processes {
        process.stop().await;
    }
    world.end().await;
}

#[tokio::test]
async fn a_clean_stop_hands_over_at_once() {
    let world = World::new(6).await;
    let first = Process::start(&world, 1, LONG_MS);
    until("one has all", async || first.holds(6)).await;
    let second = Process::start(&world, 2, LONG_MS);
    until("half each", async || first.holds(3) && second.holds(3)).await;
    let leases = first.held();
    let began = boot_ms();
    first.stop().await;
    until("the other has all", async || second.holds(6)).await;
    assert!(boot_ms() - began < 20_000, "long before the first would have lapsed");
    assert!(leases.values().all(|lease| !lease.holds()));
    second.stop().await;
    let shares = world.shares().await;
    assert_eq!(shares.get(&None), Some(&6), "a clean stop releases everything");
    world.end().await;
}

/// The answer to a taking was lost after its commit: the tables name a process that does not
/// know of it. The partition does not stay with nobody.
#[tokio::test]
async fn what_the_tables_give_to_a_process_that_does_not_know_is_taken_again() {
    let world = World::new(3).await;
    let process = Process::start(&world, 1, LONG_MS);
    until("it has all", async || process.holds(3)).await;
    let (lost,) = (7,);
    sqlx::query("insert into ownership (role, partition, process, epoch) values ($1, $2, $3, 5)")
        .bind(crate::world::ROLE.as_str())
        .bind(lost)
        .bind(process.standing.process())
        .execute(world.pool())
        .await
        .unwrap();
    // The target is three of three: one of the others leaves the table.
    sqlx::query("delete from ownership where partition = 0").execute(world.pool()).await.unwrap();
    until("it is held in the end", async || process.held().contains_key(&lost)).await;
    assert!(world.last(lost).lease.epoch > 5, "under an epoch of its own");
    process.stop().await;
    world.end().await;
}
