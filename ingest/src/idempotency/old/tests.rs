#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use testkit::postgres::Schema;

fn settings(delete_rows: u32) -> IdempotencySettings {
    IdempotencySettings {
        keep_hours: 48,
        under_way: 1,
        batch_keys: 1,
        delete_every_ms: 1_000,
        delete_rows,
        flush_ms: 1_000,
    }
}

async fn left(schema: &Schema) -> Vec<String> {
    let rows: Vec<(String,)> = sqlx::query_as("select key from idempotency order by created_at")
        .fetch_all(schema.pool())
        .await
        .unwrap();
    rows.into_iter().map(|(key,)| key).collect()
}

#[tokio::test]
async fn keys_are_kept_48_hours_and_the_oldest_go_first() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    sqlx::query(
        "insert into idempotency (account_id, key, request_hash, attempt, state, created_at)
         select 1, minutes || ' minutes', '\\x000102030405060708090a0b0c0d0e0f', 0, 'charged',
                clock_timestamp() - minutes * interval '1 minute'
         from unnest(array[2881, 2879, 3000, 2900, 0]) as minutes",
    )
    .execute(schema.pool())
    .await
    .unwrap();
    let mut connection = schema.pool().acquire().await.unwrap();
    assert_eq!(delete(&mut connection, &settings(2)).await.unwrap(), 2);
    assert_eq!(left(&schema).await, ["2881 minutes", "2879 minutes", "0 minutes"]);
    assert_eq!(delete(&mut connection, &settings(2)).await.unwrap(), 1);
    assert_eq!(delete(&mut connection, &settings(2)).await.unwrap(), 0);
    assert_eq!(left(&schema).await, ["2879 minutes", "0 minutes"]);
    drop(connection);
    schema.drop().await;
}

#[tokio::test]
async fn of_two_processes_one_deletes() {
    let schema = Schema::new(&ledger::MIGRATIONS).await;
    sqlx::query(
        "insert into idempotency (account_id, key, request_hash, attempt, state, created_at)
         values (1, 'old', '\\x000102030405060708090a0b0c0d0e0f', 0, 'charged', '2020-01-01')",
    )
    .execute(schema.pool())
    .await
    .unwrap();
    let mut other = schema.pool().begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock('idempotency'::regclass::oid::bigint)")
        .execute(&mut *other)
        .await
        .unwrap();
    let mut connection = schema.pool().acquire().await.unwrap();
    assert_eq!(delete(&mut connection, &settings(10)).await.unwrap(), 0);
    other.rollback().await.unwrap();
    assert_eq!(delete(&mut connection, &settings(10)).await.unwrap(), 1);
    drop(connection);
    schema.drop().await;
}
