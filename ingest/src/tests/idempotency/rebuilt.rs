//! A call is rebuilt to the letter, whatever has changed since it was taken.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::{self, StatusCode};
use bytes::Bytes;
use domain::lane::Lane;
use platform::http::problem::Problem;
use serde_json::{Value, json};
use testkit::until;
use wire::submitted::Chunk;

use super::rig::{is_replay, keyed, keyed_at, message, orphan, rows};
use crate::app::App;
use crate::chunking::cut;
use crate::config::ByLane;
use crate::idempotency::{Asked, Body, Prepared, once};
use crate::keys::Key;
use crate::prepare::{self, Ground};
use crate::submit::Submitted;
use crate::tests::gateway::Gateway;
use crate::tests::sending::submitted;
use crate::tests::settings::settings;

const BULK: &str = "/v1/messages/bulk";

/// Two texts, two that are left out, one that another day would leave out.
fn list() -> Value {
    json!({"reference": "r", "messages": [
        {"to": "09123456781", "text": "سلام سارا", "reference": "order-1"},
        {"to": "12", "text": "hello"},
        {"to": "+49 1512 3456789", "text": "a".repeat(170)},
        {"to": "09123456782", "text": ""},
        {"to": "09123456783", "text": "hello"},
    ]})
}

/// Other lines, other prices, and a process with other settings.
async fn another_day(gateway: &Gateway) -> Router {
    for change in [
        "update account set lines = '{9999}', balance = 0",
        "insert into tariff (version, lane, price) values (2, 'express', 7), (2, 'standard', 7), (2, 'bulk', 7)",
        "insert into tariff_version (version, effective_at) values (2, clock_timestamp())",
    ] {
        sqlx::query(change).execute(gateway.schema.pool()).await.unwrap();
    }
    let mut settings = settings();
    settings.countries = vec!["IR".into()];
    settings.limits.chunk_messages = 1;
    settings.limits.bulk_messages = 3;
    settings.limits.text_segments = 1;
    settings.limits.reference_characters = 2;
    settings.limits.ttl_seconds_min = 500;
    settings.limits.ttl_seconds_default = ByLane { express: 600, standard: 600, bulk: 600 };
    let other = gateway.other(settings).await;
    until("prices and lines are the new ones", Duration::from_secs(10), async || {
        let body = json!({"to": "09123456781", "text": "hello", "from": "9999"});
        let preview =
            gateway.request("POST", "/v1/messages/preview").header("content-type", "application/json");
        let preview = Gateway::ask_at(other.clone(), preview.body(body.to_string().into()).unwrap()).await;
        preview.body["price"] == 7
    })
    .await;
    other
}

/// As if the process that stored the key had died before it produced anything: its ids are in no
/// record.
async fn never_produced(gateway: &Gateway, key: &str, chunks: u32) -> String {
    orphan(gateway, key).await;
    let run = gateway.ids.reserve(chunks).unwrap();
    sqlx::query("update idempotency set first_id = $2, attempt = $2 where key = $1")
        .bind(key)
        .bind(run.first.get())
        .execute(gateway.schema.pool())
        .await
        .unwrap();
    run.first.to_string()
}

/// What makes a chunk, but for its ids.
fn content(chunk: &Chunk) -> Chunk {
    let id = domain::id::ChunkId::new(256).unwrap();
    Chunk { id, call_id: id, ..chunk.clone() }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_stay_the_same_on_another_day() {
    let gateway = Gateway::with_topics().await;
    let one = keyed(&gateway, "/v1/messages", "one", &message()).await;
    let many = keyed(&gateway, BULK, "many", &list()).await;
    assert_eq!((one.status, many.status), (StatusCode::ACCEPTED, StatusCode::ACCEPTED), "{}", many.text);
    let other = another_day(&gateway).await;

    let again = keyed_at(&other, &gateway, "/v1/messages", "one", &message()).await;
    assert!(is_replay(&again), "{}", again.text);
    assert_eq!(again.text, one.text);
    let again = keyed_at(&other, &gateway, BULK, "many", &list()).await;
    assert!(is_replay(&again), "{}", again.text);
    assert_eq!(again.text, many.text);
    assert_eq!(submitted(&gateway, Lane::Express).len() + submitted(&gateway, Lane::Bulk).len(), 2);

    // Without the key it is a call of that day.
    let today = gateway.request("POST", BULK).header("content-type", "application/json");
    let today = Gateway::ask_at(other, today.body(list().to_string().into()).unwrap()).await;
    assert_eq!(today.status, StatusCode::BAD_REQUEST, "{}", today.text);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_a_dead_process_are_made_the_same_on_another_day() {
    let gateway = Gateway::with_topics().await;
    let one = keyed(&gateway, "/v1/messages", "one", &message()).await;
    let many = keyed(&gateway, BULK, "many", &list()).await;
    let other = another_day(&gateway).await;

    // Produced, and died before it answered.
    orphan(&gateway, "one").await;
    let again = keyed_at(&other, &gateway, "/v1/messages", "one", &message()).await;
    assert!(is_replay(&again), "{}", again.text);
    assert_eq!(again.text, one.text);
    let [first, second] = <[Chunk; 2]>::try_from(submitted(&gateway, Lane::Express)).unwrap();
    assert_eq!(first, second);

    // Stored the key, and died before it produced: the messages are made now, under its ids.
    let id = never_produced(&gateway, "many", 1).await;
    let again = keyed_at(&other, &gateway, BULK, "many", &list()).await;
    assert!(is_replay(&again), "{}", again.text);
    assert_eq!(again.body["batch_id"], Value::from(id.clone()));
    let [first, second] = <[Chunk; 2]>::try_from(submitted(&gateway, Lane::Bulk)).unwrap();
    assert_eq!(second.id.to_string(), id);
    assert_eq!(content(&second), content(&first));
    let was = many.body["batch_id"].as_str().unwrap();
    assert_eq!(again.body["send_by"], many.body["send_by"]);
    assert_eq!(again.body["rejected"], many.body["rejected"]);
    assert_ne!(was, id);

    // And from now on it is answered.
    let third = keyed_at(&other, &gateway, BULK, "many", &list()).await;
    assert_eq!(third.text, again.text);
    assert_eq!(submitted(&gateway, Lane::Bulk).len(), 2);
    gateway.close().await;
}

/// A list, of which a recipient has opted out by now, or not.
struct List {
    body: Bytes,
    opted_out: Vec<u32>,
}

impl Body for List {
    type About = Vec<u32>;

    async fn prepare(&self, _: &Arc<App>, ground: Ground) -> Result<Prepared<Vec<u32>>, Problem> {
        let mut call = prepare::bulk(&self.body, ground.context())?.call;
        let out = if ground.is_new { self.opted_out.clone() } else { ground.left_out.to_vec() };
        call.rows.retain(|row| !out.contains(&row.index));
        Ok(Prepared { cuts: cut(&call, ground.rules.limits.chunk_messages), call, about: out })
    }

    fn left_out(about: &Vec<u32>) -> Vec<u32> {
        about.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_left_out_then_is_left_out_again() {
    let gateway = Gateway::with_topics().await;
    let identity = gateway.app.keys.identity(Key::parse(&gateway.key).unwrap()).await.unwrap();
    let body: Bytes =
        json!({"text": "hello", "to": ["09123456781", "09123456782", "09123456783"]}).to_string().into();
    let asked = Asked::new(gateway.account, "k".into(), &http::Method::POST, BULK, &body);
    let send = async |opted_out: Vec<u32>| {
        let list = List { body: body.clone(), opted_out };
        once(&gateway.app, &identity, Some(asked.clone()), &list).await.unwrap()
    };
    let first = send(vec![1]).await;
    assert!(!first.replayed);
    orphan(&gateway, "k").await;
    // Another one opted out meanwhile, and the first no longer.
    let again = send(vec![0, 2]).await;
    assert!(again.replayed);
    let places =
        |submitted: &Submitted| -> Vec<u32> { submitted.call.rows.iter().map(|row| row.index).collect() };
    assert_eq!((places(&again.submitted), again.about), (vec![0, 2], vec![1]));
    let [one, two] = <[Chunk; 2]>::try_from(submitted(&gateway, Lane::Bulk)).unwrap();
    assert_eq!(one, two);
    gateway.close().await;
}

/// A program that measures texts otherwise must not send other messages under the same ids.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_rebuilt_is_not_made_again() {
    let gateway = Gateway::with_topics().await;
    keyed(&gateway, "/v1/messages", "k", &message()).await;
    orphan(&gateway, "k").await;
    let price = "update idempotency set price = 3000 where key = 'k'";
    sqlx::query(price).execute(gateway.schema.pool()).await.unwrap();
    let answer = keyed(&gateway, "/v1/messages", "k", &message()).await;
    insta::assert_json_snapshot!(answer.lines());
    assert_eq!(submitted(&gateway, Lane::Express).len(), 1);
    until("it is given back", Duration::from_secs(10), async || {
        rows(&gateway).await == [("k".to_owned(), "released".to_owned())]
    })
    .await;
    gateway.close().await;
}
