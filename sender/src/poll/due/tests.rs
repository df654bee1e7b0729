#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::poll::places::{Limits, Places};
use sqlx::PgPool;
use std::collections::BTreeSet;
use testkit::postgres::Schema;

/// Rows of a lane and partition, `count` from `chunk` on, due so many microseconds from now
/// and each `apart` later than the one before.
struct Rows {
    lane: Lane,
    partition: i32,
    chunk: i64,
    count: i64,
    due_us: i64,
    apart_us: i64,
}

const SECOND: i64 = 1_000_000;

async fn insert(pool: &PgPool, rows: Rows) {
    sqlx::query(
        "insert into receipt_poll (chunk_id, lane, partition, connector, open, first_at, due)
         select 256 * ($3 + n), $1, $2, 'magfa', (B'101')::bit(256), now(),
                now() + ($5 + n * $6) * interval '1 microsecond'
         from generate_series(0, $4 - 1) as n",
    )
    .bind(rows.lane.as_str())
    .bind(rows.partition)
    .bind(rows.chunk)
    .bind(rows.count)
    .bind(rows.due_us)
    .bind(rows.apart_us)
    .execute(pool)
    .await
    .unwrap();
}

fn rows(partition: i32, chunk: i64, count: i64) -> Rows {
    Rows { lane: Lane::Bulk, partition, chunk, count, due_us: -SECOND, apart_us: 1 }
}

async fn read(schema: &Schema, behind: &[(i32, Place)], most: usize) -> BTreeMap<i32, Vec<Due>> {
    let mut connection = schema.pool().acquire().await.unwrap();
    page(&mut connection, Lane::Bulk, behind, most, &["magfa".into()]).await.unwrap()
}

/// Chunks (their numbers) in the order in which pages of `most` bring them, by partition.
async fn walk(schema: &Schema, partitions: &[i32], most: usize) -> BTreeMap<i32, Vec<i64>> {
    let mut found: BTreeMap<i32, Vec<i64>> = BTreeMap::new();
    let mut behind: Vec<_> = partitions.iter().map(|partition| (*partition, Place::START)).collect();
    while !behind.is_empty() {
        let pages = read(schema, &behind, most).await;
        behind.clear();
        for (partition, page) in pages {
            assert!(page.len() <= most);
            let found = found.entry(partition).or_default();
            found.extend(page.iter().map(|due| due.place.chunk / 256));
            assert!(found.len() < 100, "the walk goes in circles: {found:?}");
            behind.push((partition, page.last().unwrap().place));
        }
    }
    found
}

#[tokio::test]
async fn pages_bring_each_due_row_once_and_in_order() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let pool = schema.pool();
    insert(pool, rows(0, 10, 7)).await;
    // All due at the same time.
    insert(pool, Rows { apart_us: 0, ..rows(1, 20, 5) }).await;
    insert(pool, rows(2, 30, 1)).await;
    // Earlier, although of a later chunk.
    insert(pool, Rows { due_us: -2 * SECOND, ..rows(0, 40, 2) }).await;
    // Not due; of another lane; of a partition that is not asked for.
    insert(pool, Rows { due_us: 3_600 * SECOND, ..rows(0, 50, 3) }).await;
    insert(pool, Rows { lane: Lane::Express, ..rows(0, 60, 3) }).await;
    insert(pool, rows(3, 70, 3)).await;
    insert(pool, rows(1, 80, 1)).await;
    sqlx::query("update receipt_poll set due = 'infinity' where chunk_id = 80 * 256")
        .execute(pool)
        .await
        .unwrap();

    let expected = BTreeMap::from([
        (0, vec![40, 41, 10, 11, 12, 13, 14, 15, 16]),
        (1, vec![20, 21, 22, 23, 24]),
        (2, vec![30]),
    ]);
    for most in [1, 2, 5, 100] {
        assert_eq!(walk(&schema, &[0, 1, 2], most).await, expected, "{most} a page");
    }
    let open = read(&schema, &[(2, Place::START)], 9).await.remove(&2).unwrap()[0].open;
    assert_eq!(open.iter().collect::<Vec<_>>(), [0, 2]);
    assert!(read(&schema, &[], 9).await.is_empty());
    schema.drop().await;
}

/// A walk by pages while rows move: each is asked about once for each due time.
#[tokio::test]
async fn rows_whose_due_time_moves_are_asked_once_each_time() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let pool = schema.pool();
    insert(pool, rows(0, 10, 6)).await;
    let limits = Limits { asked_max: 100, again_after_ms: 1_000, from_start_ms: 0 };
    let mut places = Places::new(limits);
    let held = BTreeSet::from([0]);
    let mut asked = Vec::new();
    for round in 0..5_i32 {
        places.begin(&held, 0);
        while places.is_open() {
            let page = read(&schema, &places.open(), 2).await.remove(&0).unwrap_or_default();
            let page: Vec<Place> = page.iter().map(|due| due.place).collect();
            asked.extend(places.take(0, &page, page.len() == 2, 0).iter().map(|place| place.chunk / 256));
            if asked.len() == 2 {
                // In the middle of the first look: an answer moves a row already passed to
                // where the look will come again, and another row is no more.
                let moved = "update receipt_poll set due = now() - interval '1 millisecond' where chunk_id = 10 * 256";
                sqlx::query(moved).execute(pool).await.unwrap();
                sqlx::query("delete from receipt_poll where chunk_id = 12 * 256")
                    .execute(pool)
                    .await
                    .unwrap();
            }
        }
        if round == 1 {
            // Set to a time that is past already when it is committed.
            insert(pool, Rows { due_us: -3_600 * SECOND, ..rows(0, 30, 1) }).await;
        }
    }
    assert_eq!(asked, [10, 11, 13, 14, 15, 10, 30]);
    // Who begins anew asks for all that is due.
    let mut anew = Places::new(limits);
    anew.begin(&held, 0);
    let all: Vec<Place> =
        read(&schema, &anew.open(), 9).await.remove(&0).unwrap().iter().map(|due| due.place).collect();
    assert_eq!(anew.take(0, &all, false, 0).len(), 6);
    schema.drop().await;
}

#[tokio::test]
async fn only_those_of_connectors_that_may_be_asked() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    insert(schema.pool(), rows(0, 1, 3)).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    for (answering, found) in [("other", 0), ("magfa", 3)] {
        let behind = [(0, Place::START)];
        let pages = page(&mut connection, Lane::Bulk, &behind, 9, &[answering.to_owned()]).await.unwrap();
        assert_eq!(pages.values().map(Vec::len).sum::<usize>(), found, "{answering} may be asked");
    }
    drop(connection);
    schema.drop().await;
}

#[tokio::test]
async fn operators_ids_come_with_attempt_and_position() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    for (chunk, attempt, positions, ids) in
        [(256_i64, 1_i16, &[0_u8, 2][..], "a\nb"), (256, 2, &[1], "c"), (512, 1, &[5, 6], "\nd")]
    {
        sqlx::query("insert into chunk_operator_ids values ($1, $2, $3, 'magfa', $4, $5)")
            .bind(chunk)
            .bind(attempt)
            .bind(i16::from(positions[0]))
            .bind(positions)
            .bind(ids)
            .execute(schema.pool())
            .await
            .unwrap();
    }
    let mut connection = schema.pool().acquire().await.unwrap();
    let mut ids = operator_ids(&mut connection, vec![256, 512, 768]).await.unwrap();
    drop(connection);
    let of = |id: &str, attempt, position| {
        let (id, connector) = (id.to_owned(), "magfa".into());
        OperatorId { id, connector, attempt, position }
    };
    ids.get_mut(&256).unwrap().sort_by(|a, b| a.id.cmp(&b.id));
    assert_eq!(ids.remove(&256).unwrap(), [of("a", 1, 0), of("b", 1, 2), of("c", 2, 1)]);
    assert_eq!(ids.remove(&512).unwrap(), [of("d", 1, 6)]);
    assert!(ids.is_empty());
    schema.drop().await;
}

/// However many rows there are, a page costs what it brings: the walk along the index begins
/// behind the place, and ends at the time or at the last row wanted.
#[tokio::test]
async fn a_page_reads_only_what_it_brings() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let pool = schema.pool();
    for partition in 0..4 {
        let chunk = i64::from(partition) * 10_000;
        insert(pool, Rows { due_us: 3_600 * SECOND, ..rows(partition, chunk, 4_900) }).await;
        insert(pool, rows(partition, chunk + 5_000, 100)).await;
    }
    for has_figures in [false, true] {
        if has_figures {
            sqlx::query("analyze receipt_poll").execute(pool).await.unwrap();
        }
        let explain = format!("explain (analyze, costs off, timing off, summary off) {PAGE}");
        let plan: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
            .bind(Lane::Bulk.as_str())
            .bind(vec![0, 1, 2, 3])
            .bind(vec![Place::START.due; 4])
            .bind(vec![0_i64; 4])
            .bind(10_i64)
            .bind(vec![String::from("magfa")])
            .fetch_all(pool)
            .await
            .unwrap();
        let plan = plan.join("\n");
        let walk = "Index Scan using receipt_poll_due on receipt_poll (actual rows=10 loops=4)";
        assert!(plan.contains(walk), "{plan}");
        assert!(
            plan.contains("(due <= statement_timestamp())") && plan.contains("(ROW(due, chunk_id) >"),
            "{plan}"
        );
        // Of what it reads, it leaves out only what is of connectors that cannot be asked.
        let filters = || plan.lines().filter(|line| line.contains("Filter"));
        assert!(filters().all(|line| line.contains("Filter: (connector = ANY")), "{plan}");
    }
    schema.drop().await;
}
