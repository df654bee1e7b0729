//! Accounts and lines.

use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::World;

#[tokio::test]
async fn an_account_is_made_read_and_changed() {
    let world = World::open().await;
    let made = world
        .ask(
            "POST",
            "/v1/admin/accounts",
            Some(json!({"name": " Acme ", "lines": ["100", "200"], "rate_limit_per_minute": 70})),
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    let id = made.body["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/admin/accounts/{id}");
    let read = world.get(&path).await;
    assert_eq!((&read["keys_in_use"], &read["in_flight"]), (&json!(0), &json!(0)));
    for (field, value) in made.body.as_object().unwrap() {
        assert_eq!(read[field], *value, "{field}");
    }
    assert_eq!((&made.body["name"], &made.body["currency"]), (&json!("Acme"), &json!("IRR")));
    assert_eq!((&made.body["suspended"], &made.body["suspended_at"]), (&json!(false), &Value::Null));

    for (body, changed) in [
        (json!({"name": "Acme Ltd"}), json!({"name": "Acme Ltd"})),
        (json!({"lines": ["300"]}), json!({"lines": ["300"]})),
        (json!({"express_rate_limit_per_minute": 9}), json!({"express_rate_limit_per_minute": 9})),
        (json!({"rate_limit_per_minute": null}), json!({"rate_limit_per_minute": null})),
        (json!({"suspended": true}), json!({"suspended": true})),
        (json!({"suspended": true, "name": null}), json!({})),
        (json!({}), json!({})),
    ] {
        let before = world.get(&path).await;
        let answer = world.ask("PATCH", &path, Some(body.clone())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        for (field, value) in answer.body.as_object().unwrap() {
            let expected = changed.get(field).unwrap_or(&before[field]);
            if field == "suspended_at" && changed.get("suspended").is_some() {
                assert!(value.is_string());
            } else {
                assert_eq!(value, expected, "{body}: {field}");
            }
        }
    }
    let whats: Vec<String> =
        world.told(&format!("account {id}")).await.into_iter().map(|(what, ..)| what).collect();
    let expected = ["create", "rename", "set-line", "set-limit", "set-limit", "suspend"];
    assert_eq!(whats, expected.map(|what| format!("account.{what}")));
    for missing in ["999", "0", "-1", "007", "x", "9223372036854775808"] {
        let path = format!("/v1/admin/accounts/{missing}");
        assert_eq!(world.ask("GET", &path, None).await.status, 404, "{missing}");
        assert_eq!(
            world.ask("PATCH", &path, Some(json!({"suspended": true}))).await.status,
            404,
            "{missing}"
        );
        assert_eq!(world.ask("GET", &format!("{path}/keys"), None).await.status, 404, "{missing}");
    }
    world.gateway.close().await;
}

/// Sending is refused, reading is not; both within the time for which a key is believed.
#[tokio::test]
async fn a_suspended_account_reads_and_does_not_send() {
    let world = World::open().await;
    let gateway = &world.gateway;
    let path = format!("/v1/admin/accounts/{}", gateway.account);
    let message = json!({"to": "12", "text": "hello"});
    let many = json!({"to": ["12"], "text": "hello", "on_invalid": "reject_all"});
    // Whoever may send is told what is wrong with the message.
    assert_eq!(gateway.post_json("/v1/messages", &message).await.status, 400);
    assert_eq!(world.ask("PATCH", &path, Some(json!({"suspended": true}))).await.status, 200);
    until(|| async { gateway.post_json("/v1/messages", &message).await.status == 403 }).await;
    for (path, body) in [("/v1/messages", &message), ("/v1/messages/bulk", &many)] {
        let says = "the account is suspended: it may read, and not send; what was accepted before goes on";
        assert_eq!(gateway.post_json(path, body).await.lines(), ["403 forbidden", says]);
    }
    assert_eq!(gateway.get("/v1/balance").await.status, 200);
    assert_eq!(gateway.get("/v1/messages/256").await.status, 404);
    let preview = json!({"to": "09123456789", "text": "hello"});
    assert_eq!(gateway.post_json("/v1/messages/preview", &preview).await.status, 200);

    assert_eq!(world.ask("PATCH", &path, Some(json!({"suspended": false}))).await.status, 200);
    until(|| async { gateway.post_json("/v1/messages", &message).await.status == 400 }).await;
    assert_eq!(gateway.post_json("/v1/messages/bulk", &many).await.status, 400);
    world.gateway.close().await;
}

async fn until<F: Future<Output = bool>>(holds: impl Fn() -> F) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < Duration::from_secs(5), "believed for longer than known_ms");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn messages_under_way_are_counted() {
    let world = World::open().await;
    let id = world.gateway.account;
    sqlx::query(
        "insert into account_hour (account_id, hour, lane, status, messages)
         select $1, date_trunc('hour', clock_timestamp() - make_interval(days => back), 'UTC'), lane, status, messages
         from (values (0, 'bulk', 'submitted', 100), (0, 'bulk', 'delivered', 60), (0, 'bulk', 'sent', 30),
                      (1, 'express', 'submitted', 5),
                      (1, 'express', 'failed', 2), (400, 'bulk', 'submitted', 9)) as n (back, lane, status, messages)",
    )
    .bind(id)
    .execute(world.gateway.schema.pool())
    .await
    .unwrap();
    assert_eq!(world.get(&format!("/v1/admin/accounts/{id}")).await["in_flight"], 43);
    world.gateway.close().await;
}

#[tokio::test]
async fn a_line_is_marked_and_says_who_uses_it() {
    let world = World::open().await;
    let id = world.gateway.account;
    assert_eq!(world.ask("GET", "/v1/admin/lines/3000", None).await.status, 404, "not known yet");
    let body = json!({"advertising": true, "note": "of the shop"});
    let set = world.ask("PUT", "/v1/admin/lines/3000", Some(body)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(set.body["accounts"], 2, "the customer's and the administrator's");
    assert_eq!(set.body["first_accounts"][0], id.to_string());
    assert_eq!(world.get("/v1/admin/lines/3000").await, set.body);
    // What is left out of a PUT is not there.
    let again = world.ask("PUT", "/v1/admin/lines/3000", Some(json!({"advertising": true}))).await;
    assert_eq!((&again.body["advertising"], &again.body["note"]), (&json!(true), &json!("")));
    let line = |advertising: bool, note: &str| json!({"advertising": advertising, "note": note});
    let expected =
        [(line(false, ""), line(true, "of the shop")), (line(true, "of the shop"), line(true, ""))];
    let told = world.told("line 3000").await;
    assert_eq!(told, expected.map(|(before, after)| ("line.set".to_owned(), before, after)));
    world.gateway.close().await;
}
