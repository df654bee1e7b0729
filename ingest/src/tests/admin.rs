//! What administrators do, and what nobody else may.

mod accounts;
mod bad;
mod charges;
mod keys;
mod prices;

use serde_json::Value;

use super::gateway::{Answer, Gateway};
use crate::keys::{Key, Scope, verify};

/// All of them, with something in each place.
pub(super) const ENDPOINTS: [(&str, &str); 14] = [
    ("GET", "/v1/admin/accounts"),
    ("POST", "/v1/admin/accounts"),
    ("GET", "/v1/admin/accounts/1"),
    ("PATCH", "/v1/admin/accounts/1"),
    ("GET", "/v1/admin/accounts/1/keys"),
    ("POST", "/v1/admin/accounts/1/keys"),
    ("DELETE", "/v1/admin/keys/01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e"),
    ("POST", "/v1/admin/keys/01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e/rotate"),
    ("GET", "/v1/admin/tariffs"),
    ("POST", "/v1/admin/tariffs"),
    ("GET", "/v1/admin/tariffs/1"),
    ("GET", "/v1/admin/lines"),
    ("PUT", "/v1/admin/lines/3000"),
    ("GET", "/v1/admin/changes"),
];

/// A gateway, and an administrator whose account is another than the customer's.
struct World {
    gateway: Gateway,
    admin: String,
    /// The administrator, as the rows of changes say it.
    who: String,
}

impl World {
    async fn open() -> Self {
        let gateway = Gateway::without_topics().await;
        let account = gateway.account_with(0).await;
        let admin = gateway.key_of(account, &[Scope::Admin]).await;
        let mut connection = gateway.schema.pool().acquire().await.unwrap();
        let key = verify(&mut connection, Key::parse(&admin).unwrap()).await.unwrap().unwrap().key;
        drop(connection);
        World { gateway, admin, who: format!("key {key}") }
    }

    async fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.gateway.with_key(&self.admin, method, path, body.as_ref()).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, None).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.body
    }

    /// What was changed of a subject, the first first, all of it by this administrator.
    async fn told(&self, subject: &str) -> Vec<(String, Value, Value)> {
        let path = format!("/v1/admin/changes?subject={}&limit=500", subject.replace(' ', "%20"));
        let mut changes = self.get(&path).await["data"].as_array().unwrap().clone();
        changes.reverse();
        let change = |change: Value| {
            assert_eq!((&change["who"], &change["subject"]), (&self.who.clone().into(), &subject.into()));
            (change["what"].as_str().unwrap().to_owned(), change["before"].clone(), change["after"].clone())
        };
        changes.into_iter().map(change).collect()
    }
}

/// A customer's key opens none of it, whatever else it may do, its own account's neither.
#[tokio::test]
async fn only_the_scope_admin_opens_them() {
    let mut gateway = Gateway::without_topics().await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send, Scope::Read, Scope::Charge]).await;
    for (method, path) in ENDPOINTS {
        let path = path.replace("accounts/1", &format!("accounts/{}", gateway.account));
        let answer = gateway.with_key(&gateway.key, method, &path, None).await;
        assert_eq!(answer.lines(), ["403 forbidden", "this needs a key with the scope admin"], "{path}");
    }
    let (changes,): (i64,) =
        sqlx::query_as("select count(*) from change").fetch_one(gateway.schema.pool()).await.unwrap();
    assert_eq!(changes, 0);
    gateway.close().await;
}

/// Page by page, each row once, and no further page behind the last.
#[tokio::test]
async fn lists_are_pages() {
    let world = World::open().await;
    let id = world.gateway.account;
    for n in 0..5 {
        let name = format!("customer {n}");
        let body = serde_json::json!({"name": name, "lines": [format!("50{n}")]});
        assert_eq!(world.ask("POST", "/v1/admin/accounts", Some(body)).await.status, 201);
        let keys = format!("/v1/admin/accounts/{id}/keys");
        let made = world.ask("POST", &keys, Some(serde_json::json!({"scopes": ["read"]}))).await;
        assert_eq!(made.status, 201);
    }
    for (path, field, all) in [
        ("/v1/admin/accounts".to_owned(), "id", 7),
        (format!("/v1/admin/accounts/{id}/keys"), "id", 6),
        ("/v1/admin/changes".to_owned(), "id", 10),
        ("/v1/admin/lines".to_owned(), "line", 5),
        ("/v1/admin/tariffs".to_owned(), "version", 1),
    ] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = world.get(&format!("{path}?limit=2{cursor}")).await;
            let rows = page["data"].as_array().unwrap();
            assert!((1..=2).contains(&rows.len()), "{path}: {page}");
            seen.extend(rows.iter().map(|row| row[field].to_string()));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(seen.len(), all, "{path}: {seen:?}");
        let whole = world.get(&path).await;
        let whole: Vec<_> =
            whole["data"].as_array().unwrap().iter().map(|row| row[field].to_string()).collect();
        assert_eq!(seen, whole, "{path}");
    }
    world.gateway.close().await;
}
