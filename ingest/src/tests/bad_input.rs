//! Every bad input gets a precise problem, and changes nothing.

use std::collections::BTreeMap;
use std::future::ready;

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::gateway::{Answer, Gateway};

const ONE: &str = "/v1/messages";
const MANY: &str = "/v1/messages/bulk";

/// Answers, by what is wrong with the request.
pub(super) struct Answers(pub(super) BTreeMap<String, Vec<String>>);

impl Answers {
    pub(super) fn new() -> Self {
        Answers(BTreeMap::new())
    }

    pub(super) fn keep(&mut self, what: &str, answer: &Answer) {
        assert!(self.0.insert(what.to_owned(), answer.lines()).is_none(), "{what} twice");
    }

    async fn to(gateway: &Gateway, path: &str, bodies: &[(&str, String)]) -> Self {
        let mut answers = Answers::new();
        for (what, body) in bodies {
            answers.keep(what, &gateway.post(path, body.clone()).await);
        }
        answers
    }
}

fn json(body: Value) -> String {
    body.to_string()
}

#[tokio::test]
async fn a_message() {
    let gateway = Gateway::without_topics().await;
    let with = |name: &str, value: Value| {
        let mut body = json!({"to": "09123456789", "text": "hello"});
        body[name] = value;
        json(body)
    };
    let text = |text: &str| with("text", text.into());
    let bodies = [
        ("empty body", String::new()),
        ("not JSON", "to=0912".into()),
        ("cut off", r#"{"to": "09123456789", "text": "he"#.into()),
        ("something behind it", r#"{"to": "09123456789", "text": "hello"} {}"#.into()),
        ("second line", "{\"to\": \"09123456789\",\n \"text\": }".into()),
        ("a key twice", r#"{"to": "09123456789", "text": "hello", "to": "09123456780"}"#.into()),
        ("half a surrogate pair", r#"{"to": "09123456789", "text": "\ud800"}"#.into()),
        ("a list", "[]".into()),
        ("a string", "\"hello\"".into()),
        ("null", "null".into()),
        ("nothing in it", "{}".into()),
        ("required is null", json(json!({"to": null, "text": null}))),
        (
            "wrong types",
            json(
                json!({"to": 9_123_456_789_u64, "text": ["a"], "lane": 1, "from": {}, "ttl_seconds": "300", "reference": true}),
            ),
        ),
        (
            "unknown fields",
            json(json!({"to": "09123456789", "text": "hello", "tо": "x", "sender": {"a": [1, {"b": 2}]}})),
        ),
        (
            "everything at once",
            json(
                json!({"to": "12", "text": "", "lane": "bulk", "from": "999", "ttl_seconds": 0, "reference": "x".repeat(65), "x": 1}),
            ),
        ),
        ("an unknown lane", with("lane", "fast".into())),
        ("an express lane in capitals", with("lane", "EXPRESS".into())),
        ("a ttl that is too short", with("ttl_seconds", 29.into())),
        ("a ttl that is too long", with("ttl_seconds", 259_201.into())),
        ("a negative ttl", with("ttl_seconds", (-1).into())),
        ("a fractional ttl", with("ttl_seconds", 300.0.into())),
        (
            "a ttl beyond 64 bits",
            r#"{"to": "09123456789", "text": "hello", "ttl_seconds": 99999999999999999999}"#.into(),
        ),
        ("an empty text", text("")),
        ("a blank text", text(" \n\u{a0}")),
        ("a text with NUL", text("a\u{0}b")),
        ("a text with a C1 control", text("a\u{85}b")),
        ("a text that is too long", text(&"a".repeat(1_531))),
        ("a Persian text that is too long", text(&"س".repeat(671))),
        ("a reference with a control character", with("reference", "a\tb".into())),
        ("letters for a number", with("to", "hello".into())),
        ("no number", with("to", "".into())),
        ("a landline", with("to", "02188776655".into())),
        ("too few digits", with("to", "0912345678".into())),
        ("a country not served", with("to", "+33612345678".into())),
        ("another's line", with("from", "100003".into())),
    ];
    insta::assert_json_snapshot!(Answers::to(&gateway, ONE, &bodies).await.0);
    // The same body is checked by the same rules.
    let preview = gateway.post("/v1/messages/preview", bodies[14].1.clone()).await;
    assert_eq!(preview.lines(), gateway.post(ONE, bodies[14].1.clone()).await.lines());
    nothing_changed(&gateway).await;
    gateway.close().await;
}

#[tokio::test]
async fn a_list() {
    let gateway = Gateway::without_topics().await;
    let good = json!({"to": "09123456789", "text": "hello"});
    let bodies = [
        ("neither form", json(json!({}))),
        ("both forms", json(json!({"messages": [good], "to": ["09123456789"], "text": "hello"}))),
        ("recipients without a text", json(json!({"to": ["09123456789"]}))),
        ("a text without recipients", json(json!({"text": "hello"}))),
        ("no recipient", json(json!({"text": "hello", "to": []}))),
        ("no message", json(json!({"messages": []}))),
        ("one recipient that is no list", json(json!({"text": "hello", "to": "09123456789"}))),
        ("an object for a list", json(json!({"messages": {"0": good}}))),
        ("too many", json(json!({"text": "hello", "to": vec!["09123456789"; 2_501]}))),
        ("elements of other types", json(json!({"text": "hello", "to": ["09123456789", 9, null, ["x"]]}))),
        (
            "messages of other types",
            json(json!({"messages": [good, "x", null, {"to": 1, "text": null}, {"text": "a", "on": 1}]})),
        ),
        ("an empty text for all", json(json!({"text": "", "to": ["09123456789"]}))),
        (
            "options",
            json(
                json!({"messages": [good], "lane": "express", "on_invalid": "stop", "from": "", "ttl_seconds": 1, "reference": "x".repeat(65)}),
            ),
        ),
        (
            "nothing valid",
            json(
                json!({"messages": [{"to": "12", "text": "a"}, {"to": "09123456789", "text": ""}, {"to": "09123456789", "text": "a", "reference": "x".repeat(65)}]}),
            ),
        ),
        ("no valid recipient", json(json!({"text": "hello", "to": ["12", "+33612345678"]}))),
        (
            "all or none",
            json(
                json!({"on_invalid": "reject_all", "messages": [good, {"to": "12", "text": "a"}, good, {"to": "09123456789", "text": "a".repeat(1_531)}]}),
            ),
        ),
        (
            "more errors than are listed",
            json(json!({"on_invalid": "reject_all", "text": "hello", "to": vec!["12"; 142]})),
        ),
        ("a key twice inside", r#"{"messages": [{"to": "09123456789", "text": "a", "text": "b"}]}"#.into()),
    ];
    insta::assert_json_snapshot!(Answers::to(&gateway, MANY, &bodies).await.0);
    nothing_changed(&gateway).await;
    gateway.close().await;
}

#[tokio::test]
async fn what_is_around_a_body() {
    let gateway = Gateway::without_topics().await;
    let mut answers = Answers::new();
    let body = || json!({"to": "09123456789", "text": "hello"}).to_string();
    let with = |name: &str, value: &str| {
        gateway.request("POST", ONE).header(name, value).body(Body::from(body())).unwrap()
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"] {
        answers.keep(kind, &gateway.ask(with("content-type", kind)).await);
    }
    answers.keep("no content type", &gateway.ask(with("accept", "*/*")).await);
    answers.keep("a body too large", &gateway.post(ONE, " ".repeat(8_193)).await);
    answers.keep("a list too large", &gateway.post(MANY, " ".repeat((4 << 20) + 1)).await);
    answers.keep("a body too slow", &gateway.post(ONE, never_ending()).await);
    answers
        .keep("another method", &gateway.ask(gateway.request("PUT", ONE).body(Body::empty()).unwrap()).await);
    answers.keep("dry run", &gateway.post("/v1/messages?dry_run=true", body()).await);
    for path in [
        "/v1/nothing",
        "/v1/balance?x=1&secret=2",
        "/v1/messages/0",
        "/v1/messages/-1",
        "/v1/messages/+256",
        "/v1/messages/99999999999999999999",
        "/v1/messages/bulk/257",
    ] {
        answers.keep(path, &gateway.get(path).await);
    }
    insta::assert_json_snapshot!(answers.0);
    nothing_changed(&gateway).await;
    gateway.close().await;
}

/// A body that begins, and then nothing more comes.
fn never_ending() -> Body {
    let begin = stream::once(ready(Ok::<_, std::io::Error>(Bytes::from_static(b"{\"to\": "))));
    Body::from_stream(begin.chain(stream::pending()))
}

/// Without topics nothing can be acknowledged, so an accepted call would have been a 503; and
/// the balance is what it was.
async fn nothing_changed(gateway: &Gateway) {
    let balance = gateway.get("/v1/balance").await.body;
    assert_eq!(balance, json!({"balance": 1_000_000, "held": 0, "currency": "IRR"}));
}
