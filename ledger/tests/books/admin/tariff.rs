//! Versions of the tariff.

use super::who;
use crate::support::Books;
use chrono::{DateTime, TimeDelta, Utc};
use domain::lane::Lane;
use domain::money::Money;
use domain::tariff::{Prefix, Row, Tariff, TariffError};
use ledger::LedgerError;
use ledger::admin::change::list as changes;
use ledger::admin::tariff::{NewVersion, Version, set, versions};
use ledger::tariff::{at, current, version};
use sqlx::PgConnection;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// All lanes at one price.
fn rows(price: i64) -> Vec<Row> {
    let row = |lane| Row { lane, encoding: None, prefix: Prefix::EMPTY, price: Money::new(price) };
    Lane::ALL.map(row).into()
}

fn new(price: i64, effective_at: Option<DateTime<Utc>>) -> NewVersion {
    NewVersion { rows: rows(price), effective_at, newest: None }
}

async fn now(connection: &mut PgConnection) -> DateTime<Utc> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(connection).await.unwrap()
}

async fn made(books: &Books, new: &NewVersion) -> Result<Version, LedgerError> {
    let mut transaction = books.schema.pool().begin().await?;
    let made = set(&mut transaction, &who(), new).await?;
    transaction.commit().await?;
    Ok(made)
}

fn price(tariff: &Tariff) -> i64 {
    tariff.rows().next().unwrap().price.get()
}

/// By the database's clock, from that moment on, without anybody doing anything.
#[tokio::test]
async fn a_version_prices_from_its_time_on_and_not_before() {
    let books = Books::open().await;
    let mut connection = books.schema.pool().acquire().await.unwrap();
    assert_eq!(current(&mut connection).await.unwrap().version(), 1);
    let start = now(&mut connection).await;
    let soon = start + TimeDelta::milliseconds(400);
    assert_eq!(made(&books, &new(5, Some(soon))).await.unwrap().state, "scheduled");
    let since = Instant::now();
    loop {
        let before = now(&mut connection).await;
        let held = current(&mut connection).await.unwrap().version();
        let after = now(&mut connection).await;
        match held {
            1 => assert!(before < soon, "it holds although its time has come"),
            _ => assert!(after >= soon, "it holds before its time"),
        }
        if held == 2 {
            break;
        }
        assert!(since.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(connection);
    books.schema.drop().await;
}

#[tokio::test]
async fn what_began_last_holds_and_of_those_the_newest() {
    let books = Books::open().await;
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let tomorrow = now(&mut connection).await + TimeDelta::days(1);
    made(&books, &new(20, Some(tomorrow))).await.unwrap();
    let third = made(&books, &new(30, None)).await.unwrap();
    assert_eq!((third.version, third.state.as_str()), (3, "in_force"), "one for now, made after it");
    assert_eq!(price(&current(&mut connection).await.unwrap()), 30);
    assert_eq!(price(&at(&mut connection, Some(tomorrow)).await.unwrap()), 20, "what comes still comes");
    // Taken back, by another for the same time.
    made(&books, &new(30, Some(tomorrow))).await.unwrap();
    assert_eq!(at(&mut connection, Some(tomorrow)).await.unwrap().version(), 4);
    let states: Vec<_> = versions(&mut connection, None, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|v| (v.version, v.state))
        .collect();
    let expected = [(4, "scheduled"), (3, "in_force"), (2, "scheduled"), (1, "past")];
    assert_eq!(states, expected.map(|(version, state)| (version, state.to_owned())));
    assert_eq!(versions(&mut connection, Some(3), 1).await.unwrap()[0].version, 2);

    let told = changes(&mut connection, Some("tariff 3"), None, 10).await.unwrap();
    assert_eq!((told.len(), told[0].what.as_str()), (1, "tariff.set"));
    assert_eq!(told[0].before.as_ref().unwrap()["version"], 1);
    assert_eq!(told[0].after.as_ref().unwrap()["prices"][0]["price"], 30);
    drop(connection);
    books.schema.drop().await;
}

#[tokio::test]
async fn what_cannot_be_a_version_is_refused_and_leaves_nothing() {
    let books = Books::open().await;
    let mut connection = books.schema.pool().acquire().await.unwrap();
    let past = now(&mut connection).await - TimeDelta::seconds(1);
    assert!(matches!(made(&books, &new(5, Some(past))).await, Err(LedgerError::Past)));
    let overtaken = NewVersion { newest: Some(7), ..new(5, None) };
    assert!(matches!(made(&books, &overtaken).await, Err(LedgerError::Overtaken(1))));
    let mut lacking = new(5, None);
    lacking.rows.pop();
    let refused = made(&books, &lacking).await;
    assert!(
        matches!(refused, Err(LedgerError::NoTariff(TariffError::NoCatchAll(Lane::Bulk)))),
        "{refused:?}"
    );
    let (stored, told): (i64, i64) =
        sqlx::query_as("select (select count(*) from tariff_version), (select count(*) from change)")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
    assert_eq!((stored, told), (1, 0));
    drop(connection);
    books.schema.drop().await;
}

#[tokio::test]
async fn a_version_is_closed_and_never_changes() {
    let books = Books::open().await;
    made(&books, &new(5, None)).await.unwrap();
    for (statement, says) in [
        (
            "insert into tariff (version, lane, prefix, price) values (2, 'bulk', '98', 1)",
            "version 2 of the tariff is closed",
        ),
        (
            "insert into tariff (version, lane, prefix, price) values (1, 'bulk', '98', 1)",
            "version 1 of the tariff is closed",
        ),
        ("update tariff set price = 1", "rows of tariff are immutable"),
        ("delete from tariff where version = 2", "rows of tariff are immutable"),
        ("truncate tariff", "rows of tariff are immutable"),
        ("update tariff_version set effective_at = now()", "rows of tariff_version are immutable"),
        ("delete from tariff_version", "rows of tariff_version are immutable"),
    ] {
        let refusal = books.refused(statement).await;
        assert!(refusal.contains(says), "{statement}: {refusal}");
    }
    books.schema.drop().await;
}

/// Each has a number of its own, and the prices that belong to it.
#[tokio::test(flavor = "multi_thread")]
async fn versions_made_at_once_do_not_mix() {
    let books = Books::open().await;
    let mut tasks = JoinSet::new();
    for price in 1..=6 {
        let pool = books.schema.pool().clone();
        tasks.spawn(async move {
            let mut transaction = pool.begin().await.unwrap();
            let made = set(&mut transaction, &who(), &new(price, None)).await.unwrap();
            transaction.commit().await.unwrap();
            (made.version, price)
        });
    }
    let mut all = tasks.join_all().await;
    all.sort_unstable();
    assert_eq!(all.iter().map(|(version, _)| *version).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7]);
    let mut connection = books.schema.pool().acquire().await.unwrap();
    for (number, asked) in all {
        let stored = version(&mut connection, number.unsigned_abs()).await.unwrap().unwrap();
        assert_eq!(price(&stored), asked);
    }
    assert_eq!(current(&mut connection).await.unwrap().version(), 7);
    drop(connection);
    books.schema.drop().await;
}
