//! Keys, as an administrator makes, replaces and revokes them.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

use platform::lifecycle::Stop;

use super::World;
use crate::keys::keep;

async fn opens(world: &World, key: &str) -> bool {
    world.gateway.with_key(key, "GET", "/v1/balance", None).await.status == 200
}

/// Until a key opens nothing.
async fn ended(world: &World, key: &str) {
    let since = Instant::now();
    while opens(world, key).await {
        assert!(since.elapsed() < Duration::from_secs(5), "believed for longer than known_ms");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn made(world: &World, scopes: Value) -> (String, String) {
    let path = format!("/v1/admin/accounts/{}/keys", world.gateway.account);
    let made = world.ask("POST", &path, Some(json!({ "scopes": scopes }))).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let word = |name: &str| made.body[name].as_str().unwrap().to_owned();
    (word("id"), word("key"))
}

#[tokio::test]
async fn a_key_is_shown_once_and_its_rows_hold_no_secret() {
    let world = World::open().await;
    let (id, key) = made(&world, json!(["read", "send", "read"])).await;
    assert!(opens(&world, &key).await);
    let path = format!("/v1/admin/accounts/{}/keys", world.gateway.account);
    let listed = world.get(&path).await;
    let first = &listed["data"][0];
    assert_eq!((&first["id"], &first["scopes"]), (&json!(id), &json!(["send", "read"])));
    assert_eq!((&first["in_use"], &first["expires_at"]), (&json!(true), &Value::Null));
    assert_eq!(world.ask("DELETE", &format!("/v1/admin/keys/{id}"), None).await.status, 204);
    assert_eq!(world.ask("DELETE", &format!("/v1/admin/keys/{id}"), None).await.status, 204);
    ended(&world, &key).await;
    let subject = format!("account {}", world.gateway.account);
    let expected = vec![
        ("key.create".to_owned(), Value::Null, json!({"key": id, "scopes": ["send", "read"]})),
        ("key.revoke".to_owned(), json!({"key": id, "revoked": false}), json!({"key": id, "revoked": true})),
    ];
    assert_eq!(world.told(&subject).await, expected);
    let all: Vec<(String,)> = sqlx::query_as("select change::text from change")
        .fetch_all(world.gateway.schema.pool())
        .await
        .unwrap();
    assert!(all.iter().all(|(row,)| !row.contains(&key[3..])));
    world.gateway.close().await;
}

/// Both open for the grace time, then the new one alone; a second rotation does not prolong it.
#[tokio::test]
async fn a_replaced_key_goes_on_for_the_grace_time_and_no_longer() {
    let world = World::open().await;
    let (id, key) = made(&world, json!(["send", "read"])).await;
    let rotate = async |id: &str, body: Value| {
        world.ask("POST", &format!("/v1/admin/keys/{id}/rotate"), Some(body)).await
    };
    let rotated = rotate(&id, json!({})).await;
    assert_eq!(rotated.status, 201, "{}", rotated.text);
    assert_eq!(rotated.body["replaces"], id);
    let new = rotated.body["key"].as_str().unwrap().to_owned();
    assert!(opens(&world, &key).await && opens(&world, &new).await);
    let ends = |answer: &super::Answer| {
        let at = answer.body["replaced_expires_at"].as_str().unwrap();
        chrono::DateTime::parse_from_rfc3339(at).unwrap().to_utc()
    };
    let day = ends(&rotated) - chrono::Utc::now();
    assert!((day - chrono::TimeDelta::days(1)).abs() < chrono::TimeDelta::minutes(10), "{day}");

    // A later one with a longer time leaves the end where it was; a shorter one moves it.
    assert_eq!(ends(&rotate(&id, json!({"grace_seconds": 2_592_000})).await), ends(&rotated));
    assert!(ends(&rotate(&id, json!({"grace_seconds": 0})).await) < ends(&rotated));
    ended(&world, &key).await;
    assert!(opens(&world, &new).await);
    assert_eq!(rotate(&id, json!({})).await.status, 404, "it is over");
    let listed = world.get(&format!("/v1/admin/accounts/{}/keys", world.gateway.account)).await;
    let of =
        |id: &str| listed["data"].as_array().unwrap().iter().find(|key| key["id"] == id).unwrap().clone();
    assert_eq!((&of(&id)["in_use"], &of(&id)["revoked_at"]), (&json!(false), &Value::Null));
    assert_eq!(of(rotated.body["id"].as_str().unwrap())["scopes"], json!(["send", "read"]));
    let told = world.told(&format!("account {}", world.gateway.account)).await;
    let whats: Vec<&str> = told.iter().map(|(what, ..)| what.as_str()).collect();
    assert_eq!(whats, ["key.create", "key.rotate", "key.rotate", "key.rotate"]);
    assert_eq!(told[1].1, json!({"key": id, "expires_at": null}));
    assert_eq!(told[1].2["new_key"], rotated.body["id"]);
    for missing in ["01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e", "x"] {
        assert_eq!(rotate(missing, json!({})).await.status, 404);
        let path = format!("/v1/admin/keys/{missing}");
        assert_eq!(world.ask("DELETE", &path, None).await.status, 404);
    }
    world.gateway.close().await;
}

/// Beside the requests, and never going back.
#[tokio::test]
async fn when_a_key_was_used_is_written_now_and_then() {
    let world = World::open().await;
    let (id, key) = made(&world, json!(["read"])).await;
    let used = async || -> Value {
        let listed = world.get(&format!("/v1/admin/accounts/{}/keys", world.gateway.account)).await;
        listed["data"].as_array().unwrap().iter().find(|key| key["id"] == id).unwrap()["last_used_at"].clone()
    };
    let pool = world.gateway.schema.pools().common();
    assert!(opens(&world, &key).await);
    assert_eq!(used().await, Value::Null, "the request itself writes nothing");
    world.gateway.app.keys.used().write(pool).await.unwrap();
    let first = used().await;
    assert!(first.is_string());
    world.gateway.app.keys.used().write(pool).await.unwrap();
    assert_eq!(used().await, first, "not used since");
    sqlx::query(
        "update api_key set last_used_at = clock_timestamp() + interval '1 hour' where id = $1::text::uuid",
    )
    .bind(&id)
    .execute(world.gateway.schema.pool())
    .await
    .unwrap();
    let later = used().await;
    world.gateway.app.keys.used().note(id.parse().unwrap());
    world.gateway.app.keys.used().write(pool).await.unwrap();
    assert_eq!(used().await, later, "another process knows better");
    world.gateway.close().await;
}

/// What was noted last is not lost when the process stops.
#[tokio::test]
async fn when_a_key_was_used_is_written_at_the_end_too() {
    let world = World::open().await;
    let (id, _) = made(&world, json!(["read"])).await;
    let used = world.gateway.app.keys.used();
    let (alive, stop) = Stop::manual();
    let pool = world.gateway.schema.pools().common().clone();
    let kept = tokio::spawn(keep(world.gateway.app.keys.used(), pool, Duration::from_secs(3_600), stop));
    tokio::task::yield_now().await; // it looks once at its start, before or after the note
    used.note(id.parse().unwrap());
    alive.cancel();
    kept.await.unwrap().unwrap();
    let (written,): (i64,) =
        sqlx::query_as("select count(*) from api_key where last_used_at is not null and id = $1::text::uuid")
            .bind(&id)
            .fetch_one(world.gateway.schema.pool())
            .await
            .unwrap();
    assert_eq!(written, 1);
    world.gateway.close().await;
}
