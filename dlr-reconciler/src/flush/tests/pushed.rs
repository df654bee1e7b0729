//! Receipts that come with our ids alone, on the real database.

use super::world::{ATTEMPTS, PARTITION, RECEIPTS, Topic, World};
use super::*;
use crate::read::Stream;
use crate::samples::{self, chunk_id, outcome, outcomes, pushed, receipts};
use Receipt::{Delivered, OnTheWay, Undelivered};
use domain::outcome::{Outcome, Receipt, Refusal};
use std::time::Duration;
use wire::attempt::MessageOutcome;

fn taken(positions: std::ops::Range<u8>) -> Vec<MessageOutcome> {
    positions.map(|position| outcome(position, Outcome::Taken)).collect()
}

async fn matched(world: &World, ready: &[ChunkId]) -> Stored {
    match_chunks(world.pool(), ready, &world.means()).await.unwrap()
}

#[tokio::test]
async fn before_the_attempt_and_twice() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 2, 2).await;
    let early = pushed("magfa", chunk, &[(0, Delivered), (1, Undelivered)]);
    assert_eq!(world.flush(RECEIPTS, &[early.clone(), early.clone()]).await.pending, 2);
    assert_eq!(world.money().await, (8_000, 2_000));

    let ready = world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, taken(0..2))]).await.ready;
    let stored = matched(&world, &ready).await;
    assert_eq!((stored.settled, stored.refunded, stored.late), (Money::new(1_000), Money::new(1_000), 0));
    assert_eq!(world.statuses(chunk).await, "delivered undelivered");
    assert_eq!(count_pending(world.pool()).await.unwrap(), 0);

    let stored = world.flush(RECEIPTS, &[early]).await;
    assert_eq!(
        (stored.settled, stored.refunded, stored.late, stored.pending),
        (Money::ZERO, Money::ZERO, 0, 0)
    );
    world.ends_clean().await;
}

#[tokio::test]
async fn a_message_whose_attempt_is_under_way_waits_alone() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 3, 3).await;
    // Two of three are taken; the attempt of the third is not over.
    world.flush(ATTEMPTS, &[outcomes(chunk, 3, 1, taken(0..2))]).await;
    let all = [(0, Delivered), (1, OnTheWay), (2, Undelivered)];
    let stored = world.flush(RECEIPTS, &[pushed("magfa", chunk, &all)]).await;
    assert_eq!((stored.settled, stored.pending), (Money::new(1_000), 1));
    assert_eq!(world.statuses(chunk).await, "delivered sent queued");

    // Looked through as often as one likes: it waits, and the first is not counted again.
    for _ in 0..2 {
        let (stored, _) = match_all(world.pool(), 0, &world.means()).await.unwrap();
        assert_eq!(
            (stored.settled, stored.late, count_pending(world.pool()).await.unwrap()),
            (Money::ZERO, 0, 1)
        );
    }
    // A third attempt closes it; a transient refusal before does not.
    world.flush(ATTEMPTS, &[outcomes(chunk, 3, 1, vec![outcome(2, Outcome::NotSent)])]).await;
    assert_eq!(world.statuses(chunk).await, "delivered sent queued");
    let ready = world.flush(ATTEMPTS, &[outcomes(chunk, 3, 3, taken(2..3))]).await.ready;
    assert_eq!(ready, [chunk]);
    assert_eq!(matched(&world, &ready).await.refunded, Money::new(1_000));
    assert_eq!(world.statuses(chunk).await, "delivered sent undelivered");
    assert_eq!(count_pending(world.pool()).await.unwrap(), 0);
    world.flush(RECEIPTS, &[pushed("magfa", chunk, &[(1, Delivered)])]).await;
    world.ends_clean().await;
}

#[tokio::test]
async fn what_waits_in_one_row_is_narrowed() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 2, 2).await;
    let both = [(0, Delivered), (1, Delivered)];
    world.flush(RECEIPTS, &["magfa", "other"].map(|by| pushed(by, chunk, &both))).await;
    let ready = world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, taken(0..1))]).await.ready;
    let stored = matched(&world, &ready).await;
    assert_eq!((stored.settled, stored.foreign["other"]), (Money::new(1_000), 1));
    // Looked at again, only what still waits is left: nothing is counted twice.
    let (again, _) = match_all(world.pool(), 0, &world.means()).await.unwrap();
    assert_eq!((again.settled, again.foreign.len()), (Money::ZERO, 0));
    assert_eq!(count_pending(world.pool()).await.unwrap(), 2);
    let ready = world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, taken(1..2))]).await.ready;
    let stored = matched(&world, &ready).await;
    assert_eq!((stored.settled, stored.foreign["other"]), (Money::new(1_000), 1));
    assert_eq!(count_pending(world.pool()).await.unwrap(), 0);
    world.ends_clean().await;
}

#[tokio::test]
async fn contradictions_and_what_comes_after_the_refund_move_no_money() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 4, 4).await;
    let mut ended = taken(0..2);
    ended.push(outcome(2, Outcome::Expired));
    ended.push(outcome(3, Outcome::Refused(Refusal::Operator)));
    world.flush(ATTEMPTS, &[outcomes(chunk, 4, 1, ended)]).await;
    world.flush(RECEIPTS, &[pushed("magfa", chunk, &[(0, Undelivered), (1, Delivered)])]).await;
    assert_eq!(world.money().await, (9_000, 0));

    // All of it the other way round: recorded, shown, no money.
    let late = [(0, Delivered), (1, Undelivered), (2, Delivered), (3, Delivered)];
    for times in [4, 0] {
        let stored = world.flush(RECEIPTS, &[pushed("magfa", chunk, &late)]).await;
        assert_eq!((stored.late, stored.settled, stored.refunded), (times, Money::ZERO, Money::ZERO));
    }
    assert_eq!(world.statuses(chunk).await, "undelivered delivered expired failed");
    assert_eq!(world.money().await, (9_000, 0));
    world.ends_clean().await;
}

/// Polled and pushed, in one transaction: the delivery wins, whoever says it.
#[tokio::test]
async fn together_with_a_poll_the_delivery_wins() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 2, 2).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, taken(0..2))]).await;
    let polled = receipts(chunk, 1, true, &[(0, Undelivered), (1, Delivered)]);
    let stored =
        world.flush(RECEIPTS, &[polled, pushed("magfa", chunk, &[(0, Delivered), (1, Undelivered)])]).await;
    assert_eq!((stored.settled, stored.late), (Money::new(2_000), 2));
    world.ends_clean().await;
}

#[tokio::test]
async fn what_nobody_knows_is_kept_for_a_while() {
    let world = World::new().await;
    let (hour, day) = (Duration::from_secs(3_600), Duration::from_secs(86_400));
    let unknown = [0, 1].map(|k| pushed("magfa", chunk_id(k), &[(0, Delivered), (255, Undelivered)]));
    let silent = pushed("magfa", chunk_id(2), &[(0, OnTheWay), (1, Receipt::Nothing)]);
    assert_eq!(world.flush(RECEIPTS, &unknown).await.pending, 2);
    assert_eq!(world.flush(RECEIPTS, &[silent]).await.pending, 0, "what says nothing need not wait");
    assert_eq!(drop_old(world.pool(), hour).await.unwrap(), 0);
    let older = "update pending_receipt set at = at - interval '2 hours' where chunk_id = $1";
    sqlx::query(older).bind(chunk_id(0).get()).execute(&**world.pool()).await.unwrap();
    assert_eq!(drop_old(world.pool(), day).await.unwrap(), 0);
    assert_eq!(drop_old(world.pool(), hour).await.unwrap(), 1);
    assert_eq!((count_pending(world.pool()).await.unwrap(), world.money().await), (1, (10_000, 0)));
    world.ends_clean().await;
}

#[tokio::test]
async fn a_position_that_the_chunk_does_not_have_changes_nothing() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 1, 1).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 1, 1, taken(0..1))]).await;
    let stored = world.flush(RECEIPTS, &[pushed("magfa", chunk, &[(7, Delivered), (0, Delivered)])]).await;
    assert_eq!((stored.beyond, stored.pending, stored.settled), (1, 0, Money::new(1_000)));
    world.ends_clean().await;
}

/// Whoever has another connector's secret decides nothing.
#[tokio::test]
async fn receipts_of_another_connector_move_no_money() {
    let world = World::new().await;
    let (known, early, left) = (chunk_id(0), chunk_id(1), chunk_id(2));
    for chunk in [known, early, left] {
        world.hold(chunk, 2, 2).await;
    }
    let both = [(0, Delivered), (1, Undelivered)];
    let foreign =
        |stored: &Stored| stored.foreign.iter().map(|(by, n)| format!("{by} {n}")).collect::<String>();
    // Its connector is known by the operator's ids.
    world.flush(ATTEMPTS, &[outcomes(known, 2, 1, taken(0..2))]).await;
    let stored = world.flush(RECEIPTS, &[pushed("other", known, &both)]).await;
    assert_eq!((foreign(&stored).as_str(), stored.pending, stored.late), ("other 2", 0, 0));
    // Or that only the chunk went by it.
    let unconfirmed = [0, 1].map(|position| outcome(position, Outcome::LeftToReceipt));
    world.flush(ATTEMPTS, &[outcomes(left, 2, 1, unconfirmed.into())]).await;
    assert_eq!(foreign(&world.flush(RECEIPTS, &[pushed("other", left, &both)]).await), "other 2");
    // Or it is known only later.
    assert_eq!(world.flush(RECEIPTS, &[pushed("other", early, &both)]).await.pending, 1);
    let ready = world.flush(ATTEMPTS, &[outcomes(early, 2, 1, taken(0..2))]).await.ready;
    let stored = matched(&world, &ready).await;
    assert_eq!((foreign(&stored).as_str(), count_pending(world.pool()).await.unwrap()), ("other 2", 0));
    assert_eq!(world.money().await, (4_000, 6_000), "nothing moved");

    // The real ones decide.
    let real = [known, left, early].map(|chunk| pushed("magfa", chunk, &both));
    let stored = world.flush(RECEIPTS, &real).await;
    assert_eq!(
        (stored.settled, stored.refunded, stored.foreign.len()),
        (Money::new(3_000), Money::new(3_000), 0)
    );
    // Afterwards it leaves not even a mark.
    let stored = world.flush(RECEIPTS, &[pushed("other", known, &[(0, Undelivered)])]).await;
    assert_eq!((foreign(&stored).as_str(), stored.late), ("other 1", 0));
    world.ends_clean().await;
}

/// Each message by the connector of the attempt that closed it, not by one that refused it.
#[tokio::test]
async fn a_message_belongs_to_the_connector_that_took_it() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 2, 2).await;
    // It gave an id, and no more than that.
    let refused = MessageOutcome { operator_id: "op-1".into(), ..outcome(1, Outcome::Retry) };
    let first = outcomes(chunk, 2, 1, vec![outcome(0, Outcome::Taken), refused]);
    world.flush(ATTEMPTS, &[first]).await;
    let second = samples::outcomes_by("second", chunk, 2, 2, taken(1..2));
    world.flush(ATTEMPTS, &[second]).await;
    let crossed = [pushed("magfa", chunk, &[(1, Delivered)]), pushed("second", chunk, &[(0, Delivered)])];
    let stored = world.flush(RECEIPTS, &crossed).await;
    assert_eq!((stored.settled, stored.foreign.len()), (Money::ZERO, 2));
    let right = [pushed("magfa", chunk, &[(0, Delivered)]), pushed("second", chunk, &[(1, Delivered)])];
    assert_eq!(world.flush(RECEIPTS, &right).await.settled, Money::new(2_000));
    world.ends_clean().await;
}

fn left_to_receipt(positions: std::ops::Range<u8>) -> Vec<MessageOutcome> {
    positions.map(|position| outcome(position, Outcome::LeftToReceipt)).collect()
}

fn unknown(position: u8) -> Vec<MessageOutcome> {
    vec![outcome(position, Outcome::Unknown)]
}

/// The routes were changed in the middle of a chunk: whoever had a message first, took it or may
/// have it, pushes of its own, and only these count.
#[tokio::test]
async fn two_connectors_share_a_chunk() {
    let world = World::new().await;
    let (chunk, late) = (chunk_id(0), chunk_id(1));
    let others = |chunk| {
        [
            samples::outcomes_by("second", chunk, 4, 1, taken(2..3)),
            samples::outcomes_by("second", chunk, 4, 1, left_to_receipt(3..4)),
        ]
    };
    let firsts = |chunk| [outcomes(chunk, 4, 1, taken(0..1)), outcomes(chunk, 4, 1, left_to_receipt(1..2))];
    for chunk in [chunk, late] {
        world.hold(chunk, 4, 4).await;
    }
    let all = [(0, Delivered), (1, Undelivered), (2, Delivered), (3, Delivered)];
    // Of one before the attempts are known, of the other after it; each tells of all messages.
    let early = ["second", "magfa", "forged"].map(|by| pushed(by, late, &all));
    assert_eq!(world.flush(RECEIPTS, &early).await.pending, 3);
    world.flush(ATTEMPTS, &firsts(chunk)).await;
    world.flush(ATTEMPTS, &others(chunk)).await;
    world.flush(ATTEMPTS, &[others(late), firsts(late)].concat()).await;
    let foreign = |stored: &Stored| {
        ["forged", "magfa", "second"].map(|by| stored.foreign.get(by).copied().unwrap_or_default())
    };
    for stored in [
        matched(&world, &[late]).await,
        world.flush(RECEIPTS, &["forged", "magfa", "second"].map(|by| pushed(by, chunk, &all))).await,
    ] {
        assert_eq!((stored.settled, stored.refunded, stored.late), (Money::new(3_000), Money::new(1_000), 0));
        assert_eq!(foreign(&stored), [4, 2, 2]);
    }
    for chunk in [chunk, late] {
        assert_eq!(world.statuses(chunk).await, "delivered undelivered delivered delivered");
    }
    world.ends_clean().await;
}

/// A message that was left to its receipt has no id of the operator's; should its id come after
/// all, it is stored, too.
#[tokio::test]
async fn an_id_that_comes_later_is_kept() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 2, 2).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, left_to_receipt(0..1))]).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 2, 1, taken(0..2))]).await;
    let ids: Vec<String> = world.operator_ids(chunk).await.into_iter().map(|(_, ids)| ids).collect();
    assert_eq!(ids, ["op-0\nop-1", ""]);
    world.flush(RECEIPTS, &[pushed("magfa", chunk, &[(0, Delivered), (1, Delivered)])]).await;
    world.ends_clean().await;
}

/// It may wait for hours to be looked up (its connector stands still, say), and the operator
/// says that it delivered it.
#[tokio::test]
async fn a_delivery_of_what_is_unknown_settles_at_once() {
    let world = World::new().await;
    let chunk = chunk_id(0);
    world.hold(chunk, 3, 3).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 3, 1, unknown(0))]).await;
    // Others decide nothing; that it failed waits, and so does what nobody is known to have.
    assert_eq!(world.flush(RECEIPTS, &[pushed("second", chunk, &[(0, Delivered)])]).await.pending, 1);
    let heard = [(0, Delivered), (1, Delivered)];
    let stored = world.flush(RECEIPTS, &[pushed("magfa", chunk, &heard)]).await;
    assert_eq!((stored.settled, stored.pending), (Money::new(1_000), 1));
    let (stored, _) = match_all(world.pool(), 0, &world.means()).await.unwrap();
    assert_eq!((stored.foreign["second"], stored.late), (1, 0));
    assert_eq!(world.statuses(chunk).await, "delivered queued queued");

    // The delivery was there first, and is found when the attempt is.
    world.flush(ATTEMPTS, &[outcomes(chunk, 3, 1, unknown(1))]).await;
    assert_eq!(match_all(world.pool(), 0, &world.means()).await.unwrap().0.settled, Money::new(1_000));

    // That it failed decides nothing as long as another attempt may follow.
    world.flush(ATTEMPTS, &[outcomes(chunk, 3, 1, unknown(2))]).await;
    assert_eq!(world.flush(RECEIPTS, &[pushed("magfa", chunk, &[(2, Undelivered)])]).await.pending, 1);
    assert_eq!(world.statuses(chunk).await, "delivered delivered queued");

    // Looked up at last: never seen, it says, and others take what it says it delivered. What
    // they say is late; the customer pays once. The third failed by an attempt that is over.
    let never = (0..3).map(|position| outcome(position, Outcome::NotSent)).collect();
    world.flush(ATTEMPTS, &[outcomes(chunk, 3, 1, never)]).await;
    let ready =
        world.flush(ATTEMPTS, &[samples::outcomes_by("second", chunk, 3, 2, taken(0..3))]).await.ready;
    assert_eq!(matched(&world, &ready).await.foreign["magfa"], 1);
    let theirs = [(0, Undelivered), (1, Delivered), (2, Delivered)];
    let stored = world.flush(RECEIPTS, &[pushed("second", chunk, &theirs)]).await;
    assert_eq!((stored.settled, stored.refunded, stored.late), (Money::new(1_000), Money::ZERO, 1));
    assert_eq!(
        (world.statuses(chunk).await.as_str(), world.money().await),
        ("delivered delivered delivered", (7_000, 0))
    );
    world.ends_clean().await;
}

/// Whichever comes first, the delivery or the attempt of another that closes the message, it
/// ends as delivered: the operator may have had it.
#[tokio::test]
async fn a_delivery_of_an_earlier_attempt_counts_whenever_it_comes() {
    let world = World::new().await;
    let (before, after) = (chunk_id(0), chunk_id(1));
    let attempts = |chunk| {
        let never = outcomes(chunk, 1, 1, vec![outcome(0, Outcome::NotSent)]);
        let second = samples::outcomes_by("second", chunk, 1, 2, taken(0..1));
        [outcomes(chunk, 1, 1, unknown(0)), never, second]
    };
    for chunk in [before, after] {
        world.hold(chunk, 1, 1).await;
    }
    world.flush(ATTEMPTS, &attempts(after)).await;
    let delivered = [before, after].map(|chunk| pushed("magfa", chunk, &[(0, Delivered)]));
    world.flush(RECEIPTS, &delivered).await;
    let ready = world.flush(ATTEMPTS, &attempts(before)).await.ready;
    matched(&world, &ready).await;
    for chunk in [before, after] {
        assert_eq!(world.statuses(chunk).await, "delivered");
    }
    world.ends_clean().await;
}

/// What goes on waiting must not keep the others from being found, not even of its own chunk.
#[tokio::test]
async fn all_that_waits_is_looked_through() {
    const WAIT: i64 = 2_100;
    let world = World::new().await;
    let (stuck, missed) = (chunk_id(0), chunk_id(1));
    world.hold(stuck, 3, 3).await;
    world.hold(missed, 1, 1).await;
    world.flush(ATTEMPTS, &[outcomes(stuck, 3, 1, taken(0..1))]).await;
    let waits: Vec<_> = (0..WAIT).map(|_| pushed("magfa", stuck, &[(1, Delivered)])).collect();
    world.flush(RECEIPTS, &waits).await;
    let later = [pushed("magfa", stuck, &[(2, Delivered)]), pushed("magfa", missed, &[(0, Delivered)])];
    world.flush(RECEIPTS, &later).await;
    // A crash before they are matched.
    world.flush(ATTEMPTS, &[outcomes(stuck, 3, 1, taken(2..3)), outcomes(missed, 1, 1, taken(0..1))]).await;
    let (mut after, mut settled) = (Some(0), Money::ZERO);
    while let Some(from) = after {
        let (stored, next) = match_all(world.pool(), from, &world.means()).await.unwrap();
        settled = settled.checked_add(stored.settled).unwrap();
        after = next;
    }
    assert_eq!((settled, count_pending(world.pool()).await.unwrap()), (Money::new(2_000), WAIT));
    world.drop().await;
}

/// A chunk's receipts come by the chunk's partition, polls by the account's: two workers, or
/// two processes, merge into the same rows at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_partition_they_come_by_rows_are_merged_one_after_the_other() {
    const ELSEWHERE: Topic = ("sms.receipts, elsewhere", Stream::Receipts);
    const MESSAGES: u8 = 16;
    let says = |position: u8| if position.is_multiple_of(2) { Delivered } else { Undelivered };
    let world = World::new().await;
    samples::charge(world.pool(), 200_000).await;
    sqlx::query("insert into position (role, topic, partition, epoch) values ('dlr-reconciler', $1, $2, 1)")
        .bind(ELSEWHERE.0)
        .bind(PARTITION)
        .execute(&**world.pool())
        .await
        .unwrap();
    let chunks: Vec<ChunkId> = (0..8).map(chunk_id).collect();
    for chunk in &chunks {
        world.hold(*chunk, MESSAGES.into(), MESSAGES.into()).await;
        world.flush(ATTEMPTS, &[outcomes(*chunk, MESSAGES.into(), 1, taken(0..MESSAGES))]).await;
    }
    // Both tell of every message, in opposite order of chunks and of messages.
    let one = async {
        for position in 0..MESSAGES {
            let polls = chunks.iter().map(|chunk| receipts(*chunk, 1, true, &[(position, says(position))]));
            world.flush(RECEIPTS, &polls.collect::<Vec<_>>()).await;
        }
    };
    let other = async {
        for position in (0..MESSAGES).rev() {
            let heard = [(position, says(position))];
            let pushes = chunks.iter().rev().map(|chunk| pushed("magfa", *chunk, &heard));
            world.flush(ELSEWHERE, &pushes.collect::<Vec<_>>()).await;
        }
    };
    tokio::join!(one, other);
    assert_eq!(world.money().await, (210_000 - 64_000, 0));
    for chunk in &chunks {
        assert_eq!(world.statuses(*chunk).await, ["delivered undelivered"; 8].join(" "));
    }
    world.ends_clean().await;
}
