//! The tables on real Postgres.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::letters::{self, Dead, Letter, Which};
use super::*;
use crate::scan::Attempted;
use bytes::Bytes;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::time::UnixMillis;
use platform::ownership::clock;
use sqlx::PgConnection;
use testkit::postgres::Schema;

fn id(number: i64) -> ChunkId {
    ChunkId::new(number << 30).unwrap()
}

/// A chunk of which two messages wait until so many milliseconds from now.
fn row(number: i64, in_ms: i64, why: Why) -> Row {
    let due = clock::unix_now().plus(in_ms);
    let waiting = |position| Waiting {
        position,
        attempt: 3,
        tries: 2,
        questions: 1,
        why,
        code: 31,
        due,
        attempted: Some(Attempted { by: "magfa".into(), at: UnixMillis(7) }),
    };
    Row {
        chunk: id(number),
        account: 7,
        campaign: 0,
        offset: number * 10,
        send_by: clock::unix_now().plus(3_600_000),
        record: Bytes::from(vec![1; 10]),
        messages: vec![waiting(1), waiting(4)],
    }
}

async fn keep(connection: &mut PgConnection, rows: &[(i32, &Row)]) {
    let changes = Changes { keep: rows.to_vec(), ..Changes::default() };
    change(connection, Lane::Bulk, &changes).await.unwrap();
}

async fn due_now(connection: &mut PgConnection, in_hand: &[ChunkId], most: usize) -> Vec<ChunkId> {
    let looked = Looked { in_hand, most, over: 9, ..Looked::default() };
    let due = due(connection, Lane::Bulk, &[0, 1], looked).await.unwrap();
    due.rows.into_iter().map(|(_, row)| row.chunk).collect()
}

#[tokio::test]
async fn what_is_kept_comes_back_when_it_is_due() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    let (one, two, three) =
        (row(1, -2_000, Why::Retry), row(2, -3_000, Why::LookUp), row(3, 60_000, Why::Retry));
    let expired = Row { send_by: clock::unix_now().plus(-1), ..row(4, -1, Why::Dead) };
    keep(&mut connection, &[(0, &one), (1, &two), (0, &three), (1, &expired), (2, &row(5, -1, Why::Retry))])
        .await;
    // What expires comes first, then what is due longest; not what is in hand or another's.
    assert_eq!(due_now(&mut connection, &[], 9).await, [id(4), id(2), id(1)]);
    assert_eq!(due_now(&mut connection, &[id(2)], 1).await, [id(4), id(1)]);
    assert_eq!(of_chunks(&mut connection, &[id(1), id(9)]).await.unwrap(), [(0, one)]);
    let there = Ahead { offset: 30, chunk: id(3), ended: false };
    assert_eq!(ahead(&mut connection, Lane::Bulk, 0, 20).await.unwrap(), [there]);
    // Each kind has a bound of its own: what is over does not stand before what is not.
    let of = |most, over| Looked { most, over, ..Looked::default() };
    let both = due(&mut connection, Lane::Bulk, &[0, 1], of(1, 1)).await.unwrap().rows;
    assert_eq!(both.into_iter().map(|(_, row)| row.chunk).collect::<Vec<_>>(), [id(4), id(2)]);
    let rest = due(&mut connection, Lane::Bulk, &[0, 1], of(9, 0)).await.unwrap().rows;
    assert_eq!(rest.into_iter().map(|(_, row)| row.chunk).collect::<Vec<_>>(), [id(2), id(1)]);
    // Another lane has nothing.
    assert!(due(&mut connection, Lane::Express, &[0, 1], of(9, 9)).await.unwrap().rows.is_empty());
    drop(connection);
    schema.drop().await;
}

/// One row that cannot be read does not keep the others from what they wait for.
#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    keep(&mut connection, &[(0, &row(1, -1, Why::Retry)), (1, &row(2, -1, Why::Retry))]).await;
    let spoil = "update deferred set messages = '\\x63' where chunk_id = $1";
    sqlx::query(spoil).bind(id(1).get()).execute(schema.pool()).await.unwrap();
    let looked = Looked { most: 9, over: 9, ..Looked::default() };
    let due = due(&mut connection, Lane::Bulk, &[0, 1], looked).await.unwrap();
    assert_eq!(due.rows.iter().map(|(_, row)| row.chunk).collect::<Vec<_>>(), [id(2)]);
    assert_eq!(due.unreadable, [(0, id(1).get())]);
    // A new holder that cannot read what was attempted does not begin.
    assert!(of_chunks(&mut connection, &[id(1)]).await.is_err());
    drop(connection);
    schema.drop().await;
}

#[tokio::test]
async fn rows_are_rewritten_deleted_and_counted() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    let first = row(1, -1, Why::Retry);
    keep(&mut connection, &[(0, &first), (0, &row(2, -1, Why::Dead))]).await;
    let counted = stock(&mut connection, Lane::Bulk, &[0, 1]).await.unwrap();
    assert_eq!(counted, [(0, Stock { rows: 2, octets: 20, dead: 1 })].into());
    let later = Row { messages: row(1, 5_000, Why::Dead).messages, ..first };
    keep(&mut connection, &[(0, &later)]).await;
    assert_eq!(of_chunks(&mut connection, &[id(1)]).await.unwrap(), [(0, later)]);
    let done = Changes { delete: vec![id(1), id(2)], ..Changes::default() };
    change(&mut connection, Lane::Bulk, &done).await.unwrap();
    assert!(stock(&mut connection, Lane::Bulk, &[0, 1]).await.unwrap().is_empty());
    drop(connection);
    schema.drop().await;
}

/// A row that only says that its chunk has ended: never due, and without what was to be sent.
#[tokio::test]
async fn what_ended_is_remembered_without_its_text() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    let waiting = row(1, -1, Why::Retry);
    keep(&mut connection, &[(0, &waiting)]).await;
    let ended = Row { messages: vec![], record: Bytes::new(), ..waiting };
    keep(&mut connection, &[(0, &ended)]).await;
    assert!(due_now(&mut connection, &[], 9).await.is_empty());
    let there = Ahead { offset: 10, chunk: id(1), ended: true };
    assert_eq!(ahead(&mut connection, Lane::Bulk, 0, 0).await.unwrap(), [there]);
    assert_eq!(of_chunks(&mut connection, &[id(1)]).await.unwrap(), [(0, ended)]);
    drop(connection);
    schema.drop().await;
}

#[tokio::test]
async fn people_see_dead_letters_and_order() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    let mut mixed = row(2, -1, Why::Dead);
    mixed.messages[0].why = Why::Retry;
    mixed.messages[1].code = 0;
    keep(&mut connection, &[(0, &row(1, -1, Why::Dead)), (1, &mixed), (0, &row(3, -1, Why::Retry))]).await;
    let all = letters::list(&mut connection, &Which::default(), 0, 1).await.unwrap();
    assert_eq!(all.iter().map(|letter| letter.chunk).collect::<Vec<_>>(), [id(1)]);
    let all = letters::list(&mut connection, &Which::default(), 0, 9).await.unwrap();
    assert_eq!(all.iter().map(|letter| letter.chunk).collect::<Vec<_>>(), [id(1), id(2)]);
    let of =
        async |which: Which| letters::list(&mut schema.pool().acquire().await.unwrap(), &which, 0, 9).await;
    assert_eq!(of(Which { code: Some(0), ..Which::default() }).await.unwrap().len(), 1);
    assert_eq!(of(Which { account: Some(8), ..Which::default() }).await.unwrap().len(), 0);
    assert_eq!(of(Which { lane: Some("express".into()), ..Which::default() }).await.unwrap().len(), 0);
    let waiting = of(Which { waiting: true, ..Which::default() }).await.unwrap();
    assert_eq!(waiting.iter().map(|letter| letter.chunk).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
    let counts = |letter: &Letter| (letter.dead.len(), letter.retried.count, letter.asked_about.count);
    assert_eq!(waiting.iter().map(counts).collect::<Vec<_>>(), [(2, 0, 0), (1, 1, 0), (0, 2, 0)]);
    assert_eq!(all[1].dead, [(4, Dead { code: 0, attempts: 3 })].into());
    assert!(letters::find(&mut connection, id(3)).await.unwrap().unwrap().dead.is_empty());
    assert!(letters::find(&mut connection, id(4)).await.unwrap().is_none());

    let both: Vec<(&Letter, Bits)> = all.iter().map(|letter| (letter, letter.of_code(None))).collect();
    letters::order(&mut connection, &both, Verb::Requeue, "someone").await.unwrap();
    let ordered = orders(&mut connection, Lane::Bulk, &[0], &[], true, 9).await.unwrap();
    let [order] = &ordered[..] else { panic!("one order in this partition, not {ordered:?}") };
    assert_eq!((order.chunk, order.verb), (id(1), Verb::Requeue));
    assert_eq!(order.messages, [1, 4].into_iter().collect::<Bits>());
    let found = letters::find(&mut connection, id(1)).await.unwrap().unwrap();
    assert_eq!((found.requeued, found.dropped), (order.messages, Bits::EMPTY));
    let done = Changes { carried_out: vec![order.id], ..Changes::default() };
    change(&mut connection, Lane::Bulk, &done).await.unwrap();
    assert!(orders(&mut connection, Lane::Bulk, &[0], &[], true, 9).await.unwrap().is_empty());
    assert_eq!(orders(&mut connection, Lane::Bulk, &[1], &[], true, 9).await.unwrap().len(), 1);
    drop(connection);
    schema.drop().await;
}

#[test]
fn the_bounds_of_a_partition() {
    let stock = Stock { rows: 8, octets: 100, dead: 0 };
    assert_eq!((stock.room(10, 101), stock.room(10, 100), stock.room(8, 101)), (2, 0, 0));
    let mut stock = stock;
    let rows = [(id(1), Some(row(1, 0, Why::Retry))), (id(2), Some(row(2, 0, Why::Retry))), (id(3), None)];
    // The second had its row before.
    stock.changed(&rows.into(), &[id(1)].into());
    assert_eq!((stock.rows, stock.octets), (8, 110));
}

/// What waits for the morning has a bound of its own, and is due as soon as it is day; what is
/// cancelled is due at once, but not what an operator is asked about.
#[tokio::test]
async fn the_night_and_the_cancelled_have_rules_of_their_own() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    let of = |campaign, row| Row { campaign, ..row };
    let rows = [
        row(1, -9_000, Why::Quiet),
        of(5, row(2, 60_000, Why::Quiet)),
        row(3, -1_000, Why::Retry),
        of(5, row(4, 60_000, Why::Retry)),
        of(5, row(5, 60_000, Why::LookUp)),
        of(6, row(6, 60_000, Why::Retry)),
    ];
    keep(&mut connection, &rows.iter().map(|row| (0, row)).collect::<Vec<_>>()).await;
    let mut seen = async |looked| {
        let due = due(&mut connection, Lane::Bulk, &[0], looked).await.unwrap();
        due.rows.into_iter().map(|(_, row)| row.chunk.get() >> 30).collect::<Vec<_>>()
    };
    let looked = Looked { most: 9, over: 9, quiet: 9, ..Looked::default() };
    assert_eq!(seen(looked).await, [3, 1]);
    assert_eq!(seen(Looked { quiet: 0, ..looked }).await, [3]);
    assert_eq!(seen(Looked { day: true, ..looked }).await, [3, 1, 2]);
    assert_eq!(seen(Looked { canceled: &[5], ..looked }).await, [3, 1, 2, 4]);
    // Once the rest of it is only asked about, its row says so.
    let asked = of(5, row(4, 60_000, Why::LookUp));
    drop(connection);
    let mut connection = schema.pool().acquire().await.unwrap();
    keep(&mut connection, &[(0, &asked)]).await;
    let looked = Looked { most: 9, canceled: &[5], ..Looked::default() };
    let due = due(&mut connection, Lane::Bulk, &[0], looked).await.unwrap();
    assert_eq!(due.rows.iter().map(|(_, row)| row.chunk).collect::<Vec<_>>(), [id(3), id(2)]);
    drop(connection);
    schema.drop().await;
}
