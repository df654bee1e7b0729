#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use axum::http::Method;
use sqlx::Connection;
use testkit::postgres::Schema;

const PATH: &str = "/v1/accounts/1/charges";

fn asked(account: i64, key: &str, body: &str) -> Asked {
    Asked::new(account, key.to_owned(), &Method::POST, PATH, body.as_bytes())
}

async fn schema() -> (Schema, i64) {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let mut connection = schema.pool().acquire().await.unwrap();
    let lines = ["100002".to_owned()];
    let account =
        ledger::account::create(&mut connection, None, "a customer", &lines).await.unwrap().unwrap();
    drop(connection);
    (schema, account)
}

/// In a transaction of its own, that is rolled back where it fails.
async fn book(
    schema: &Schema,
    asked: Option<&Asked>,
    account: i64,
    amount: i64,
) -> Result<Booked, NotBooked> {
    let done = schema.pools().common().within(async |connection| {
        let mut transaction = connection.begin().await?;
        let book = async |connection: &mut PgConnection| {
            ledger::account::charge(connection, account, Money::new(amount), None).await
        };
        let booked = charge(&mut transaction, asked, book).await?;
        transaction.commit().await?;
        Ok(booked)
    });
    done.await
}

async fn balance(schema: &Schema, account: i64) -> i64 {
    let mut connection = schema.pool().acquire().await.unwrap();
    ledger::account::read(&mut connection, account).await.unwrap().unwrap().balance.get()
}

#[tokio::test]
async fn a_charge_with_a_key_is_booked_once_and_answered_the_same() {
    let (schema, account) = schema().await;
    let request = asked(account, "k", "{\"amount\":500}");
    let first = book(&schema, Some(&request), account, 500).await.unwrap();
    book(&schema, None, account, 100).await.unwrap();
    let again = book(&schema, Some(&request), account, 500).await.unwrap();
    assert!(!first.replayed && again.replayed);
    assert_eq!((again.charged.entry, again.charged.balance), (first.charged.entry, Money::new(500)));
    assert_eq!(again.charged.at, first.charged.at);
    assert_eq!(balance(&schema, account).await, 600);

    let other = book(&schema, Some(&asked(account, "k", "{\"amount\":5000}")), account, 5_000).await;
    assert!(matches!(other, Err(NotBooked::Conflict)), "{other:?}");
    let elsewhere = Asked { account: account + 1, ..request };
    assert!(
        !book(&schema, Some(&elsewhere), account, 500).await.unwrap().replayed,
        "keys are an account's own"
    );
    assert_eq!(balance(&schema, account).await, 1_100);
    schema.drop().await;
}

#[tokio::test]
async fn what_the_books_refuse_leaves_the_key_free() {
    let (schema, account) = schema().await;
    let request = asked(account, "k", "{}");
    for (whom, amount) in [(account + 1, 1), (account, 0)] {
        let refused = book(&schema, Some(&request), whom, amount).await;
        assert!(matches!(refused, Err(NotBooked::Ledger(_))), "{refused:?}");
    }
    assert!(!book(&schema, Some(&request), account, 1).await.unwrap().replayed);
    schema.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_booked() {
    let (schema, account) = schema().await;
    let request = asked(account, "k", "{}");
    let all = futures::future::join_all((0..20).map(|_| book(&schema, Some(&request), account, 7))).await;
    let all: Vec<Booked> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all.iter().filter(|booked| !booked.replayed).count(), 1);
    assert!(all.iter().all(|booked| booked.charged == all[0].charged));
    assert_eq!(balance(&schema, account).await, 7);
    schema.drop().await;
}

/// The first is not committed for longer than a lock is waited for.
#[tokio::test]
async fn one_that_is_being_booked_for_long_is_in_progress() {
    let (schema, account) = schema().await;
    let request = asked(account, "k", "{}");
    let mut held = schema.pool().begin().await.unwrap();
    assert!(insert(&mut held, &request).await.unwrap());
    let waiting = book(&schema, Some(&request), account, 7).await;
    assert!(matches!(waiting, Err(NotBooked::InProgress)), "{waiting:?}");
    held.rollback().await.unwrap();
    assert!(!book(&schema, Some(&request), account, 7).await.unwrap().replayed);
    schema.drop().await;
}
