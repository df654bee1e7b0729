#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::cast_possible_truncation)]

mod named;
mod pushed;
mod schedules;
pub(crate) mod world;

use super::*;
use crate::samples::{self, billed, chunk_id, outcome, outcomes, receipts};
use domain::outcome::{Outcome, Receipt, Refusal};
use world::{ATTEMPTS, BILLED, RECEIPTS, World};

fn taken(positions: std::ops::Range<u8>) -> Vec<wire::attempt::MessageOutcome> {
    positions.map(|position| outcome(position, Outcome::Taken)).collect()
}

#[tokio::test]
async fn a_chunk_from_billed_to_settled_and_refunded() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 5, 4).await;
    assert_eq!(world.money().await, (6_000, 4_000));

    // Four of five are paid for: content, a state row for the fifth, both counted.
    let stored = world.flush(BILLED, &[billed(chunk, 5, 4)]).await;
    assert_eq!((stored.recorded, stored.ready.len()), (5, 1));
    assert_eq!(world.statuses(chunk).await, "queued queued queued queued refused");

    // Three taken, one refused by the operator: that one is refunded at once.
    let mut ended = taken(0..3);
    ended.push(outcome(3, Outcome::Refused(Refusal::Operator)));
    world.flush(ATTEMPTS, &[outcomes(chunk, 5, 1, ended)]).await;
    assert_eq!(world.statuses(chunk).await, "sent sent sent failed refused");
    assert_eq!(world.money().await, (7_000, 3_000));
    assert_eq!(world.operator_ids(chunk).await, [(0, "op-0\nop-1\nop-2".to_owned())]);
    assert_eq!(world.poll(chunk).await, Some(("0,1,2".into(), Some(60_000))));

    // Asked: one delivered, one not, one still open.
    let heard = [(0, Receipt::Delivered), (1, Receipt::Undelivered), (2, Receipt::OnTheWay)];
    let stored = world.at(60_500).flush(RECEIPTS, &[receipts(chunk, 1, true, &heard)]).await;
    assert_eq!((stored.settled, stored.refunded), (Money::new(1_000), Money::new(1_000)));
    assert_eq!(world.statuses(chunk).await, "delivered undelivered sent failed refused");
    assert_eq!(world.money().await, (8_000, 1_000));
    assert_eq!(world.poll(chunk).await, Some(("2".into(), Some(300_010))));

    // Asked again beyond the schedule: never again; then it comes after all.
    world.at(700_000).flush(RECEIPTS, &[receipts(chunk, 1, true, &[(2, Receipt::Nothing)])]).await;
    assert_eq!(world.poll(chunk).await, Some(("2".into(), None)));
    world.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(2, Receipt::Delivered)])]).await;
    assert_eq!(world.poll(chunk).await, None);
    assert_eq!(world.money().await, (8_000, 0));
    assert_eq!(world.hours().await, "delivered 2, failed 1, refused 1, submitted 5, undelivered 1",);
    world.ends_clean().await;
}

#[tokio::test]
async fn a_campaigns_messages_are_counted_whichever_is_heard_first() {
    for billed_first in [true, false] {
        let world = World::new().await;
        let chunk = chunk_id(1);
        world.hold(chunk, 5, 4).await;
        let mut ended = taken(0..2);
        ended.push(outcome(2, Outcome::Refused(Refusal::Canceled)));
        let records = [(BILLED, billed(chunk, 5, 4)), (ATTEMPTS, outcomes(chunk, 5, 1, ended))];
        let order = if billed_first { [0, 1] } else { [1, 0] };
        for at in order {
            let (topic, record) = &records[at];
            world.flush(*topic, std::slice::from_ref(record)).await;
            // A repetition counts nothing.
            world.flush(*topic, std::slice::from_ref(record)).await;
        }
        let counted = "canceled 1, refused 1, sent 2, submitted 5".to_owned();
        assert_eq!(world.campaign().await, (counted, 4_000, 1_000), "{billed_first}");
        let recorded: Vec<(bool, i64)> = sqlx::query_as("select recorded, campaign_id from chunk_state")
            .fetch_all(&**world.pool())
            .await
            .unwrap();
        assert_eq!(recorded, [(true, samples::CAMPAIGN)], "{billed_first}");

        let heard = [(0, Receipt::Delivered), (1, Receipt::Undelivered)];
        world.at(60_500).flush(RECEIPTS, &[receipts(chunk, 1, true, &heard)]).await;
        let counted = "canceled 1, delivered 1, refused 1, submitted 5, undelivered 1".to_owned();
        assert_eq!(world.campaign().await, (counted, 4_000, 2_000), "{billed_first}");
        world.drop().await;
    }
}

#[tokio::test]
async fn what_is_committed_is_not_stored_again() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 2, 2).await;
    let records = [outcomes(chunk, 2, 1, taken(0..2))];
    let batch = world.batch(ATTEMPTS, &records).await;
    assert!(matches!(world.try_flush(ATTEMPTS, 1, &batch).await, Flushed::Stored(_)));
    // The answer was lost: the same transaction again.
    assert!(matches!(world.try_flush(ATTEMPTS, 1, &batch).await, Flushed::Moved));
    assert_eq!(world.position(ATTEMPTS).await, 1);

    // The same record once more, under a new offset (a repetition of the sender).
    let stored = world.flush(ATTEMPTS, &records).await;
    assert_eq!((stored.ready.len(), stored.ended), (0, [0; Status::ALL.len()]));
    let twice = [billed(chunk, 2, 2), billed(chunk, 2, 2)];
    assert_eq!(world.flush(BILLED, &twice).await.recorded, 2);
    assert_eq!(world.flush(BILLED, &twice).await.recorded, 0);
    assert_eq!(world.hours().await, "sent 2, submitted 2");
    world.drop().await;
}

#[tokio::test]
async fn a_former_holder_stores_nothing() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 1, 1).await;
    let batch = world.batch(ATTEMPTS, &[outcomes(chunk, 1, 1, vec![outcome(0, Outcome::Expired)])]).await;
    world.take_over(2).await;
    assert!(matches!(world.try_flush(ATTEMPTS, 1, &batch).await, Flushed::Moved));
    assert_eq!((world.position(ATTEMPTS).await, world.statuses(chunk).await), (0, String::new()));
    assert!(matches!(world.try_flush(ATTEMPTS, 2, &batch).await, Flushed::Stored(_)));
    assert_eq!(world.statuses(chunk).await, "expired");
    assert_eq!(world.money().await, (10_000, 0));
    world.ends_clean().await;
}

#[tokio::test]
async fn a_later_receipt_that_contradicts_moves_no_money() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 2, 2).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, taken(0..2))]).await;
    let one_way = [(0, Receipt::Delivered), (1, Receipt::Undelivered)];
    let other_way = [(0, Receipt::Undelivered), (1, Receipt::Delivered)];
    world.flush(RECEIPTS, &[receipts(chunk, 1, false, &one_way)]).await;
    let stored = world.flush(RECEIPTS, &[receipts(chunk, 1, false, &other_way)]).await;
    assert_eq!((stored.late, stored.disagreements), (2, 0));
    assert_eq!((stored.settled, stored.refunded), (Money::ZERO, Money::ZERO));
    assert_eq!(world.statuses(chunk).await, "delivered undelivered");
    assert_eq!(world.money().await, (9_000, 0));
    world.ends_clean().await;
}

#[tokio::test]
async fn receipts_wait_for_their_chunk() {
    let world = World::new().await;
    let (first, second, never) = (chunk_id(0), chunk_id(1), chunk_id(2));
    for chunk in [first, second] {
        world.hold(chunk, 1, 1).await;
    }
    let early = [first, second, never].map(|chunk| receipts(chunk, 1, false, &[(0, Receipt::Delivered)]));
    assert_eq!(world.flush(RECEIPTS, &early).await.pending, 3);
    // A poll that learnt nothing of a chunk that is not known is not kept.
    assert_eq!(world.flush(RECEIPTS, &[receipts(never, 1, true, &[(0, Receipt::Nothing)])]).await.pending, 0);

    // Matched right after the row was made.
    let made = world.flush(ATTEMPTS, &[outcomes(first, 1, 1, taken(0..1))]).await.ready;
    assert_eq!(made, [first]);
    let matched = match_chunks(world.pool(), &made, &world.means()).await.unwrap();
    assert_eq!((matched.settled, world.statuses(first).await.as_str()), (Money::new(1_000), "delivered"));
    assert_eq!(world.poll(first).await, None);

    // Missed by a crash in between: found when all are looked through, once.
    world.flush(ATTEMPTS, &[outcomes(second, 1, 1, taken(0..1))]).await;
    let (matched, next) = match_all(world.pool(), 0, &world.means()).await.unwrap();
    assert_eq!((matched.settled, next), (Money::new(1_000), None));
    let (matched, _) = match_all(world.pool(), 0, &world.means()).await.unwrap();
    assert_eq!(matched.settled, Money::ZERO);
    assert_eq!(count_pending(world.pool()).await.unwrap(), 1);
    world.ends_clean().await;
}

#[tokio::test]
async fn two_who_match_the_same_receipt_settle_it_once() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 1, 1).await;
    world.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(0, Receipt::Delivered)])]).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, taken(0..1))]).await;
    let (made, means) = ([chunk], world.means());
    let pool = world.pool();
    let (one, other) = tokio::join!(match_chunks(pool, &made, &means), match_all(pool, 0, &means));
    let (one, (other, _)) = (one.unwrap(), other.unwrap());
    assert_eq!(one.settled.checked_add(other.settled), Some(Money::new(1_000)));
    world.ends_clean().await;
}

#[tokio::test]
async fn a_receipt_that_nobody_can_read_is_parked() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 1, 1).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, taken(0..1))]).await;
    let rubbish = bytes::Bytes::from_static(b"rubbish");
    let good = receipts(chunk, 1, false, &[(0, Receipt::Delivered)]);
    world.flush(RECEIPTS, &[rubbish, good]).await;
    let parked: Vec<(String, i64, String, Vec<u8>)> =
        sqlx::query_as("select topic, source_offset, reason, record from parked")
            .fetch_all(&**world.pool())
            .await
            .unwrap();
    assert_eq!(parked, [(RECEIPTS.0.to_owned(), 0, "undecodable".to_owned(), b"rubbish".to_vec())]);
    assert_eq!((world.position(RECEIPTS).await, world.statuses(chunk).await.as_str()), (2, "delivered"));
    world.drop().await;
}

/// One slice that is impossible, in a record of many chunks.
#[tokio::test]
async fn what_can_be_read_of_a_record_is_applied_and_the_record_is_kept() {
    let world = World::new().await;
    let chunks: Vec<ChunkId> = (0..3).map(chunk_id).collect();
    for chunk in &chunks {
        world.hold(*chunk, 1, 1).await;
        world.flush(ATTEMPTS, &[outcomes(*chunk, 1, 1, taken(0..1))]).await;
    }
    let heard = [(0, Receipt::Delivered)];
    let good: Vec<_> = chunks.iter().map(|chunk| samples::pushed("magfa", *chunk, &heard)).collect();
    let record = samples::spoilt(&good);
    assert_eq!(world.flush(RECEIPTS, std::slice::from_ref(&record)).await.settled, Money::new(3_000));
    let parked: Vec<(i64, String, Vec<u8>)> =
        sqlx::query_as("select source_offset, reason, record from parked")
            .fetch_all(&**world.pool())
            .await
            .unwrap();
    assert_eq!(parked, [(0, "undecodable_in_part".to_owned(), record.to_vec())]);
    // Where such a row waits, by whatever way it came there, it goes on waiting.
    let insert = "insert into pending_receipt (chunk_id, topic, partition, record) values ($1, 'x', 0, $2)";
    let statement = sqlx::query(insert).bind(chunks[0].get()).bind(record.to_vec());
    statement.execute(&**world.pool()).await.unwrap();
    match_all(world.pool(), 0, &world.means()).await.unwrap();
    assert_eq!(count_pending(world.pool()).await.unwrap(), 1);
    world.ends_clean().await;
}

#[tokio::test]
async fn messages_taken_later_are_asked_for_with_the_others() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 4, 4).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 4, 1, taken(0..2))]).await;
    world.at(5_000).flush(ATTEMPTS, &[outcomes(chunk, 4, 1, taken(2..4))]).await;
    assert_eq!(world.poll(chunk).await, Some(("0,1,2,3".into(), Some(60_000))));
    assert_eq!(world.operator_ids(chunk).await.len(), 2);
    world.drop().await;
}

#[tokio::test]
async fn what_was_never_held_stays_in_hand() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    let batch = world.batch(ATTEMPTS, &[outcomes(chunk, 1, 1, vec![outcome(0, Outcome::Expired)])]).await;
    let held = [world.held(ATTEMPTS, 1, &batch)];
    let refused = flush(world.pool(), &held, &world.means()).await;
    assert!(matches!(refused, Err(LedgerError::NoHold(missing)) if missing == chunk));
    assert_eq!((world.position(ATTEMPTS).await, world.statuses(chunk).await), (0, String::new()));
    world.drop().await;
}
