//! The endpoints of the old gateway: `smshub/tests/legacy` plays a whole client; here is what a
//! client cannot bring about.

use axum::body::Body;
use axum::http::Request;
use domain::lane::Lane;
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway};
use super::sending::submitted;
use super::settings::settings;
use crate::keys::Scope;

const SEND: &str = "/sms/v1/send";
const CHARGE: &str = "/billing/v1/charge";

fn message(gateway: &Gateway) -> Value {
    json!({"user_id": gateway.account, "receiver": "09123456789", "content": "hello", "is_express": true})
}

/// Status and body of a refusal in an old shape.
fn old(answer: &Answer) -> (u16, Value) {
    assert_eq!(answer.headers["content-type"], "application/json", "{}", answer.text);
    assert!(answer.headers.contains_key("request-id"));
    (answer.status.as_u16(), answer.body.clone())
}

fn detail(status: u16, detail: &str) -> (u16, Value) {
    (status, json!({ "detail": detail }))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_is_what_the_new_endpoint_would_send() {
    let gateway = Gateway::with_topics().await;
    let express = gateway.post_json(SEND, &message(&gateway)).await;
    assert_eq!(express.status, 200, "{}", express.text);
    let form = format!(
        "user_id={}&receiver=۹۸۹۱۲۳۴۵۶۷۸۹&content=%20سلام+دنیا%20&is_express=&more=x",
        gateway.account
    );
    let request = gateway.request("POST", SEND).header("content-type", "application/x-www-form-urlencoded");
    let standard = gateway.ask(request.body(Body::from(form)).unwrap()).await;
    assert_eq!(standard.status, 200, "{}", standard.text);

    for (answer, lane, text) in [(&express, Lane::Express, "hello"), (&standard, Lane::Standard, "سلام دنیا")]
    {
        let [chunk] = <[_; 1]>::try_from(submitted(&gateway, lane)).unwrap();
        let id = chunk.id.message(0).get();
        assert_eq!(
            (&answer.body["sms_id"], &answer.body["sms_id_str"]),
            (&json!(id), &json!(id.to_string()))
        );
        assert_eq!(answer.body["task_id"], answer.headers["request-id"].to_str().unwrap());
        assert_eq!(answer.body.as_object().unwrap().len(), 3);
        assert_eq!((chunk.line.as_str(), chunk.recipients[0].get()), ("100002", 989_123_456_789));
        assert_eq!((chunk.asked_lane, chunk.text(0).unwrap().body.as_str()), (lane, text));
        let lasts = if lane == Lane::Express { 300_000 } else { 86_400_000 };
        assert_eq!((chunk.account, chunk.send_by.0 - chunk.created_at.0), (gateway.account, lasts));
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_have_their_old_shapes_whatever_goes_wrong() {
    let mut settings = settings();
    settings.rates.express_segments_per_minute = 1;
    settings.produce.ack_timeout_ms = 200;
    // No topics: Kafka takes nothing.
    let mut gateway = Gateway::open(settings, false).await;
    let unknown = gateway.post_json(SEND, &message(&gateway)).await;
    let (status, body) = old(&unknown);
    assert!(status == 503 && body["detail"].as_str().unwrap().contains("unknown"), "{body}");
    assert!(unknown.headers.contains_key("retry-after"));

    let throttled = gateway.post_json(SEND, &message(&gateway)).await;
    let seconds = throttled.headers["retry-after"].to_str().unwrap().to_owned();
    let said = format!("Request was throttled. Expected available in {seconds} seconds.");
    assert_eq!(old(&throttled), detail(429, &said));
    assert_eq!(
        (&throttled.headers["ratelimit-limit"], &throttled.headers["ratelimit-remaining"]),
        (&"1".parse::<axum::http::HeaderValue>().unwrap(), &"0".parse::<axum::http::HeaderValue>().unwrap())
    );

    for (method, path) in [("GET", SEND), ("PUT", SEND), ("DELETE", CHARGE)] {
        let refused = gateway.ask(gateway.request(method, path).body(Body::empty()).unwrap()).await;
        assert_eq!(old(&refused), detail(405, &format!("Method \"{method}\" not allowed.")));
        assert_eq!(refused.headers["allow"], "POST");
    }
    let large = json!({"content": "x".repeat(8_192)});
    assert_eq!(
        old(&gateway.post_json(SEND, &large).await),
        detail(413, "the body may have at most 8192 bytes")
    );
    let body = Body::from_stream(futures::stream::pending::<Result<&str, std::convert::Infallible>>());
    let slow = gateway.request("POST", SEND).header("content-type", "application/json").body(body).unwrap();
    assert_eq!(old(&gateway.ask(slow).await), detail(408, "the body did not come in time"));
    let zipped =
        gateway.request("POST", SEND).header("content-encoding", "gzip").body(Body::from("x")).unwrap();
    assert_eq!(old(&gateway.ask(zipped).await).0, 415);

    gateway.key = gateway.key_of(gateway.account, &[Scope::Send, Scope::Charge, Scope::Admin]).await;
    let charge = json!({"user_id": gateway.account, "amount": i64::MAX});
    let said = json!({"error": "The balance would be too large"});
    assert_eq!(old(&gateway.post_json(CHARGE, &charge).await), (400, said));
    gateway.schema.pools().close().await;
    for (path, body) in
        [(CHARGE, &charge), (SEND, &json!({"user_id": 99, "receiver": "09123456789", "content": "x"}))]
    {
        let away = gateway.post_json(path, body).await;
        assert!(old(&away).0 == 503 && away.headers.contains_key("retry-after"), "{}", away.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_speaks_for_its_own_account_and_an_administrators_for_any() {
    let mut gateway = Gateway::with_topics().await;
    let (own, other) = (gateway.account, gateway.account_with(10_000).await);
    let charge = |account: i64| json!({"user_id": account, "amount": "۱۰"});
    let send = |account: i64| json!({"user_id": account, "receiver": "09123456789", "content": "x"});
    let request = Request::post(SEND).header("content-type", "application/json");
    let nobody = gateway.ask(request.body(Body::from(send(own).to_string())).unwrap()).await;
    assert_eq!(old(&nobody), detail(401, "Authentication credentials were not provided."));
    assert_eq!(nobody.headers["www-authenticate"], "Bearer");
    for key in ["sk_short".to_owned(), format!("sk_{}", "a".repeat(43))] {
        let request = Request::post(SEND).header("x-api-key", key);
        assert_eq!(
            old(&gateway.ask(request.body(Body::empty()).unwrap()).await),
            detail(401, "Invalid token.")
        );
    }

    let mut statuses = Vec::new();
    for scope in Scope::ALL {
        gateway.key = gateway.key_of(own, &[scope]).await;
        let mut of_scope = Vec::new();
        for (path, body) in [
            (CHARGE, charge(own)),
            (CHARGE, charge(other)),
            (CHARGE, charge(987_654)),
            (SEND, send(own)),
            (SEND, send(other)),
            (SEND, send(-1)),
        ] {
            let answer = gateway.post_json(path, &body).await;
            if answer.status != 200 {
                let (status, body) = old(&answer);
                assert!(status != 404 || body == json!({"detail": "No User matches the given query."}));
            }
            of_scope.push(answer.status.as_u16());
        }
        statuses.push((scope, of_scope));
    }
    assert_eq!(
        statuses,
        [
            (Scope::Send, vec![403, 403, 403, 200, 403, 403]),
            (Scope::Read, vec![403; 6]),
            (Scope::Charge, vec![200, 403, 403, 403, 403, 403]),
            (Scope::Admin, vec![200, 200, 404, 200, 200, 404]),
        ]
    );
    let answer = gateway.post_json(CHARGE, &charge(other)).await;
    assert_eq!(answer.body, json!({"user_id": other, "total_balance": 10_020}));
    gateway.account = other;
    assert_eq!(submitted(&gateway, Lane::Standard).len(), 1, "for the other account, by an administrator");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_user_sends_nothing_whoever_asks_and_a_charge_says_who_made_it() {
    let mut gateway = Gateway::without_topics().await;
    let suspend = sqlx::query("update account set suspended_at = now() where id = $1").bind(gateway.account);
    suspend.execute(gateway.schema.pool()).await.unwrap();
    let administrator = gateway.account_with(0).await;
    for (account, scope) in [(gateway.account, Scope::Send), (administrator, Scope::Admin)] {
        gateway.key = gateway.key_of(account, &[scope]).await;
        let (status, body) = old(&gateway.post_json(SEND, &message(&gateway)).await);
        assert!(status == 403 && body["detail"].as_str().unwrap().contains("suspended"), "{body}");
    }
    let charge = json!({"user_id": gateway.account, "amount": 7});
    assert_eq!(gateway.post_json(CHARGE, &charge).await.status, 200);
    let change = sqlx::query_as("select who, what, subject from change order by id desc limit 1");
    let (who, what, subject): (String, String, String) =
        change.fetch_one(gateway.schema.pool()).await.unwrap();
    assert!(who.starts_with("key "), "{who}");
    assert_eq!((what.as_str(), subject), ("account.charge", format!("account {}", gateway.account)));
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_or_a_text_that_no_operator_takes_is_the_fields_error() {
    let gateway = Gateway::without_topics().await;
    let refused = async |field: &str, value: Value| {
        let mut body = message(&gateway);
        body[field] = value;
        let (status, mut said) = old(&gateway.post_json(SEND, &body).await);
        assert_eq!((status, said.as_object().unwrap().len()), (400, 1), "{said}");
        said[field][0].take()
    };
    let said = [
        // Nobody's mobile, a land line, another country's.
        refused("receiver", json!("123456789")).await,
        refused("receiver", json!("982112345678")).await,
        refused("receiver", json!("0033612345678")).await,
        // 480 characters that need 15 segments, and one that no handset shows.
        refused("content", json!("😀".repeat(480))).await,
        refused("content", json!("a\u{7}b")).await,
    ];
    insta::assert_json_snapshot!(said);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_an_idempotency_key_a_repeated_request_is_one() {
    let mut gateway = Gateway::with_topics().await;
    gateway.key = gateway.key_of(gateway.account, &Scope::ALL).await;
    let keyed = async |path: &str, body: &Value| {
        let request = gateway.request("POST", path).header("idempotency-key", format!("k{}", path.len()));
        let request = request.header("content-type", "application/json");
        gateway.ask(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let charge = json!({"user_id": gateway.account, "amount": 500});
    for (path, body) in [(SEND, message(&gateway)), (CHARGE, charge)] {
        let (first, again) = (keyed(path, &body).await, keyed(path, &body).await);
        assert_eq!(
            (first.status.as_u16(), again.status.as_u16()),
            (200, 200),
            "{} {}",
            first.text,
            again.text
        );
        let same = ["sms_id", "user_id", "total_balance"];
        assert!(
            same.iter().all(|field| first.body[field] == again.body[field]),
            "{} {}",
            first.text,
            again.text
        );
        assert!(!first.headers.contains_key("idempotent-replayed"));
        assert_eq!(again.headers["idempotent-replayed"], "true");
        // What was done before counts for no limit.
        assert!(!again.headers.contains_key("ratelimit-limit"));
        let mut other = body.clone();
        other["more"] = 1.into();
        let (status, body) = old(&keyed(path, &other).await);
        assert!(status == 409 && body["detail"].is_string(), "{body}");
    }
    assert_eq!(submitted(&gateway, Lane::Express).len(), 1);
    assert_eq!(gateway.get("/v1/balance").await.body["balance"], 1_000_500);

    let request = gateway.request("POST", CHARGE).header("idempotency-key", "a b");
    let body = json!({"user_id": gateway.account, "amount": 1}).to_string();
    let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
    let (status, body) = old(&gateway.ask(request).await);
    assert_eq!((status, body.as_object().unwrap().keys().next().unwrap().as_str()), (400, "Idempotency-Key"));
    gateway.close().await;
}
