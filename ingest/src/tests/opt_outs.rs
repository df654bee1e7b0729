//! People who opted out: the list, and what is refused because of it.

use axum::body::Body;
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway};
use crate::keys::Scope;

const OUT: &str = "0912 345 6789";

async fn opt_out(gateway: &Gateway, number: &str, line: Option<&str>) -> Answer {
    gateway.post_json("/v1/opt-outs", &json!({"number": number, "line": line})).await
}

async fn delete(gateway: &Gateway, query: &str) -> Answer {
    let request = gateway.request("DELETE", &format!("/v1/opt-outs?{query}"));
    gateway.ask(request.body(Body::empty()).unwrap()).await
}

async fn import(gateway: &Gateway, query: &str, kind: &str, file: &'static str) -> Answer {
    let request =
        gateway.request("POST", &format!("/v1/opt-outs/import{query}")).header("content-type", kind);
    gateway.ask(request.body(Body::from(file)).unwrap()).await
}

async fn preview(gateway: &Gateway, from: Option<&str>) -> Answer {
    let body = json!({"to": "09123456789", "text": "x", "from": from});
    gateway.post_json("/v1/messages/preview", &body).await
}

fn numbers(page: &Answer) -> Vec<&str> {
    page.body["data"].as_array().unwrap().iter().map(|one| one["number"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn who_opted_out_is_refused_until_opting_in_again() {
    let gateway = Gateway::without_topics().await;
    assert_eq!(preview(&gateway, None).await.status, 200);
    let added = opt_out(&gateway, OUT, None).await;
    assert_eq!(added.status, 201, "{}", added.text);
    assert_eq!((&added.body["number"], &added.body["line"]), (&json!("+989123456789"), &Value::Null));
    assert_eq!(opt_out(&gateway, "+98 912 345 67 89", None).await.status, 200, "it is the same number");

    let refused = preview(&gateway, Some("3000")).await;
    assert_eq!(refused.lines(), ["400 invalid_request", "to recipient_blocked: the recipient opted out"]);
    let body = json!({"to": OUT, "text": "x", "lane": "express"});
    let refused = gateway.post_json("/v1/messages", &body).await;
    assert_eq!(refused.lines(), ["400 invalid_request", "to recipient_blocked: the recipient opted out"]);

    assert_eq!(delete(&gateway, "number=09123456789&line=3000").await.status, 404, "that is another entry");
    assert_eq!(delete(&gateway, "number=%2B989123456789").await.status, 204);
    assert_eq!(delete(&gateway, "number=%2B989123456789").await.status, 404);
    assert_eq!(preview(&gateway, None).await.status, 200);
    gateway.close().await;
}

#[tokio::test]
async fn of_one_line_and_of_one_account_only() {
    let mut gateway = Gateway::without_topics().await;
    assert_eq!(opt_out(&gateway, OUT, Some("3000")).await.status, 201);
    assert_eq!(preview(&gateway, Some("3000")).await.status, 400);
    assert_eq!(preview(&gateway, Some("100002")).await.status, 200);
    assert_eq!(numbers(&gateway.get("/v1/opt-outs").await), ["+989123456789"]);

    let other = gateway.account_with(1_000).await;
    gateway.key = gateway.key_of(other, &[Scope::Send, Scope::Read]).await;
    assert_eq!(preview(&gateway, Some("3000")).await.status, 200);
    assert!(numbers(&gateway.get("/v1/opt-outs").await).is_empty());
    assert_eq!(delete(&gateway, "number=09123456789&line=3000").await.status, 404);
    gateway.close().await;
}

#[tokio::test]
async fn in_a_bulk_call_they_are_left_out_or_refuse_it() {
    let gateway = Gateway::with_topics().await;
    opt_out(&gateway, OUT, None).await;
    let mut call = json!({"text": "x", "to": ["09120000001", OUT, "12", "09120000002"]});
    let answer = gateway.post_json("/v1/messages/bulk", &call).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let body = &answer.body;
    assert_eq!((&body["accepted"], &body["invalid"], &body["segments"]), (&json!(2), &json!(2), &json!(2)));
    assert_eq!(body["price"], 2_000);
    let rejected = json!([
        {"index": 1, "to": "+989123456789", "code": "recipient_blocked"},
        {"index": 2, "to": "12", "code": "invalid_recipient"},
    ]);
    assert_eq!(body["rejected"], rejected);
    let ranges: Vec<&Value> =
        body["ranges"].as_array().unwrap().iter().map(|range| &range["index"]).collect();
    assert_eq!(ranges, [0, 3]);

    call["on_invalid"] = "reject_all".into();
    call["to"] = json!(["09120000001", OUT]);
    let refused = gateway.post_json("/v1/messages/bulk", &call).await.lines();
    assert_eq!(refused[1], "to[1] recipient_blocked: the recipient opted out");
    let call = json!({"messages": [{"to": OUT, "text": "x"}]});
    let refused = gateway.post_json("/v1/messages/bulk", &call).await.lines();
    assert_eq!(refused[1..], ["messages[0].to recipient_blocked: the recipient opted out"]);
    gateway.close().await;
}

#[tokio::test]
async fn the_list_has_pages() {
    let gateway = Gateway::without_topics().await;
    for number in 1..=5 {
        assert_eq!(opt_out(&gateway, &format!("0912000000{number}"), None).await.status, 201);
    }
    let (mut seen, mut page) = (vec![], gateway.get("/v1/opt-outs?limit=2").await);
    loop {
        assert_eq!(page.status, 200, "{}", page.text);
        seen.extend(numbers(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page.body["next_cursor"].as_str() else { break };
        page = gateway.get(&format!("/v1/opt-outs?limit=2&cursor={cursor}")).await;
    }
    assert_eq!(seen, [5, 4, 3, 2, 1].map(|number| format!("+98912000000{number}")));
    assert_eq!(numbers(&gateway.get("/v1/opt-outs?number=09120000003").await), ["+989120000003"]);
    gateway.close().await;
}

#[tokio::test]
async fn a_list_is_imported_as_often_as_one_likes() {
    let gateway = Gateway::without_topics().await;
    let file = "mobile,line\n09123456789\n12\n09123456780,3000\n09123456781,4000\n";
    let expected = json!({"rows": 4, "added": 2, "invalid": 2, "errors": [
        {"row": 3, "code": "invalid_recipient"}, {"row": 5, "code": "from_not_allowed"}]});
    assert_eq!(import(&gateway, "", "text/csv", file).await.body, expected);
    let again = import(&gateway, "", "text/csv; charset=utf-8", file).await;
    assert_eq!((&again.body["added"], &again.body["rows"]), (&json!(0), &json!(4)));
    assert_eq!(preview(&gateway, None).await.status, 400);
    let of_one = import(&gateway, "?line=3000", "text/plain", "09123456785").await;
    assert_eq!(of_one.body["added"], 1);
    let listed = gateway.get("/v1/opt-outs").await;
    assert_eq!(listed.body["data"][0]["line"], "3000");

    for (query, kind, expected) in [
        ("?line=4000", "text/csv", "line from_not_allowed: expected one of the sender lines of the account"),
        ("?lines=3000", "text/csv", "lines unknown_field: known are line"),
        ("", "application/json", "expected Content-Type: text/csv or text/plain, without Content-Encoding"),
    ] {
        assert_eq!(import(&gateway, query, kind, file).await.lines()[1..], [expected]);
    }
    gateway.close().await;
}

#[tokio::test]
async fn everything_wrong_is_named() {
    let mut gateway = Gateway::without_topics().await;
    let body = json!({"number": "12", "line": "4000", "reason": 1});
    let expected = [
        "400 invalid_request",
        "reason unknown_field: known are number, line",
        "number invalid_recipient: expected a mobile number in national form, or with + and its country code, of at most 32 characters",
        "line from_not_allowed: expected one of the sender lines of the account",
    ];
    assert_eq!(gateway.post_json("/v1/opt-outs", &body).await.lines(), expected);
    let missing = gateway.post_json("/v1/opt-outs", &json!({"line": 3000})).await;
    assert_eq!(
        missing.lines()[1..],
        ["line wrong_type: expected a string", "number required: this field is required"]
    );
    let listing = gateway.get("/v1/opt-outs?limit=501&cursor=x&form=1").await;
    let expected = [
        "form unknown_field: known are number, limit, cursor",
        "cursor wrong_type: expected a next_cursor of this list",
        "limit out_of_range: expected 1 to 500",
    ];
    assert_eq!(listing.lines()[1..], expected);
    assert_eq!(delete(&gateway, "").await.lines()[1..], ["number required: this parameter is required"]);

    gateway.key = gateway.key_of(gateway.account, &[Scope::Read]).await;
    assert_eq!(opt_out(&gateway, OUT, None).await.status, 403);
    assert_eq!(delete(&gateway, "number=1").await.status, 403);
    assert_eq!(import(&gateway, "", "text/csv", "").await.status, 403);
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send]).await;
    assert_eq!(gateway.get("/v1/opt-outs").await.status, 403);
    gateway.close().await;
}

/// A call that was taken is the same call when it comes again, whoever opted out or in since.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_comes_again_leaves_out_whom_it_left_out() {
    let gateway = Gateway::with_topics().await;
    assert_eq!(opt_out(&gateway, OUT, None).await.status, 201);
    let body = json!({"text": "x", "to": [OUT, "09120000001", "09120000002"]}).to_string();
    let send = async || {
        let request = gateway.request("POST", "/v1/messages/bulk").header("content-type", "application/json");
        gateway.ask(request.header("idempotency-key", "k").body(body.clone().into()).unwrap()).await
    };
    let first = send().await;
    assert_eq!(first.status, 202, "{}", first.text);
    assert_eq!(first.body["rejected"][0]["code"], "recipient_blocked");
    assert_eq!(first.body["accepted"], 2);
    assert_eq!(delete(&gateway, "number=%2B989123456789").await.status, 204);
    assert_eq!(opt_out(&gateway, "09120000001", None).await.status, 201);
    let again = send().await;
    assert_eq!((again.status, again.text), (first.status, first.text));
    gateway.close().await;
}

#[tokio::test]
async fn the_old_endpoint_says_it_in_its_own_form() {
    let gateway = Gateway::without_topics().await;
    assert_eq!(opt_out(&gateway, OUT, None).await.status, 201);
    let body = json!({"user_id": gateway.account, "receiver": "09123456789", "content": "x"});
    let refused = gateway.post_json("/sms/v1/send", &body).await;
    assert_eq!(
        (refused.status.as_u16(), refused.body),
        (400, json!({"receiver": ["The recipient opted out."]}))
    );
    gateway.close().await;
}
