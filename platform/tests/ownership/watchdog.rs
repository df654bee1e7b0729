//! A loop that stands still loses its partitions, and others get them, but never before the
//! deadline that was in force has passed.

use crate::process::Process;
use crate::world::{World, until};
use platform::ownership::clock::boot_ms;
use std::sync::atomic::Ordering;

/// Alive for two seconds, out half a second earlier; renewed ten times a second.
const ALIVE_MS: u64 = 2_000;
/// The deadline in force when a partition is withdrawn is at least so far ahead, with more
/// than half a second of delay allowed to the renewal.
const AHEAD_MS: i64 = 800;

#[tokio::test]
async fn a_standing_loop_loses_its_partitions_to_the_others() {
    let world = World::new(4).await;
    let still = Process::start(&world, 1, ALIVE_MS);
    let other = Process::start(&world, 2, ALIVE_MS);
    until("half each", async || still.holds(2) && other.holds(2)).await;
    let leases = still.held();
    still.manners.stands_still.store(true, Ordering::Release);
    until("they are withdrawn", async || leases.values().all(|lease| !lease.holds())).await;
    let withdrawn_at = boot_ms();
    until("the other has all", async || other.holds(4)).await;
    for partition in leases.keys() {
        let waited = world.last(*partition).at_ms - withdrawn_at;
        assert!(waited >= AHEAD_MS, "freed {waited} ms after it was withdrawn");
    }
    // The process is alive all the while, and takes its share again when its loop goes on.
    assert!(still.standing.is_alive());
    still.manners.stands_still.store(false, Ordering::Release);
    until("half each again", async || still.holds(2) && other.holds(2)).await;
    still.stop().await;
    other.stop().await;
    world.end().await;
}

#[tokio::test]
async fn a_standing_loop_takes_nothing_until_it_goes_on() {
    let world = World::new(3).await;
    let process = Process::start(&world, 1, ALIVE_MS);
    until("it has all", async || process.holds(3)).await;
    process.manners.stands_still.store(true, Ordering::Release);
    until("nobody has any", async || world.shares().await.get(&None) == Some(&3)).await;
    let (freed_at, takings) = (boot_ms(), world.taken().len());
    // Some twenty looks.
    until("it leaves them alone", async || boot_ms() > freed_at + 600).await;
    assert_eq!(world.taken().len(), takings);
    process.manners.stands_still.store(false, Ordering::Release);
    until("it has all again", async || process.holds(3)).await;
    process.stop().await;
    world.end().await;
}

#[tokio::test]
async fn what_is_not_drained_in_time_waits_for_the_deadline() {
    let world = World::new(2).await;
    let slow = Process::start(&world, 1, ALIVE_MS);
    until("it has all", async || slow.holds(2)).await;
    slow.manners.never_drains.store(true, Ordering::Release);
    let leases = slow.held();
    let other = Process::start(&world, 2, ALIVE_MS);
    until("one is withdrawn", async || leases.values().any(|lease| !lease.holds())).await;
    let withdrawn_at = boot_ms();
    until("one each", async || other.holds(1)).await;
    let partition = *other.held().keys().next().unwrap();
    let waited = world.last(partition).at_ms - withdrawn_at;
    assert!(waited >= AHEAD_MS, "freed {waited} ms after it was withdrawn");
    slow.manners.never_drains.store(false, Ordering::Release);
    slow.stop().await;
    other.stop().await;
    world.end().await;
}

/// A clean stop gives back what is drained; what is not may still be at work somewhere.
#[tokio::test]
async fn a_stop_does_not_give_away_what_is_not_drained() {
    let world = World::new(2).await;
    let slow = Process::start(&world, 1, ALIVE_MS);
    until("it has all", async || slow.holds(2)).await;
    slow.manners.never_drains.store(true, Ordering::Release);
    let other = Process::start(&world, 2, ALIVE_MS);
    let leases = slow.held();
    let standing = std::sync::Arc::clone(&slow.standing);
    slow.stop().await;
    let stopped_at = boot_ms();
    assert!(leases.values().all(|lease| !lease.holds()));
    until("the other has all", async || other.holds(2)).await;
    // It was alive until it stopped, by its last renewal until long after.
    let last = (0..2).map(|partition| world.last(partition).at_ms).max().unwrap();
    assert!(last - stopped_at >= AHEAD_MS, "given away {} ms after the stop", last - stopped_at);
    assert!(!standing.is_alive());
    other.stop().await;
    world.end().await;
}
