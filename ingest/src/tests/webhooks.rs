//! Making, listing, changing and testing webhook endpoints, and what became of deliveries.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::gateway::{Answer, Gateway};
use crate::keys::Scope;

const URL: &str = "https://customer.example/sms/events";

async fn delete(gateway: &Gateway, path: &str) -> Answer {
    gateway.ask(gateway.request("DELETE", path).body(Body::empty()).unwrap()).await
}

async fn made(gateway: &Gateway, body: Value) -> (String, String) {
    let answer = gateway.post_json("/v1/webhooks", &body).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let word = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (word("id"), word("secret"))
}

/// What a receiver was sent.
type Heard = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

async fn receiver(status: StatusCode) -> (SocketAddr, Heard) {
    let heard = Heard::default();
    let keep = Arc::clone(&heard);
    let take = move |headers: HeaderMap, body: Bytes| async move {
        keep.lock().unwrap().push((headers, body));
        status
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(take))).await });
    (address, heard)
}

#[tokio::test]
async fn an_endpoint_is_made_listed_and_deleted_and_its_secret_shown_once() {
    let gateway = Gateway::without_topics().await;
    let answer = gateway.post_json("/v1/webhooks", &json!({"url": URL})).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    let secret = answer.body["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() == 6 + 44, "{secret}");
    let all = ["sent", "delivered", "undelivered", "failed", "expired", "refused", "blocked", "canceled"];
    let mut expected = json!({
        "id": answer.body["id"], "url": URL, "events": all, "batch_size": 1, "status": "enabled",
        "disabled_reason": null, "disabled_at": null, "failures": 0, "dropped_events": 0,
        "last_success_at": null, "created_at": answer.body["created_at"], "secret": secret,
    });
    assert_eq!(answer.body, expected);
    let body = json!({"url": URL, "events": ["failed", "delivered", "failed"], "batch_size": 500});
    let (id, other) = made(&gateway, body).await;
    assert_ne!(other, secret);

    let list = gateway.get("/v1/webhooks").await;
    assert_eq!((list.status.as_u16(), list.headers["cache-control"].to_str().unwrap()), (200, "no-store"));
    expected.as_object_mut().unwrap().remove("secret");
    assert_eq!((&list.body["data"][1], &list.body["next_cursor"]), (&expected, &Value::Null));
    assert_eq!(list.body["data"][0]["events"], json!(["delivered", "failed"]));
    assert!(!list.text.contains("whsec_"), "{}", list.text);

    // It is of the partition whose holder knows what happens to the account.
    let partition: i32 = sqlx::query_scalar("select distinct partition from webhook_endpoint")
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap();
    assert_eq!(partition, domain::partition::of_account(gateway.account, gateway.common.partitions));

    assert_eq!(delete(&gateway, &format!("/v1/webhooks/{id}")).await.status, 204);
    assert_eq!(delete(&gateway, &format!("/v1/webhooks/{id}")).await.status, 404);
    assert_eq!(gateway.get("/v1/webhooks").await.body["data"].as_array().unwrap().len(), 1);
    let left: (Vec<u8>, Option<Vec<u8>>) =
        sqlx::query_as("select secret, previous_secret from webhook_endpoint where deleted_at is not null")
            .fetch_one(gateway.schema.pool())
            .await
            .unwrap();
    assert_eq!(left, (vec![], None), "secrets go at once");
    gateway.close().await;
}

#[tokio::test]
async fn everything_wrong_with_an_endpoint_is_named() {
    let gateway = Gateway::without_topics().await;
    for (body, expected) in [
        (json!({}), vec!["url required"]),
        (
            json!({"url": 7, "events": "all", "batch_size": "2", "secret": "x"}),
            vec!["batch_size wrong_type", "events wrong_type", "secret unknown_field", "url wrong_type"],
        ),
        (json!({"url": URL, "events": ["queued"]}), vec!["events[0] out_of_range"]),
        (json!({"url": URL, "events": []}), vec!["events out_of_range"]),
        (json!({"url": URL, "events": vec!["sent"; 17]}), vec!["events too_many"]),
        (json!({"url": URL, "batch_size": 0}), vec!["batch_size out_of_range"]),
        (json!({"url": URL, "batch_size": 501}), vec!["batch_size out_of_range"]),
        (json!({"url": ""}), vec!["url out_of_range"]),
        (json!({"url": "ftp://example.com/"}), vec!["url out_of_range"]),
        (json!({"url": "https://user:pass@example.com/"}), vec!["url out_of_range"]),
        (json!({"url": "https://10.0.0.1/"}), vec!["url out_of_range"]),
        (json!({"url": "https://0x0a000001/"}), vec!["url out_of_range"]),
        (json!({"url": "https://[::ffff:169.254.169.254]/"}), vec!["url out_of_range"]),
        (json!({"url": "http://8.8.8.8/"}), vec!["url out_of_range"]),
    ] {
        let answer = gateway.post_json("/v1/webhooks", &body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (400, &json!("invalid_request")),
            "{body}"
        );
        let word = |e: &Value, name: &str| e[name].as_str().unwrap().to_owned();
        let errors = answer.body["errors"].as_array().unwrap();
        let mut errors: Vec<String> =
            errors.iter().map(|e| format!("{} {}", word(e, "field"), word(e, "code"))).collect();
        errors.sort();
        assert_eq!(errors, expected, "{body}");
    }
    assert!(gateway.get("/v1/webhooks").await.body["data"].as_array().unwrap().is_empty());
    gateway.close().await;
}

#[tokio::test]
async fn an_account_has_so_many_endpoints_however_they_are_asked_for() {
    let gateway = Gateway::without_topics().await;
    let body = json!({"url": URL});
    let at_once: Vec<_> = (0..6).map(|_| gateway.post_json("/v1/webhooks", &body)).collect();
    let mut statuses: Vec<u16> =
        futures::future::join_all(at_once).await.iter().map(|answer| answer.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 201, 400, 400, 400]);
    gateway.close().await;
}

#[tokio::test]
async fn an_endpoint_belongs_to_its_account_and_needs_both_scopes() {
    let mut gateway = Gateway::without_topics().await;
    let (id, _) = made(&gateway, json!({"url": URL})).await;
    let paths = |id: &str| {
        [
            ("DELETE", format!("/v1/webhooks/{id}")),
            ("POST", format!("/v1/webhooks/{id}/rotate-secret")),
            ("POST", format!("/v1/webhooks/{id}/test")),
            ("GET", format!("/v1/webhooks/{id}/deliveries")),
        ]
    };
    let of = async |gateway: &Gateway, method: &str, path: &str| {
        gateway.ask(gateway.request(method, path).body(Body::empty()).unwrap()).await.status.as_u16()
    };
    for nobody in ["0", "-1", "007", "x", "9223372036854775808", "999999"] {
        for (method, path) in paths(nobody) {
            assert_eq!(of(&gateway, method, &path).await, 404, "{method} {path}");
        }
    }
    for (scopes, write, read) in
        [([Scope::Read], 403, 200), ([Scope::Send], 403, 403), ([Scope::Admin], 403, 403)]
    {
        gateway.key = gateway.key_of(gateway.account, &scopes).await;
        for (method, path) in paths(&id) {
            let expected = if method == "GET" { read } else { write };
            assert_eq!(of(&gateway, method, &path).await, expected, "{scopes:?} {method} {path}");
        }
        assert_eq!(gateway.post_json("/v1/webhooks", &json!({"url": URL})).await.status, 403);
        assert_eq!(of(&gateway, "GET", "/v1/webhooks").await, read);
    }
    let other = gateway.account_with(0).await;
    gateway.key = gateway.key_of(other, &[Scope::Send, Scope::Read]).await;
    for (method, path) in paths(&id) {
        assert_eq!(of(&gateway, method, &path).await, 404, "{method} {path}");
    }
    assert!(gateway.get("/v1/webhooks").await.body["data"].as_array().unwrap().is_empty());
    gateway.close().await;
}

#[tokio::test]
async fn a_test_says_what_came_of_it_and_is_signed_by_both_secrets_after_a_rotation() {
    let gateway = Gateway::without_topics().await;
    let (address, heard) = receiver(StatusCode::ACCEPTED).await;
    let (id, first) = made(&gateway, json!({"url": format!("http://{address}/hook")})).await;
    let test = async |id: &str| gateway.post(&format!("/v1/webhooks/{id}/test"), Body::empty()).await.body;
    let tested = test(&id).await;
    assert_eq!((&tested["delivered"], &tested["http_status"]), (&json!(true), &json!(202)), "{tested}");
    let rotated = gateway.post(&format!("/v1/webhooks/{id}/rotate-secret"), Body::empty()).await;
    let second = rotated.body["secret"].as_str().unwrap().to_owned();
    assert_eq!(rotated.status, 200);
    assert!(second != first && second.starts_with("whsec_"), "{second}");
    assert!(rotated.body["former_signs_until"].as_str().unwrap().ends_with('Z'));
    let again = test(&id).await;
    let heard = heard.lock().unwrap().clone();
    assert_eq!((heard.len(), &again["delivered"]), (2, &json!(true)));
    for ((headers, body), (tested, secrets)) in
        heard.iter().zip([(tested, vec![&first]), (again, vec![&second, &first])])
    {
        assert_eq!(headers["webhook-id"], tested["webhook_id"].as_str().unwrap());
        let timestamp = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        let key = |shown: &&String| {
            use base64::Engine;
            let bytes =
                base64::engine::general_purpose::STANDARD.decode(shown.strip_prefix("whsec_").unwrap());
            platform::webhook::WebhookSecret::new(bytes.unwrap())
        };
        let keys: Vec<_> = secrets.iter().map(key).collect();
        let id = headers["webhook-id"].to_str().unwrap();
        let expected = platform::webhook::signature(&keys, id, timestamp, body);
        assert_eq!(headers["webhook-signature"], expected);
        let body: Value = serde_json::from_slice(body).unwrap();
        assert_eq!((&body["type"], &body["data"]["status"]), (&json!("webhook.test"), &json!("delivered")));
    }
    gateway.close().await;
}

#[tokio::test]
async fn a_test_that_fails_says_why() {
    let gateway = Gateway::without_topics().await;
    let (refuses, _) = receiver(StatusCode::BAD_REQUEST).await;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for (url, status, error) in [
        (format!("http://{refuses}/hook"), json!(400), json!(null)),
        (format!("http://{closed}/hook"), json!(null), json!("no_connection")),
        (format!("https://{refuses}/hook"), json!(null), json!("tls")),
    ] {
        let (id, _) = made(&gateway, json!({"url": url, "batch_size": 2})).await;
        let tested = gateway.post(&format!("/v1/webhooks/{id}/test"), Body::empty()).await;
        assert_eq!(tested.status, 200);
        let body = &tested.body;
        assert_eq!(
            (&body["delivered"], &body["http_status"], &body["error"]),
            (&json!(false), &status, &error)
        );
    }
    gateway.close().await;
}

#[tokio::test]
async fn deliveries_are_listed_page_by_page() {
    let gateway = Gateway::without_topics().await;
    let (id, _) = made(&gateway, json!({"url": URL})).await;
    sqlx::query(
        "insert into webhook_delivery (webhook_id, endpoint_id, messages, events, happened_at, created_at,
                                       attempts, last_attempt_at, due, outcome, last_status, last_trouble, last_ms)
         select gen_random_uuid(), $1, n, case n when 3 then '\\x00'::bytea end, now(), now(), n, now(),
                case n when 3 then now() end, case n when 1 then 'delivered' when 2 then 'failed' end,
                case n when 1 then 204 end, case n when 1 then null else 'timeout' end, 38
         from generate_series(1, 3) as n",
    )
    .bind(id.parse::<i64>().unwrap())
    .execute(gateway.schema.pool())
    .await
    .unwrap();
    let path = format!("/v1/webhooks/{id}/deliveries");
    let first = gateway.get(&format!("{path}?limit=2")).await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = gateway.get(&format!("{path}?limit=2&cursor={cursor}")).await.body;
    assert_eq!(second["next_cursor"], Value::Null);
    let all =
        [first["data"].as_array().unwrap().clone(), second["data"].as_array().unwrap().clone()].concat();
    let words = |name: &str| -> Vec<Value> { all.iter().map(|one| one[name].clone()).collect() };
    assert_eq!(words("status"), ["pending", "failed", "delivered"]);
    assert_eq!(words("http_status"), [json!(null), json!(null), json!(204)]);
    assert_eq!(words("error"), [json!("timeout"), json!("timeout"), json!(null)]);
    assert_eq!(words("events"), [json!(3), json!(2), json!(1)]);
    assert!(all[0]["next_attempt_at"].is_string() && all[1]["next_attempt_at"].is_null());
    assert_eq!(gateway.get(&path).await.body["data"].as_array().unwrap().len(), 3);
    for (query, code) in [
        ("limit=0", "out_of_range"),
        ("limit=501", "out_of_range"),
        ("limit=x", "wrong_type"),
        ("limit=1&limit=2", "wrong_type"),
        ("cursor=-1", "out_of_range"),
        ("cursor=x", "wrong_type"),
        ("page=2", "unknown_field"),
    ] {
        let answer = gateway.get(&format!("{path}?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["errors"][0]["code"]),
            (400, &json!(code)),
            "{query}"
        );
    }
    gateway.close().await;
}
