//! Many requests with one key at the same time, and processes that live, die, and take over.

use std::collections::HashSet;
use std::time::Duration;

use axum::http::StatusCode;
use domain::lane::Lane;
use futures::future::join_all;
use testkit::until;
use uuid::Uuid;

use super::rig::{is_replay, keyed, keyed_at, message, orphan, rows};
use crate::tests::gateway::{Answer, Gateway};
use crate::tests::sending::submitted;
use crate::tests::settings::settings;

const AT_ONCE: usize = 40;

/// Those that were accepted are the same; the others are told to come again.
fn one_call(answers: &[Answer]) -> String {
    let accepted: HashSet<&str> = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::ACCEPTED)
        .map(|answer| answer.text.as_str())
        .collect();
    assert_eq!(accepted.len(), 1, "{accepted:?}");
    for answer in answers.iter().filter(|answer| answer.status != StatusCode::ACCEPTED) {
        assert_eq!(answer.body["code"], "idempotency_in_progress", "{}", answer.text);
        assert!(answer.headers.contains_key("retry-after"));
    }
    accepted.into_iter().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_made() {
    let gateway = Gateway::with_topics().await;
    let other = gateway.other(settings()).await;
    let body = message();
    let answers = join_all((0..AT_ONCE).map(async |n| match n % 2 {
        0 => keyed(&gateway, "/v1/messages", "k", &body).await,
        _ => keyed_at(&other, &gateway, "/v1/messages", "k", &body).await,
    }));
    let answers = answers.await;
    one_call(&answers);
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::ACCEPTED && !is_replay(a)).count(), 1);
    assert_eq!(submitted(&gateway, Lane::Express).len(), 1);
    gateway.close().await;
}

/// Each with a key of its own, stored together: none gets another's ids.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_stored_together_are_apart() {
    let gateway = Gateway::with_topics().await;
    let body = message();
    let send = async |n: usize| keyed(&gateway, "/v1/messages", &format!("k{n}"), &body).await;
    let first = join_all((0..AT_ONCE).map(send)).await;
    let again = join_all((0..AT_ONCE).map(send)).await;
    let mut ids = HashSet::new();
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
        assert_eq!(first.text, again.text);
        assert!(is_replay(again) && ids.insert(first.body["id"].to_string()));
    }
    assert_eq!(submitted(&gateway, Lane::Express).len(), AT_ONCE);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_would_take_over_one_does() {
    let gateway = Gateway::with_topics().await;
    let other = gateway.other(settings()).await;
    let body = message();
    let first = keyed(&gateway, "/v1/messages", "k", &body).await;
    orphan(&gateway, "k").await;
    let answers = join_all((0..AT_ONCE).map(async |n| match n % 2 {
        0 => keyed(&gateway, "/v1/messages", "k", &body).await,
        _ => keyed_at(&other, &gateway, "/v1/messages", "k", &body).await,
    }));
    assert_eq!(one_call(&answers.await), first.text);
    let chunks = submitted(&gateway, Lane::Express);
    assert_eq!(chunks.len(), 2, "made again once, however many ask");
    assert_eq!(chunks[0], chunks[1], "and the same to the letter: billing sees a repetition");
    gateway.close().await;
}

/// Two processes have both read that nobody works on it, and then both take it.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_found_it_free_one_has_it() {
    let gateway = Gateway::with_topics().await;
    let other = gateway.other(settings()).await;
    // Its locks are waited for longer than those of express.
    let mut body = message();
    body["lane"] = "standard".into();
    let first = keyed(&gateway, "/v1/messages", "k", &body).await;
    orphan(&gateway, "k").await;

    let mut held = gateway.schema.pool().begin().await.unwrap();
    let lock = "select pg_current_xact_id()::text from idempotency where key = 'k' for update";
    let holder: String = sqlx::query_scalar(lock).fetch_one(&mut *held).await.unwrap();
    let both_wait = until("both wait for the row", Duration::from_secs(20), async || {
        let waiting = "select count(*) from pg_locks where not granted
                       and (transactionid::text = $1 or relation = 'idempotency'::regclass)";
        let waiting: i64 =
            sqlx::query_scalar(waiting).bind(&holder).fetch_one(gateway.schema.pool()).await.unwrap();
        waiting == 2
    });
    let release = async {
        both_wait.await;
        held.rollback().await.unwrap();
    };
    let (one, two, ()) = tokio::join!(
        keyed(&gateway, "/v1/messages", "k", &body),
        keyed_at(&other, &gateway, "/v1/messages", "k", &body),
        release
    );
    let accepted = [&one, &two].iter().filter(|answer| answer.status == StatusCode::ACCEPTED).count();
    assert_eq!(accepted, 1, "{} {}", one.text, two.text);
    assert_eq!(one_call(&[one, two]), first.text);
    assert_eq!(submitted(&gateway, Lane::Standard).len(), 2);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_living_process_works_on_is_not_taken_over() {
    let gateway = Gateway::with_topics().await;
    let first = keyed(&gateway, "/v1/messages", "k", &message()).await;
    orphan(&gateway, "k").await;
    let living = Uuid::now_v7();
    sqlx::query(
        "insert into process (id, data_folder, roles, reads_version, alive_until)
         values ($1, $1, '{ingest}', 1, clock_timestamp() + interval '1 hour')",
    )
    .bind(living)
    .execute(gateway.schema.pool())
    .await
    .unwrap();
    let work = "update idempotency set process = $1 where key = 'k'";
    sqlx::query(work).bind(living).execute(gateway.schema.pool()).await.unwrap();
    let waiting = keyed(&gateway, "/v1/messages", "k", &message()).await;
    insta::assert_json_snapshot!(waiting.lines());
    assert!(waiting.headers.contains_key("retry-after"));
    assert_eq!(rows(&gateway).await, [("k".to_owned(), "working".to_owned())]);

    let die = "update process set dead = true where id = $1";
    sqlx::query(die).bind(living).execute(gateway.schema.pool()).await.unwrap();
    let answer = keyed(&gateway, "/v1/messages", "k", &message()).await;
    assert!(is_replay(&answer));
    assert_eq!(answer.text, first.text);
    gateway.close().await;
}
