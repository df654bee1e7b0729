//! On real Postgres: what ends, what does not, and what that does to status and money.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::rows::{Page, page};
use super::rules::Rules;
use super::*;
use crate::flush::tests::world::{ATTEMPTS, BILLED, RECEIPTS, World};
use crate::samples::{MINTED, billed, chunk_id, outcome, outcomes, outcomes_by, pushed, receipts};
use domain::id::ChunkId;
use domain::outcome::{Outcome, Receipt};
use domain::status::Cost;
use ledger::audit::Expect;

/// The chunks' `send_by` is 60 s after they were minted.
const RULES: Rules = Rules { window_ms: 40_000, hard_cap_ms: 100_000 };
/// A little later than `send_by` and the window, in milliseconds after minting.
const OVER: i64 = 100_001;
const CAP: i64 = 200_001;

struct Sweeper {
    world: World,
    process: Uuid,
}

impl Sweeper {
    async fn new() -> Self {
        let sweeper = Sweeper { world: World::new().await, process: Uuid::from_u128(7) };
        sweeper.world.own(sweeper.process).await;
        sweeper
    }

    /// A chunk that an operator took: billed, content and outcomes.
    async fn sent(&self, k: i64, size: u16) -> ChunkId {
        let chunk = chunk_id(k);
        self.world.hold(chunk, size, size).await;
        self.world.flush(BILLED, &[billed(chunk, size, size)]).await;
        self.taken(chunk, size).await;
        chunk
    }

    async fn taken(&self, chunk: ChunkId, size: u16) {
        let taken = (0..u8::try_from(size).unwrap()).map(|position| outcome(position, Outcome::Taken));
        self.world.flush(ATTEMPTS, &[outcomes(chunk, size, 1, taken.collect())]).await;
    }

    /// Sweeps when everything is seen until so many milliseconds after minting.
    async fn sweep(&self, seen: i64) -> Swept {
        let (after, look, take) = (0, 100, 100);
        let (swept, next) = self.sweep_page(seen, after, look, take).await;
        assert_eq!(next, None);
        swept
    }

    async fn sweep_page(&self, seen: i64, after: i64, look: i64, take: i64) -> (Swept, Option<i64>) {
        let pool = self.world.pool();
        let seen = MINTED.plus(seen);
        let next = Page { after, look, take, latest: RULES.latest(seen) };
        let (candidates, next) = pool
            .within(async |connection| {
                let held = crate::holding::all(connection, self.process).await?;
                page(connection, &next, &held).await
            })
            .await
            .unwrap();
        let by = (RULES, |_| Some(seen));
        (sweep(pool, self.process, &self.world.means(), &candidates, by).await.unwrap(), next)
    }
}

fn ended(stored: &Stored) -> u64 {
    stored.ended.iter().sum()
}

#[tokio::test]
async fn what_nobody_answered_ends_and_is_refunded_once() {
    let sweeper = Sweeper::new().await;
    let (world, chunk) = (&sweeper.world, chunk_id(0));
    world.hold(chunk, 5, 4).await;
    world.flush(BILLED, &[billed(chunk, 5, 4)]).await;
    let closed = [Outcome::Taken, Outcome::Taken, Outcome::LeftToReceipt, Outcome::Unknown];
    let closed = (0..).zip(closed).map(|(position, closed)| outcome(position, closed)).collect();
    world.flush(ATTEMPTS, &[outcomes(chunk, 5, 1, closed)]).await;
    world.flush(RECEIPTS, &[receipts(chunk, 1, true, &[(0, Receipt::Delivered)])]).await;
    world.at(700_000).flush(RECEIPTS, &[receipts(chunk, 1, true, &[(1, Receipt::Nothing)])]).await;
    world.heard_of("magfa", OVER).await;

    let swept = world.at(OVER + 500).count("receipt_poll").await;
    assert_eq!(swept, 1);
    let swept = sweeper.sweep(OVER).await;
    assert_eq!((ended(&swept.unanswered), ended(&swept.hard_cap), swept.asked), (2, 0, 0));
    assert_eq!(swept.unanswered.refunded.get(), 2_000);
    // The fourth is unknown: it is the sender's until it is closed.
    assert_eq!(world.statuses(chunk).await, "delivered undelivered undelivered queued refused");
    let states = world.states().await.remove(&chunk).unwrap();
    let state = domain::status::MessageState::from_bytes(states[16..32].try_into().unwrap()).unwrap();
    assert_eq!(state.reason().as_str(), Some("unconfirmed"));
    assert_eq!(state.final_after(), Some(u32::try_from(OVER).unwrap() + 500));
    assert_eq!((world.money().await, world.poll(chunk).await), ((8_000, 1_000), None));
    assert_eq!(world.hours().await, "delivered 1, refused 1, submitted 5, undelivered 2");
    assert_eq!(ended(&sweeper.sweep(CAP).await.unanswered), 0, "once");
    world.is_clean(Expect::Traffic).await;

    // The sender closes it at last, and nobody answers that either.
    world.flush(ATTEMPTS, &[outcomes(chunk, 5, 1, vec![outcome(3, Outcome::LeftToReceipt)])]).await;
    assert_eq!(ended(&sweeper.sweep(OVER).await.unanswered), 1);
    assert_eq!(world.money().await, (9_000, 0));
    sweeper.world.ends_clean().await;
}

#[tokio::test]
async fn not_before_everything_is_seen() {
    let sweeper = Sweeper::new().await;
    let chunk = sweeper.sent(0, 1).await;
    sweeper.world.heard_of("magfa", CAP).await;
    assert_eq!(ended(&sweeper.sweep(OVER - 1).await.unanswered), 0);
    assert_eq!(sweeper.world.statuses(chunk).await, "sent");
    assert_eq!(ended(&sweeper.sweep(OVER).await.unanswered), 1);
    sweeper.world.ends_clean().await;
}

#[tokio::test]
async fn not_before_its_connectors_were_heard_of() {
    let sweeper = Sweeper::new().await;
    let chunk = sweeper.sent(0, 2).await;
    assert_eq!(sweeper.world.poll(chunk).await, Some(("0,1".into(), Some(60_000))));
    let silent = async || {
        let swept = sweeper.sweep(CAP - 1).await;
        ended(&swept.unanswered) + ended(&swept.hard_cap) == 0
    };
    assert!(silent().await, "never");
    sweeper.world.heard_of("magfa", OVER - 1).await;
    assert!(silent().await, "not lately");
    sweeper.world.heard_of("magfa", OVER).await;
    sqlx::query(
        "insert into chunk_operator_ids values ($1, 2, 1, 'another', '\\x01', 'id-of-a-second-attempt')",
    )
    .bind(chunk.get())
    .execute(&**sweeper.world.pool())
    .await
    .unwrap();
    assert!(silent().await, "not the second");
    sweeper.world.heard_of("another", OVER - 1).await;
    assert!(silent().await, "the second not lately");
    sweeper.world.heard_of("another", OVER).await;
    assert!(!silent().await);
    sweeper.world.ends_clean().await;
}

/// The routes were changed in the middle of it. One operator's answers say nothing of what the
/// other has; who has nothing open any more is not waited for.
#[tokio::test]
async fn not_before_each_connector_with_open_messages_was_heard_of() {
    let sweeper = Sweeper::new().await;
    let (world, chunk) = (&sweeper.world, chunk_id(0));
    world.hold(chunk, 3, 3).await;
    world.flush(BILLED, &[billed(chunk, 3, 3)]).await;
    world.flush(ATTEMPTS, &[outcomes(chunk, 3, 1, vec![outcome(0, Outcome::Taken)])]).await;
    let left = vec![outcome(1, Outcome::LeftToReceipt)];
    world.flush(ATTEMPTS, &[outcomes_by("second", chunk, 3, 1, left)]).await;
    let gone = vec![outcome(2, Outcome::Taken)];
    world.flush(ATTEMPTS, &[outcomes_by("gone", chunk, 3, 1, gone)]).await;
    world.flush(RECEIPTS, &[pushed("gone", chunk, &[(2, Receipt::Delivered)])]).await;
    for (heard, at) in [("magfa", OVER), ("second", OVER - 1)] {
        world.heard_of(heard, at).await;
        assert_eq!(ended(&sweeper.sweep(CAP - 1).await.unanswered), 0);
    }
    world.heard_of("second", OVER).await;
    assert_eq!(ended(&sweeper.sweep(OVER).await.unanswered), 2);
    assert_eq!(world.statuses(chunk).await, "undelivered undelivered delivered");
    sweeper.world.ends_clean().await;
}

/// Hours of an outage of ours: nothing was asked. The first answer shows that the operator is
/// well, and says nothing yet of the others.
#[tokio::test]
async fn not_before_it_was_asked_about_what_is_due() {
    let sweeper = Sweeper::new().await;
    let (world, [first, second]) = (&sweeper.world, [0, 1].map(chunk_id));
    for k in 0..2 {
        sweeper.sent(k, 1).await;
    }
    world.heard_of("magfa", CAP).await;
    world.at(700_000).flush(RECEIPTS, &[receipts(first, 1, true, &[(0, Receipt::Nothing)])]).await;
    let swept = sweeper.sweep(CAP - 1).await;
    assert_eq!((ended(&swept.unanswered), ended(&swept.hard_cap), swept.asked), (1, 0, 0));
    assert_eq!(world.statuses(second).await, "sent");
    world.flush(RECEIPTS, &[receipts(second, 1, true, &[(0, Receipt::Delivered)])]).await;
    assert_eq!(world.money().await, (9_000, 0));
    sweeper.world.ends_clean().await;
}

#[tokio::test]
async fn not_before_its_content_is_there() {
    let sweeper = Sweeper::new().await;
    let chunk = chunk_id(0);
    sweeper.world.hold(chunk, 1, 1).await;
    sweeper.taken(chunk, 1).await;
    sweeper.world.heard_of("magfa", CAP * 1_000_000).await;
    assert_eq!(ended(&sweeper.sweep(rules::SEND_BY_MAX_MS).await.unanswered), 0);
    sweeper.world.flush(BILLED, &[billed(chunk, 1, 1)]).await;
    assert_eq!(ended(&sweeper.sweep(OVER).await.unanswered), 1);
    sweeper.world.ends_clean().await;
}

#[tokio::test]
async fn not_while_receipts_wait_to_be_taken_in() {
    let sweeper = Sweeper::new().await;
    let chunk = chunk_id(0);
    sweeper.world.hold(chunk, 1, 1).await;
    sweeper.world.flush(RECEIPTS, &[receipts(chunk, 1, false, &[(0, Receipt::Delivered)])]).await;
    sweeper.world.flush(BILLED, &[billed(chunk, 1, 1)]).await;
    sweeper.taken(chunk, 1).await;
    sweeper.world.heard_of("magfa", CAP * 2).await;
    let swept = sweeper.sweep(CAP * 2).await;
    assert_eq!(ended(&swept.unanswered) + ended(&swept.hard_cap), 0);
    crate::flush::match_chunks(sweeper.world.pool(), &[chunk], &sweeper.world.means()).await.unwrap();
    assert_eq!(sweeper.world.statuses(chunk).await, "delivered");
    sweeper.world.ends_clean().await;
}

#[tokio::test]
async fn not_by_one_who_does_not_hold_the_partition() {
    let sweeper = Sweeper::new().await;
    let chunk = sweeper.sent(0, 1).await;
    sweeper.world.heard_of("magfa", OVER).await;
    sweeper.world.own(Uuid::from_u128(8)).await;
    assert_eq!(ended(&sweeper.sweep(OVER).await.unanswered), 0);
    // Nor by one who held it when it looked.
    let late = Unanswered {
        chunk,
        partition: crate::flush::tests::world::PARTITION,
        messages: domain::bits::Bits::prefix(1),
    };
    let (pool, means) = (sweeper.world.pool(), sweeper.world.means());
    let stored = end_unanswered(pool, sweeper.process, &[late], &means).await.unwrap();
    assert_eq!((ended(&stored), sweeper.world.statuses(chunk).await.as_str()), (0, "sent"));
    sweeper.world.drop().await;
}

#[tokio::test]
async fn the_hard_cap_ends_what_cannot_be_known() {
    let sweeper = Sweeper::new().await;
    let silent = sweeper.sent(0, 1).await;
    let unrecorded = chunk_id(1);
    sweeper.world.hold(unrecorded, 1, 1).await;
    sweeper.taken(unrecorded, 1).await;
    assert_eq!(ended(&sweeper.sweep(CAP - 1).await.hard_cap), 0);
    let swept = sweeper.sweep(CAP).await;
    assert_eq!((ended(&swept.unanswered), ended(&swept.hard_cap)), (0, 1));
    assert_eq!(sweeper.world.statuses(silent).await, "undelivered");
    // Its `send_by` is not known: the latest that there is counts.
    let latest = rules::SEND_BY_MAX_MS + RULES.window_ms + RULES.hard_cap_ms;
    assert_eq!(ended(&sweeper.sweep(latest).await.hard_cap), 0);
    assert_eq!(ended(&sweeper.sweep(latest + 1).await.hard_cap), 1);
    sweeper.world.ends_clean().await;
}

#[tokio::test]
async fn a_silent_connector_is_asked_about_one_of_its_chunks() {
    let sweeper = Sweeper::new().await;
    let (world, [first, second]) = (&sweeper.world, [0, 1].map(chunk_id));
    for k in 0..2 {
        sweeper.sent(k, 1).await;
    }
    assert_eq!(sweeper.sweep(OVER).await.asked, 0, "they will be asked about anyway");
    // Asked about for the last time: the schedule is over.
    for chunk in [first, second] {
        world.at(700_000).flush(RECEIPTS, &[receipts(chunk, 1, true, &[(0, Receipt::Nothing)])]).await;
        assert_eq!(world.poll(chunk).await, Some(("0".into(), None)));
    }
    assert_eq!(sweeper.sweep(OVER - 1).await.asked, 0, "not yet over");
    assert_eq!(sweeper.sweep(OVER).await.asked, 1);
    assert!(world.poll(first).await.unwrap().1.is_some());
    assert_eq!(world.poll(second).await, Some(("0".into(), None)));
    world.heard_of("magfa", OVER).await;
    let swept = sweeper.sweep(OVER).await;
    assert_eq!((ended(&swept.unanswered), swept.asked), (2, 0));
    sweeper.world.ends_clean().await;
}

/// Each silent connector is asked about a chunk that it has an open message of, with an id.
#[tokio::test]
async fn each_silent_connector_is_asked_about_its_own() {
    let sweeper = Sweeper::new().await;
    let world = &sweeper.world;
    let chunks: Vec<ChunkId> = (0..4).map(chunk_id).collect();
    // By both, and the second cannot be asked; by the first; by the second; by both again.
    let second = [Some(Outcome::LeftToReceipt), None, Some(Outcome::Taken), Some(Outcome::Taken)];
    for (chunk, second) in chunks.iter().zip(second) {
        world.hold(*chunk, 2, 2).await;
        world.flush(BILLED, &[billed(*chunk, 2, 2)]).await;
        world.flush(ATTEMPTS, &[outcomes(*chunk, 2, 1, vec![outcome(0, Outcome::Taken)])]).await;
        let closed = second.unwrap_or(Outcome::Expired);
        world.flush(ATTEMPTS, &[outcomes_by("second", *chunk, 2, 1, vec![outcome(1, closed)])]).await;
        let heard = [(0, Receipt::Nothing)];
        world.at(700_000).flush(RECEIPTS, &[receipts(*chunk, 1, true, &heard)]).await;
    }
    world.flush(RECEIPTS, &[receipts(chunks[2], 1, false, &[(0, Receipt::Delivered)])]).await;
    world.at(700_000).flush(RECEIPTS, &[receipts(chunks[2], 1, true, &[(1, Receipt::Nothing)])]).await;
    world.heard_of("magfa", OVER).await;
    assert_eq!(sweeper.sweep(OVER).await.asked, 1);
    let mut due = Vec::new();
    for chunk in &chunks {
        due.push(world.poll(*chunk).await.is_some_and(|(_, due)| due.is_some()));
    }
    assert_eq!(due, [false, false, true, false], "the first that the second has an id of");
    sweeper.world.drop().await;
}

#[tokio::test]
async fn a_receipt_after_the_sweep_is_late_and_moves_no_money() {
    let sweeper = Sweeper::new().await;
    let (world, chunk) = (&sweeper.world, sweeper.sent(0, 2).await);
    world.heard_of("magfa", OVER).await;
    sweeper.sweep(OVER).await;
    let money = world.money().await;
    assert_eq!(money, (10_000, 0));
    let both = [receipts(chunk, 1, false, &[(0, Receipt::Delivered), (1, Receipt::Undelivered)])];
    for late in [1, 0] {
        let stored = world.flush(RECEIPTS, &both).await;
        assert_eq!((stored.late, stored.settled.get(), stored.refunded.get()), (late, 0, 0));
    }
    assert_eq!(
        (world.statuses(chunk).await.as_str(), world.money().await),
        ("undelivered undelivered", money)
    );
    sweeper.world.ends_clean().await;
}

/// Two sweeps and a receipt meet at the same rows: one of them decides, once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_in_the_same_moment_wins_or_is_late() {
    let sweeper = Sweeper::new().await;
    let world = &sweeper.world;
    for k in 0..8 {
        sweeper.sent(k, 1).await;
    }
    world.heard_of("magfa", OVER).await;
    let delivered: Vec<_> =
        (0..8).map(|k| receipts(chunk_id(k), 1, false, &[(0, Receipt::Delivered)])).collect();
    let receipts = async {
        let mut late = 0;
        for receipt in &delivered {
            late += world.flush(RECEIPTS, std::slice::from_ref(receipt)).await.late;
        }
        late
    };
    let (late, one, other) = tokio::join!(receipts, sweeper.sweep(OVER), sweeper.sweep(OVER));
    let swept = ended(&one.unanswered) + ended(&other.unanswered);
    assert_eq!(late, swept, "what was swept first is late");
    let statuses: Vec<String> = all_statuses(world).await;
    let undelivered = statuses.iter().filter(|status| *status == "undelivered").count() as u64;
    assert_eq!(undelivered, swept);
    assert_eq!(world.money().await, (2_000 + 1_000 * i64::try_from(swept).unwrap(), 0));
    sweeper.world.ends_clean().await;
}

async fn all_statuses(world: &World) -> Vec<String> {
    let mut statuses = Vec::new();
    for k in 0..8 {
        statuses.push(world.statuses(chunk_id(k)).await);
    }
    statuses
}

#[tokio::test]
async fn pages_go_through_all_of_them() {
    let sweeper = Sweeper::new().await;
    for k in 0..7 {
        sweeper.sent(k, 1).await;
    }
    sweeper.world.heard_of("magfa", OVER).await;
    // Too young: none of them is looked at.
    assert_eq!(sweeper.sweep_page(0, 0, 3, 10).await.1, None);
    let (first, next) = sweeper.sweep_page(OVER, 0, 3, 10).await;
    assert_eq!((ended(&first.unanswered), next), (3, Some(chunk_id(2).get())));
    // More than fit into one transaction: the next page begins behind these.
    let (second, next) = sweeper.sweep_page(OVER, chunk_id(2).get(), 3, 2).await;
    assert_eq!((ended(&second.unanswered), next), (2, Some(chunk_id(4).get())));
    let (third, next) = sweeper.sweep_page(OVER, chunk_id(4).get(), 3, 10).await;
    assert_eq!((ended(&third.unanswered), next), (2, None));
    sweeper.world.ends_clean().await;
}

/// The table may say otherwise: then the customer pays. What was decided stands when it changes.
#[tokio::test]
async fn what_it_costs_is_asked_when_it_ends() {
    let mut sweeper = Sweeper::new().await;
    let (first, second) = (sweeper.sent(0, 1).await, sweeper.sent(1, 2).await);
    sweeper.world.heard_of("magfa", OVER).await;
    sweeper.world.flush(RECEIPTS, &[receipts(second, 1, false, &[(0, Receipt::Undelivered)])]).await;
    assert_eq!(sweeper.world.money().await, (8_000, 2_000), "refunded by default");
    sweeper.world.costs.undelivered = Cost::Paid;
    let swept = sweeper.sweep(OVER).await;
    assert_eq!((swept.unanswered.settled.get(), swept.unanswered.refunded.get()), (2_000, 0));
    assert_eq!(sweeper.world.statuses(first).await, "undelivered");
    sweeper.world.costs.undelivered = Cost::Refunded;
    let again = [receipts(first, 1, false, &[(0, Receipt::Undelivered)])];
    let stored = sweeper.world.flush(RECEIPTS, &again).await;
    assert_eq!((stored.refunded.get(), sweeper.world.money().await), (0, (8_000, 0)));
    sweeper.world.ends_clean().await;
}
