//! The ranges of the hold table.

use crate::support::{Books, now, uniform};
use domain::id::ChunkId;
use domain::time::UnixMillis;
use ledger::hold::Booked;
use ledger::ranges::{self, Fits, Ranges};
use testkit::postgres::Schema;

const DAY_MS: i64 = 86_400_000;

fn minted(at: UnixMillis) -> ChunkId {
    ChunkId::new(ChunkId::floor(at)).unwrap()
}

async fn ensure(schema: &Schema, at: UnixMillis, days_ahead: u16) -> Ranges {
    let mut transaction = schema.pool().begin().await.unwrap();
    let made = ranges::ensure(&mut transaction, at, days_ahead).await.unwrap();
    transaction.commit().await.unwrap();
    made
}

#[tokio::test]
async fn from_yesterday_to_the_days_ahead_and_no_further() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let midnight = UnixMillis(now().0 / DAY_MS * DAY_MS);
    let noon = midnight.plus(DAY_MS / 2);
    let made = ensure(&schema, noon, 2).await;
    assert_eq!(
        (made.from, made.to),
        (minted(midnight.plus(-DAY_MS)).get(), minted(midnight.plus(3 * DAY_MS)).get())
    );
    assert_eq!(made.fits(minted(noon), noon), Fits::Yes);
    assert_eq!(made.fits(minted(midnight.plus(-DAY_MS)), noon), Fits::Yes);
    assert_eq!(made.fits(minted(midnight.plus(-DAY_MS - 1)), noon), Fits::TooOld);
    assert_eq!(made.fits(minted(noon.plus(5 * 60_000)), noon), Fits::Yes);
    assert_eq!(made.fits(minted(noon.plus(5 * 60_000 + 1)), noon), Fits::TooFarAhead);
    // Three days on without new ranges: of the present, and our fault.
    let later = noon.plus(3 * DAY_MS);
    assert_eq!(made.fits(minted(later), later), Fits::RangeMissing);
    // Again, and from the next day: nothing is lost.
    assert_eq!(ensure(&schema, noon, 2).await, made);
    let next = ensure(&schema, noon.plus(DAY_MS), 2).await;
    assert_eq!((next.from, next.to), (made.from, minted(midnight.plus(4 * DAY_MS)).get()));
    schema.drop().await;
}

#[tokio::test]
async fn nothing_fits_where_nothing_was_made() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    let none = ranges::read(&mut connection).await.unwrap();
    assert_ne!(none.fits(minted(now()), now()), Fits::Yes);
    drop(connection);
    schema.drop().await;
}

/// After billing has stood still for days the ranges still have no gap: what fits can be booked.
#[tokio::test]
async fn days_that_nobody_made_are_made_up() {
    let books = Books::open().await;
    let made = ensure(&books.schema, now().plus(5 * DAY_MS), 1).await;
    let account = books.account(1_000).await;
    for day in 0..=6 {
        let at = now().plus(day * DAY_MS);
        let mut request = books.request(0, account, uniform(10, 1));
        request.chunk = minted(at);
        assert_eq!(made.fits(request.chunk, at), Fits::Yes);
        assert_eq!(books.book(&[request]).await.unwrap(), [Booked::Paid(1)], "day {day}");
    }
    books.schema.drop().await;
}

#[tokio::test]
async fn a_chunk_without_a_range_fails_the_batch_whole() {
    let books = Books::open().await;
    let account = books.account(1_000).await;
    let mut missing = books.request(1, account, uniform(10, 1));
    missing.chunk = minted(now().plus(30 * DAY_MS));
    let refused = books.book(&[books.request(0, account, uniform(10, 1)), missing]).await;
    assert!(refused.unwrap_err().to_string().contains("no partition of relation"));
    assert_eq!(books.stands(account).await, (1_000, 0));
    books.schema.drop().await;
}

/// Ranges of before history existed, and those of after: history has the days of the holds.
#[tokio::test]
async fn history_has_the_same_days() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    ensure(&schema, now(), 1).await;
    let days = async |table: &str| -> Vec<String> {
        let statement = "select right(c.relname, 8) from pg_inherits i join pg_class c on c.oid = i.inhrelid
                         where i.inhparent = $1::regclass order by 1";
        sqlx::query_scalar(statement).bind(table).fetch_all(schema.pool()).await.unwrap()
    };
    let parents = ["history_chunk", "history_operator_ids"];
    for table in parents {
        for day in days(table).await {
            let statement = sqlx::AssertSqlSafe(format!("drop table {table}_{day}"));
            sqlx::query(statement).execute(schema.pool()).await.unwrap();
        }
    }
    ensure(&schema, now().plus(3 * DAY_MS), 2).await;
    let held = days("hold").await;
    assert_eq!(held.len(), 7);
    for table in parents {
        assert_eq!(days(table).await, held, "{table}");
    }
    schema.drop().await;
}

/// After midnight every process makes the same ranges at once, some outside a transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_processes_make_them_at_once() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let makers = (0..6).map(|_| {
        let pool = schema.pool().clone();
        tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            ranges::ensure(&mut connection, now(), 3).await
        })
    });
    let mut all = Vec::new();
    for maker in makers.collect::<Vec<_>>() {
        all.push(maker.await.unwrap().unwrap());
    }
    assert!(all.iter().all(|ranges| *ranges == all[0]));
    schema.drop().await;
}
