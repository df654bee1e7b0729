//! Everything bad is named, and changes nothing.

use serde_json::json;

use super::World;
use crate::tests::bad_input::Answers;

#[tokio::test]
async fn what_administrators_get_wrong() {
    let world = World::open().await;
    let id = world.gateway.account;
    let (account, keys) = (format!("/v1/admin/accounts/{id}"), format!("/v1/admin/accounts/{id}/keys"));
    let key = "/v1/admin/keys/01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e/rotate";
    let (charges, accounts) = (format!("/v1/accounts/{id}/charges"), "/v1/admin/accounts");
    let (tariffs, line) = ("/v1/admin/tariffs", "/v1/admin/lines/3000");
    let long = "x".repeat(201);
    let lanes = json!([{"lane": "express", "price": 1}, {"lane": "standard", "price": 1}, {"lane": "bulk", "price": 1}]);
    let with = |more: serde_json::Value| {
        let mut prices = lanes.clone();
        prices.as_array_mut().unwrap().push(more);
        json!({ "prices": prices })
    };
    let cases = [
        ("account: nothing", "POST", accounts, json!({})),
        ("account: a list", "POST", accounts, json!([])),
        (
            "account: wrong types",
            "POST",
            accounts,
            json!({"name": 1, "lines": "100", "suspended": "no", "id": "7"}),
        ),
        ("account: blank name, no line", "POST", accounts, json!({"name": " ", "lines": []})),
        ("account: a long name", "POST", accounts, json!({"name": long, "lines": ["1"]})),
        (
            "account: wrong lines",
            "POST",
            accounts,
            json!({"name": "a", "lines": ["1 2", "", "123456789012345678901", null, 7]}),
        ),
        ("account: a line twice", "POST", accounts, json!({"name": "a", "lines": ["1", "2", "1"]})),
        ("account: too many lines", "POST", accounts, json!({"name": "a", "lines": vec!["1"; 1_001]})),
        (
            "account: limits",
            "POST",
            accounts,
            json!({"name": "a", "lines": ["1"], "rate_limit_per_minute": 0, "express_rate_limit_per_minute": 100_000_001}),
        ),
        (
            "account, changed: all wrong",
            "PATCH",
            &account,
            json!({"name": "", "lines": [], "rate_limit_per_minute": -1, "express_rate_limit_per_minute": "9", "suspended": 1, "balance": 5}),
        ),
        ("key: nothing", "POST", &keys, json!({})),
        ("key: no scope", "POST", &keys, json!({"scopes": []})),
        ("key: unknown scopes", "POST", &keys, json!({"scopes": ["send", "fly", 7]})),
        ("key: too many scopes", "POST", &keys, json!({"scopes": ["send", "send", "send", "send", "send"]})),
        ("rotate: long", "POST", key, json!({"grace_seconds": 2_592_001})),
        ("rotate: negative", "POST", key, json!({"grace_seconds": -1})),
        ("rotate: in words", "POST", key, json!({"grace": "24h"})),
        ("line: nothing", "PUT", line, json!({})),
        ("line: wrong types", "PUT", line, json!({"advertising": "yes", "note": 7})),
        ("line: a long note", "PUT", line, json!({"advertising": true, "note": long})),
        ("line: no line", "PUT", "/v1/admin/lines/30-00", json!({"advertising": true})),
        ("tariff: nothing", "POST", tariffs, json!({})),
        ("tariff: no price", "POST", tariffs, json!({"prices": []})),
        (
            "tariff: a lane without a price",
            "POST",
            tariffs,
            json!({"prices": [{"lane": "express", "price": 1}, {"lane": "bulk", "price": 1}]}),
        ),
        ("tariff: a price twice", "POST", tariffs, with(json!({"lane": "bulk", "price": 2}))),
        (
            "tariff: wrong prices",
            "POST",
            tariffs,
            with(json!({"lane": "fast", "encoding": "utf8", "prefix": "0912", "price": -1, "x": 1})),
        ),
        ("tariff: half a price", "POST", tariffs, with(json!({"encoding": "ucs2"}))),
        (
            "tariff: a price beyond all",
            "POST",
            tariffs,
            with(json!({"lane": "bulk", "prefix": "98", "price": 1_000_000_000_001_i64})),
        ),
        ("tariff: not a time", "POST", tariffs, json!({"prices": lanes, "effective_at": "tomorrow"})),
        (
            "tariff: a time that is over",
            "POST",
            tariffs,
            json!({"prices": lanes, "effective_at": "2026-01-01T00:00:00Z"}),
        ),
        (
            "tariff, dry: a time that is over",
            "POST",
            "/v1/admin/tariffs?dry_run=true",
            json!({"prices": lanes, "effective_at": "2026-01-01T00:00:00Z"}),
        ),
        ("account: a name of two lines", "POST", accounts, json!({"name": "a\nb", "lines": ["1"]})),
        ("tariff: dry or not", "POST", "/v1/admin/tariffs?dry_run=maybe", json!({"prices": lanes})),
        ("tariff: another parameter", "POST", "/v1/admin/tariffs?dryrun=true", json!({"prices": lanes})),
        (
            "tariff, dry: a lane without a price",
            "POST",
            "/v1/admin/tariffs?dry_run=true",
            json!({"prices": [{"lane": "bulk", "price": 1}]}),
        ),
        ("charge: nothing", "POST", &charges, json!({})),
        ("charge: none", "POST", &charges, json!({"amount": 0})),
        ("charge: negative", "POST", &charges, json!({"amount": -5})),
        ("charge: a fraction", "POST", &charges, json!({"amount": 1.5})),
        ("charge: digits in a string", "POST", &charges, json!({"amount": "5"})),
        ("charge: a blank reference", "POST", &charges, json!({"amount": 5, "reference": " ", "account": 7})),
    ];
    let mut answers = Answers::new();
    for (what, method, path, body) in cases {
        answers.keep(what, &world.ask(method, path, Some(body)).await);
    }
    for (what, path) in [
        ("list: limits", "/v1/admin/accounts?limit=501"),
        ("list: none", "/v1/admin/accounts?limit=0"),
        ("list: a cursor of nobody", "/v1/admin/accounts?cursor=x"),
        ("list: twice", "/v1/admin/accounts?limit=5&limit=6"),
        ("list: unknown", "/v1/admin/accounts?limit=x&page=2"),
        ("keys: a cursor of nobody", &format!("{keys}?cursor=7")),
        ("lines: a cursor of nobody", "/v1/admin/lines?cursor=3-0"),
        ("tariffs: a cursor of nobody", "/v1/admin/tariffs?cursor=two"),
        ("changes: of nothing", "/v1/admin/changes?subject=&cursor=%20"),
        ("account: a parameter", &format!("{account}?x=1")),
    ] {
        answers.keep(what, &world.ask("GET", path, None).await);
    }
    insta::assert_json_snapshot!(answers.0);
    let counts: (i64, i64, i64, i64, i64) = sqlx::query_as(
        "select (select count(*) from change), (select count(*) from account), (select count(*) from api_key),
                (select count(*) from tariff_version), (select count(*) from line)",
    )
    .fetch_one(world.gateway.schema.pool())
    .await
    .unwrap();
    assert_eq!(counts, (0, 2, 2, 1, 0), "nothing was changed");
    world.gateway.close().await;
}
