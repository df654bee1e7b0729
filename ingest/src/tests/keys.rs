//! Who may do what.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::gateway::{Answer, Gateway};
use crate::keys::{KeyError, Scope, create};

fn balance(headers: &[(&str, &str)]) -> Request<Body> {
    let request = Request::get("/v1/balance");
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn every_endpoint_wants_a_key() {
    let gateway = Gateway::without_topics().await;
    let (good, unknown) = (gateway.key.clone(), format!("sk_{}", "a".repeat(43)));
    let bearer = format!("Bearer {good}");
    let cases: [(&str, Vec<(&str, &str)>); 6] = [
        ("none", vec![]),
        ("not the form of a key", vec![("x-api-key", "sk_short")]),
        ("another scheme", vec![("authorization", "Basic dXNlcjpwYXNz")]),
        ("unknown", vec![("x-api-key", &unknown)]),
        ("unknown, again", vec![("x-api-key", &unknown)]),
        ("two that differ", vec![("authorization", &bearer), ("x-api-key", &unknown)]),
    ];
    let mut answers = serde_json::Map::new();
    for (what, headers) in cases {
        let answer = gateway.ask(balance(&headers)).await;
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
        answers.insert(what.into(), answer.lines().into());
    }
    insta::assert_json_snapshot!(Value::from(answers));

    for (method, path) in [
        ("POST", "/v1/messages"),
        ("POST", "/v1/messages/bulk"),
        ("POST", "/v1/messages/preview"),
        ("GET", "/v1/messages/256"),
        ("GET", "/v1/messages/bulk/256"),
        ("GET", "/v1/balance"),
        ("POST", "/v1/accounts/1/charges"),
        ("POST", "/v1/webhooks"),
        ("GET", "/v1/webhooks"),
        ("DELETE", "/v1/webhooks/1"),
        ("POST", "/v1/webhooks/1/rotate-secret"),
        ("POST", "/v1/webhooks/1/test"),
        ("GET", "/v1/webhooks/1/deliveries"),
    ]
    .into_iter()
    .chain(super::admin::ENDPOINTS)
    {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        assert_eq!(gateway.ask(request).await.status, 401, "{method} {path}");
    }
    for headers in
        [vec![("x-api-key", good.as_str())], vec![("authorization", &bearer), ("x-api-key", &good)]]
    {
        assert_eq!(gateway.ask(balance(&headers)).await.status, 200);
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_key_does_what_its_scopes_allow() {
    let mut gateway = Gateway::without_topics().await;
    let message = json!({"to": "09123456789", "text": "hello"});
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send, Scope::Charge]).await;
    let forbidden = [
        gateway.get("/v1/balance").await,
        gateway.get("/v1/messages/256").await,
        gateway.get("/v1/messages/bulk/256").await,
        gateway.post_json("/v1/messages/preview", &message).await,
    ];
    gateway.key = gateway.key_of(gateway.account, &[Scope::Read, Scope::Admin]).await;
    let mut all: Vec<Answer> = forbidden.into();
    all.push(gateway.post_json("/v1/messages", &message).await);
    all.push(gateway.post_json("/v1/messages/bulk", &message).await);
    insta::assert_json_snapshot!(all.iter().map(Answer::lines).collect::<Vec<_>>());
    gateway.close().await;
}

#[tokio::test]
async fn a_revoked_key_ends_and_the_table_has_no_key() {
    let gateway = Gateway::without_topics().await;
    assert_eq!(gateway.get("/v1/balance").await.status, 200);
    let pool = gateway.schema.pool();
    sqlx::query("update api_key set revoked_at = clock_timestamp()").execute(pool).await.unwrap();
    let since = Instant::now();
    while gateway.get("/v1/balance").await.status == 200 {
        assert!(since.elapsed() < Duration::from_secs(5), "believed for longer than known_ms");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stored: Vec<(String,)> =
        sqlx::query_as("select api_key::text from api_key").fetch_all(pool).await.unwrap();
    assert!(stored.iter().all(|(row,)| !row.contains(&gateway.key[3..])));

    let mut connection = pool.acquire().await.unwrap();
    let none = create(&mut connection, 999, &[Scope::Read]).await;
    assert!(matches!(none, Err(KeyError::NoAccount(999))));
    assert!(matches!(create(&mut connection, gateway.account, &[]).await, Err(KeyError::NoScope)));
    drop(connection);
    gateway.close().await;
}
