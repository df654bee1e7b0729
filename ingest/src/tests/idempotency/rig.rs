//! Requests with a key, and a look at their rows.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http;
use domain::hold::Prices;
use domain::lane::Lane;
use domain::money::Money;
use domain::partition;
use ledger::hold::Request;
use platform::kafka::topics::Stage;
use platform::ownership::clock::unix_now;
use serde_json::{Value, json};
use testkit::until;
use wire::submitted::Chunk;

use crate::keys::Scope;
use crate::tests::gateway::{Answer, Gateway};
use crate::tests::sending::submitted;
use crate::tests::settings::settings;

const SOON: Duration = Duration::from_secs(20);

/// A request for an express message that names neither line nor time to live.
pub(super) fn message() -> Value {
    json!({"to": "09123456789", "text": "کد ورود: ۱۲۳۴", "lane": "express", "reference": "login-77"})
}

pub(super) fn request(gateway: &Gateway, path: &str, key: &str, body: &Value) -> http::Request<Body> {
    let request = gateway.request("POST", path).header("content-type", "application/json");
    request.header("Idempotency-Key", key).body(body.to_string().into()).unwrap()
}

pub(super) async fn keyed(gateway: &Gateway, path: &str, key: &str, body: &Value) -> Answer {
    gateway.ask(request(gateway, path, key, body)).await
}

pub(super) async fn keyed_at(
    other: &Router,
    gateway: &Gateway,
    path: &str,
    key: &str,
    body: &Value,
) -> Answer {
    Gateway::ask_at(other.clone(), request(gateway, path, key, body)).await
}

/// Whether it says that it was given before.
pub(super) fn is_replay(answer: &Answer) -> bool {
    answer.headers.get("idempotent-replayed").is_some_and(|value| value == "true")
}

/// The keys that are stored, and their states.
pub(super) async fn rows(gateway: &Gateway) -> Vec<(String, String)> {
    let rows = sqlx::query_as("select key, state from idempotency order by created_at");
    rows.fetch_all(gateway.schema.pool()).await.unwrap()
}

pub(super) async fn until_state(gateway: &Gateway, key: &str, state: &str) {
    let wanted = (key.to_owned(), state.to_owned());
    until(&format!("{key} is {state}"), SOON, async || rows(gateway).await.contains(&wanted)).await;
}

/// As if the process had died before it answered.
pub(super) async fn orphan(gateway: &Gateway, key: &str) {
    // The answer is noted a moment after it was given.
    until("the first is answered", SOON, async || {
        rows(gateway).await.iter().any(|(of, state)| of == key && state != "working")
    })
    .await;
    sqlx::query(
        "update idempotency set state = 'working', process = gen_random_uuid(), paid = null, balance = null
         where key = $1",
    )
    .bind(key)
    .execute(gateway.schema.pool())
    .await
    .unwrap();
}

/// A gateway with small chunks, whose account has so much.
pub(super) async fn with_balance(balance: i64) -> Gateway {
    let mut settings = settings();
    settings.limits.chunk_messages = 2;
    settings.funds.verdict_ms = 10_000;
    let mut gateway = Gateway::open(settings, true).await;
    gateway.account = gateway.account_with(balance).await;
    gateway.key = gateway.key_of(gateway.account, &Scope::ALL).await;
    let ensure = async |connection: &mut _| ledger::ranges::ensure(connection, unix_now(), 1).await;
    gateway.schema.pools().common().within(ensure).await.unwrap();
    gateway
}

/// Plays billing: waits for so many records in lane bulk, then bills them while the account has
/// `balance` left. Each message costs 1,000.
pub(super) async fn bill(gateway: &Gateway, records: usize, balance: i64) {
    until("records are produced", SOON, async || submitted(gateway, Lane::Bulk).len() >= records).await;
    let topic = gateway.common.topics.of(Stage::Submitted, Lane::Bulk);
    let partition = partition::of_account(gateway.account, gateway.common.partitions);
    let request = |(source, chunk): (i64, Chunk)| Request {
        chunk: chunk.id,
        account: chunk.account,
        topic: topic.clone(),
        partition,
        source,
        request_hash: chunk.request_hash(),
        prices: Prices::of_each(&vec![Money::new(1_000); chunk.len()]).unwrap(),
    };
    let requests: Vec<Request> = (0..).zip(submitted(gateway, Lane::Bulk)).map(request).collect();
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    sqlx::query(
        "insert into position (role, topic, partition, next_offset) values ('billing-consumer', $1, $2, $3)",
    )
    .bind(&topic)
    .bind(partition)
    .bind(i64::try_from(requests.len()).unwrap())
    .execute(&mut *transaction)
    .await
    .unwrap();
    let left = "update account set balance = $2 where id = $1";
    sqlx::query(left).bind(gateway.account).bind(balance).execute(&mut *transaction).await.unwrap();
    ledger::hold::book(&mut transaction, &requests).await.unwrap();
    transaction.commit().await.unwrap();
}
