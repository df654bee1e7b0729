//! When operators were last heard of.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use platform::heard::Heard;
use std::time::{Duration, Instant};
use testkit::postgres::Schema;

/// How long ago each connector was heard of, in seconds, by name.
async fn noted(schema: &Schema) -> Vec<(String, f64)> {
    let statement = "select connector, extract(epoch from clock_timestamp() - last_at)::float8
                     from connector_heard order by 1";
    sqlx::query_as(statement).fetch_all(schema.pool()).await.unwrap()
}

#[tokio::test]
async fn once_a_second_and_never_earlier_than_before() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let heard = Heard::new(schema.pools().common().clone());
    let minutes_ago = |minutes: u64| Instant::now().checked_sub(Duration::from_secs(60 * minutes)).unwrap();
    heard.note("a", minutes_ago(2)).await;
    let [(name, ago)] = <[(String, f64); 1]>::try_from(noted(&schema).await).unwrap();
    assert!(name == "a" && (120.0..150.0).contains(&ago), "{ago}: the question's time counts");
    heard.note("a", Instant::now()).await;
    assert!(noted(&schema).await[0].1 > 100.0, "within the same second nothing is written");
    heard.note("b", Instant::now()).await;
    assert!(noted(&schema).await[1].1 < 30.0, "another connector is another second");

    // Another process: an older answer does not take the newer one back.
    let other = Heard::new(schema.pools().common().clone());
    other.note("b", minutes_ago(9)).await;
    assert!(noted(&schema).await[1].1 < 30.0);
    Heard::new(schema.pools().common().clone()).note("a", Instant::now()).await;
    assert!(noted(&schema).await[0].1 < 30.0);
    drop((heard, other));
    schema.drop().await;
}

/// An answer of the operator must not wait for Postgres' tables.
#[tokio::test]
async fn what_cannot_be_noted_is_no_fault_of_the_caller() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    let away = "alter table connector_heard rename to away";
    sqlx::query(away).execute(schema.pool()).await.unwrap();
    Heard::new(schema.pools().common().clone()).note("a", Instant::now()).await;
    schema.drop().await;
}
