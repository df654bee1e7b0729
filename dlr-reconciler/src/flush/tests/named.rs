//! Receipts that only the operator's own ids name, on the real database.

use super::world::{ATTEMPTS, RECEIPTS, World};
use super::*;
use crate::samples::{MINTED, chunk_id, outcome, outcomes};
use Receipt::{Delivered, OnTheWay, Undelivered};
use bytes::Bytes;
use domain::outcome::{Outcome, Receipt};
use std::time::Duration;
use wire::attempt::MessageOutcome;
use wire::receipts::{NamedReceipt, Receipts, operator_id};

/// Messages that the operator took, with its ids.
fn taken(ids: &[(u8, &str)]) -> Vec<MessageOutcome> {
    let message = |(position, id): &(u8, &str)| MessageOutcome {
        operator_id: (*id).to_owned(),
        ..outcome(*position, Outcome::Taken)
    };
    ids.iter().map(message).collect()
}

fn said(connector: &str, of: &[(&str, Receipt)]) -> Bytes {
    let one = |(id, receipt): &(&str, Receipt)| NamedReceipt {
        operator_id: operator_id(id).unwrap(),
        receipt: *receipt,
        code: 1,
    };
    let named = of.iter().map(one).collect();
    let (connector, at) = (connector.to_owned(), MINTED.plus(500));
    Receipts { connector, at, polled: false, slices: vec![], named }.encode(Version::NEWEST)
}

/// What the worker does after a flush.
async fn meet(world: &World, stored: &Stored) -> Stored {
    let chunks = match_names(world.pool(), &stored.named, Version::NEWEST).await.unwrap();
    match_chunks(world.pool(), &chunks, &world.means()).await.unwrap()
}

#[tokio::test]
async fn whichever_comes_first_they_meet() {
    for receipt_first in [true, false] {
        let world = World::new().await;
        let chunk = chunk_id(0);
        world.hold(chunk, 3, 3).await;
        let attempt = outcomes(chunk, 3, 1, taken(&[(0, "0042"), (1, "ab-7"), (2, "9")]));
        let receipts =
            said("magfa", &[("42", Delivered), ("AB-7", Undelivered), ("9", OnTheWay), ("1", Delivered)]);
        let last = if receipt_first {
            let stored = world.flush(RECEIPTS, std::slice::from_ref(&receipts)).await;
            assert_eq!(meet(&world, &stored).await.settled, Money::ZERO);
            assert_eq!(count_pending(world.pool()).await.unwrap(), 3, "what is on its way says nothing");
            world.flush(ATTEMPTS, &[attempt]).await
        } else {
            world.flush(ATTEMPTS, &[attempt]).await;
            world.flush(RECEIPTS, std::slice::from_ref(&receipts)).await
        };
        let stored = meet(&world, &last).await;
        assert_eq!((stored.settled, stored.refunded), (Money::new(1_000), Money::new(1_000)));
        assert_eq!(world.statuses(chunk).await, "delivered undelivered sent");
        assert_eq!(count_pending(world.pool()).await.unwrap(), 1, "that of nobody");

        // Twice is once.
        let again = world.flush(RECEIPTS, &[receipts]).await;
        let again = meet(&world, &again).await;
        assert_eq!((again.settled, again.refunded, again.late), (Money::ZERO, Money::ZERO, 0));
        let third = world.flush(RECEIPTS, &[said("magfa", &[("9", Delivered)])]).await;
        meet(&world, &third).await;
        world.ends_clean().await;
    }
}

/// The process died between the two transactions.
#[tokio::test]
async fn what_was_missed_is_looked_through_later() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 1, 1).await;
    world.flush(RECEIPTS, &[said("magfa", &[("5", Delivered), ("6", Delivered)])]).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, taken(&[(0, "5")]))]).await;
    let (chunks, next) = match_next_named(world.pool(), 0, Version::NEWEST).await.unwrap();
    assert_eq!((chunks, next), (vec![chunk], None));
    // Or after this one: what was handed on is a receipt like any other that came early.
    let (stored, _) = match_all(world.pool(), 0, &world.means()).await.unwrap();
    assert_eq!(stored.settled, Money::new(1_000));
    world.ends_clean().await;
}

/// Who knows one connector's secret must not decide about what another carries.
#[tokio::test]
async fn another_connectors_ids_are_others() {
    let mut world = World::new().await;
    world.operator_ids.insert("other".into());
    let chunk = chunk_id(0);
    world.hold(chunk, 1, 1).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, taken(&[(0, "5")]))]).await;
    let stored = world.flush(RECEIPTS, &[said("other", &[("5", Delivered)])]).await;
    assert!(match_names(world.pool(), &stored.named, Version::NEWEST).await.unwrap().is_empty());
    assert_eq!(world.statuses(chunk).await, "sent");
    let stored = world.flush(RECEIPTS, &[said("magfa", &[("5", Delivered)])]).await;
    meet(&world, &stored).await;
    world.ends_clean().await;
}

#[tokio::test]
async fn an_id_that_was_given_twice_is_that_of_the_newest_message() {
    let world = World::new().await;
    for chunk in [0, 1].map(chunk_id) {
        world.hold(chunk, 1, 1).await;
        world.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, taken(&[(0, "5")]))]).await;
    }
    let stored = world.flush(RECEIPTS, &[said("magfa", &[("5", Delivered)])]).await;
    meet(&world, &stored).await;
    assert_eq!([world.statuses(chunk_id(0)).await, world.statuses(chunk_id(1)).await], ["sent", "delivered"]);
    world.drop().await;
}

#[tokio::test]
async fn ids_are_kept_only_of_connectors_that_are_set_to_that() {
    let mut world = World::new().await;
    world.operator_ids.clear();
    world.hold(chunk_id(0), 1, 1).await;
    let stored = world.flush(ATTEMPTS, &[outcomes(chunk_id(0), 1, 1, taken(&[(0, "5")]))]).await;
    assert_eq!((world.count("operator_message").await, stored.named.len()), (0, 0));
    world.drop().await;
}

#[tokio::test]
async fn what_matches_nothing_is_deleted_when_its_time_is_over() {
    let world = World::new().await;
    world.flush(RECEIPTS, &[said("magfa", &[("5", Delivered)])]).await;
    assert_eq!(drop_old(world.pool(), Duration::from_secs(60)).await.unwrap(), 0);
    sqlx::query("update named_receipt set at = at - interval '61 s'")
        .execute(world.schema.pool())
        .await
        .unwrap();
    assert_eq!(drop_old(world.pool(), Duration::from_secs(60)).await.unwrap(), 1);
    world.drop().await;
}
