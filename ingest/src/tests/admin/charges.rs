//! Charges: who may book them, to which account.

use serde_json::{Value, json};

use super::World;
use crate::keys::Scope;

#[tokio::test]
async fn a_charge_is_answered_with_its_entry_and_the_new_balance() {
    let world = World::open().await;
    let (gateway, id) = (&world.gateway, world.gateway.account);
    let path = format!("/v1/accounts/{id}/charges");
    let own = gateway.key_of(id, &[Scope::Charge]).await;
    let charged =
        gateway.with_key(&own, "POST", &path, Some(&json!({"amount": 500, "reference": "invoice 12"}))).await;
    assert_eq!(charged.status, 201, "{}", charged.text);
    let expected = json!({"id": "[id]", "type": "charge", "amount": 500, "balance": 1_000_500, "currency": "IRR",
                          "reference": "invoice 12", "created_at": "[time]"});
    assert_eq!(charged.stable()["body"], expected);
    let by_admin = world.ask("POST", &path, Some(json!({"amount": 1}))).await;
    assert_eq!((&by_admin.body["balance"], &by_admin.body["reference"]), (&json!(1_000_501), &Value::Null));
    let entries: Vec<(i64, i64, Option<String>)> = sqlx::query_as(
        "select id, amount, reference from entry where account_id = $1 order by id desc limit 2",
    )
    .bind(id)
    .fetch_all(gateway.schema.pool())
    .await
    .unwrap();
    assert_eq!(by_admin.body["id"], entries[0].0.to_string());
    assert_eq!((entries[1].1, entries[1].2.as_deref()), (500, Some("invoice 12")));

    let changes = world.get(&format!("/v1/admin/changes?subject=account%20{id}")).await;
    let change = &changes["data"][1];
    assert_eq!(
        (&change["what"], &change["before"]),
        (&json!("account.charge"), &json!({"balance": 1_000_000}))
    );
    let after =
        json!({"balance": 1_000_500, "amount": 500, "entry": entries[1].0, "reference": "invoice 12"});
    assert_eq!(change["after"], after);
    assert!(change["who"].as_str().unwrap().starts_with("key ") && change["who"] != world.who);
    assert_eq!(changes["data"][0]["who"], world.who);
    world.gateway.close().await;
}

/// A key of scope charge reaches its own account, and no other exists for it.
#[tokio::test]
async fn who_may_charge_what() {
    let world = World::open().await;
    let gateway = &world.gateway;
    let other = gateway.account_with(0).await;
    let path = |id: &str| format!("/v1/accounts/{id}/charges");
    let body = json!({"amount": 500});
    let own = gateway.key_of(gateway.account, &[Scope::Charge]).await;
    let without = gateway.key_of(gateway.account, &[Scope::Send, Scope::Read]).await;
    let other = other.to_string();
    for id in [other.as_str(), "999", "0", "x"] {
        let answer = gateway.with_key(&own, "POST", &path(id), Some(&body)).await;
        assert_eq!(answer.status, 404, "{id}");
    }
    for id in ["999", "0", "x"] {
        assert_eq!(world.ask("POST", &path(id), Some(body.clone())).await.status, 404, "{id}");
    }
    let answer = gateway.with_key(&without, "POST", &path(&gateway.account.to_string()), Some(&body)).await;
    assert_eq!(answer.lines(), ["403 forbidden", "this needs a key with the scope charge or admin"]);
    let full = json!({"amount": i64::MAX});
    let answer = world.ask("POST", &path(&gateway.account.to_string()), Some(full)).await;
    let says = "amount out_of_range: expected an amount with which the balance fits in 63 bits";
    assert_eq!(answer.lines(), ["400 invalid_request", says]);
    let (booked,): (i64,) =
        sqlx::query_as("select count(*) from change").fetch_one(gateway.schema.pool()).await.unwrap();
    assert_eq!(booked, 0);
    world.gateway.close().await;
}

/// Once for all requests with its key: one entry, one row of change, one answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_charge_that_is_sent_again_is_booked_once() {
    let world = World::open().await;
    let (gateway, id) = (&world.gateway, world.gateway.account);
    let own = gateway.key_of(id, &[Scope::Charge]).await;
    let send = async |amount: i64| {
        let request = axum::http::Request::post(format!("/v1/accounts/{id}/charges"))
            .header("x-api-key", &own)
            .header("idempotency-key", "invoice-12")
            .header("content-type", "application/json");
        gateway.ask(request.body(json!({ "amount": amount }).to_string().into()).unwrap()).await
    };
    let (one, two) = tokio::join!(send(500), send(500));
    let three = send(500).await;
    let replayed = |answer: &super::Answer| answer.headers.contains_key("idempotent-replayed");
    for answer in [&one, &two, &three] {
        assert_eq!(answer.status, 201, "{}", answer.text);
        assert_eq!(answer.body, one.body);
    }
    assert!(replayed(&one) != replayed(&two) && replayed(&three));
    assert_eq!(send(501).await.lines()[0], "409 idempotency_conflict");
    let counts: (i64, i64) = sqlx::query_as(
        "select (select count(*) from change), (select count(*) from entry where amount = 500)",
    )
    .fetch_one(gateway.schema.pool())
    .await
    .unwrap();
    assert_eq!(counts, (1, 1));
    assert_eq!(gateway.with_key(&gateway.key, "GET", "/v1/balance", None).await.body["balance"], 1_000_500);
    world.gateway.close().await;
}
