//! How much an account may send.

use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use domain::lane::Lane;
use serde_json::{Value, json};

use super::gateway::Gateway;
use super::sending::submitted;
use super::settings::settings;
use crate::Settings;
use crate::keys::Scope;

const LIMIT: Duration = Duration::from_secs(20);

/// Three segments a minute in lane standard, two in lane express.
fn few() -> Settings {
    let mut settings = settings();
    settings.rates.standard_segments_per_minute = 3;
    settings.rates.express_segments_per_minute = 2;
    settings
}

fn message(lane: &str) -> Value {
    json!({"to": "09123456789", "text": "hello", "lane": lane})
}

/// `RateLimit-Limit`, `-Remaining`. `-Reset` counts down and is checked for its range.
fn said(headers: &HeaderMap) -> (u64, u64) {
    let number = |name: &str| headers[name].to_str().unwrap().parse::<u64>().unwrap();
    assert!(number("ratelimit-reset") <= 60);
    (number("ratelimit-limit"), number("ratelimit-remaining"))
}

fn retry_after(headers: &HeaderMap) -> u64 {
    headers["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_above_the_rate_is_refused_and_nothing_is_taken() {
    let mut gateway = Gateway::open(few(), true).await;
    for left in [2, 1, 0] {
        let answer = gateway.post_json("/v1/messages", &message("standard")).await;
        assert_eq!((answer.status.as_u16(), said(&answer.headers)), (202, (3, left)), "{}", answer.text);
    }
    let refused = gateway.post_json("/v1/messages", &message("standard")).await;
    assert_eq!(said(&refused.headers), (3, 0));
    let after = retry_after(&refused.headers);
    assert!((1..=20).contains(&after), "one of three a minute comes every 20 s: {after}");
    insta::assert_json_snapshot!(refused.lines());
    // The other lane has a limit of its own; two segments are two.
    let long = json!({"to": "09123456789", "text": "س".repeat(71), "lane": "express"});
    let answer = gateway.post_json("/v1/messages", &long).await;
    assert_eq!((answer.status.as_u16(), said(&answer.headers)), (202, (2, 0)));
    assert_eq!(gateway.post_json("/v1/messages", &message("express")).await.status, 429);
    // Longer than a whole minute's worth: only a full bucket takes it.
    let longest = json!({"to": "09123456789", "text": "س".repeat(600), "lane": "express"});
    let refused = gateway.post_json("/v1/messages", &longest).await;
    assert_eq!(refused.status, 429);
    assert!((40..=60).contains(&retry_after(&refused.headers)));
    // A preview costs nothing.
    assert_eq!(gateway.post_json("/v1/messages/preview", &message("express")).await.status, 200);
    assert_eq!((submitted(&gateway, Lane::Standard).len(), submitted(&gateway, Lane::Express).len()), (3, 1));

    // Another account is another matter.
    gateway.account = gateway.account_with(100_000).await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send]).await;
    let answer = gateway.post_json("/v1/messages", &longest).await;
    assert_eq!((answer.status.as_u16(), said(&answer.headers)), (202, (2, 0)), "{}", answer.text);
    assert_eq!(gateway.post_json("/v1/messages", &message("standard")).await.status, 202);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_messages_above_the_rate_travel_in_bulk() {
    let gateway = Gateway::open(few(), true).await;
    let many = |lane: &str, count: usize| {
        let to: Vec<String> = (0..count).map(|n| format!("0912000{n:04}")).collect();
        json!({"text": "hello", "to": to, "lane": lane, "ttl_seconds": null})
    };
    let answer = gateway.post_json("/v1/messages/bulk", &many("standard", 4)).await;
    assert_eq!((answer.status.as_u16(), &answer.body["lane"]), (202, &"bulk".into()), "{}", answer.text);
    assert!(!answer.headers.contains_key("ratelimit-limit"), "it does not count");
    // Nothing was taken of the three.
    let answer = gateway.post_json("/v1/messages/bulk", &many("standard", 3)).await;
    assert_eq!((&answer.body["lane"], said(&answer.headers)), (&"standard".into(), (3, 0)));
    // What asks for bulk is not limited at the door.
    let answer = gateway.post_json("/v1/messages/bulk", &many("bulk", 10)).await;
    assert_eq!((answer.status.as_u16(), answer.headers.contains_key("ratelimit-limit")), (202, false));

    let chunks = submitted(&gateway, Lane::Bulk);
    let of = |chunk: &wire::submitted::Chunk| {
        (chunk.asked_lane, chunk.len(), chunk.send_by.0 - chunk.created_at.0)
    };
    assert_eq!(
        chunks.iter().map(of).collect::<Vec<_>>(),
        [(Lane::Standard, 4, 86_400_000), (Lane::Bulk, 10, 259_200_000)]
    );
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_may_have_a_limit_of_its_own_which_holds_within_the_time_that_keys_are_believed() {
    let gateway = Gateway::open(few(), true).await;
    set_limits(&gateway, Some(1), Some(5)).await;
    let express = gateway.post_json("/v1/messages", &message("express")).await;
    assert_eq!(said(&express.headers), (5, 4));
    let standard = gateway.post_json("/v1/messages", &message("standard")).await;
    assert_eq!(said(&standard.headers), (1, 0));
    assert_eq!(gateway.post_json("/v1/messages", &message("standard")).await.status, 429);

    // What was taken stays taken: at least a fifth of a minute.
    set_limits(&gateway, None, Some(1_000)).await;
    let since = Instant::now();
    loop {
        let answer = gateway.post_json("/v1/messages", &message("express")).await;
        let (limit, left) = said(&answer.headers);
        if limit == 1_000 {
            assert!(left < 900, "{left}");
            break;
        }
        assert!(since.elapsed() < LIMIT, "the key's answer is believed for 200 ms");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    gateway.close().await;
}

async fn set_limits(gateway: &Gateway, standard: Option<i32>, express: Option<i32>) {
    let set =
        "update account set rate_limit_per_minute = $2, express_rate_limit_per_minute = $3 where id = $1";
    let set = sqlx::query(set).bind(gateway.account).bind(standard).bind(express);
    set.execute(gateway.schema.pool()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn living_ingest_processes_share_a_limit() {
    let mut settings = few();
    settings.rates.standard_segments_per_minute = 4;
    let gateway = Gateway::open(settings, true).await;
    for (roles, alive) in [("{ingest}", "1 hour"), ("{sender}", "1 hour"), ("{ingest,sender}", "-1 s")] {
        let process = "insert into process (id, data_folder, roles, reads_version, alive_until)
            values (gen_random_uuid(), gen_random_uuid(), $1::text[], 1, clock_timestamp() + $2::interval)";
        sqlx::query(process).bind(roles).bind(alive).execute(gateway.schema.pool()).await.unwrap();
    }
    let since = Instant::now();
    while gateway.common.standing.ingest_processes() != 2 {
        assert!(since.elapsed() < LIMIT, "the heartbeat has not seen the other process");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let answer = gateway.post_json("/v1/messages", &message("standard")).await;
        statuses.push((answer.status.as_u16(), said(&answer.headers)));
    }
    assert_eq!(statuses, [(202, (4, 2)), (202, (4, 0)), (429, (4, 0))]);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_what_is_wrong_then_the_rate_then_the_funds() {
    let mut gateway = Gateway::open(few(), true).await;
    gateway.account = gateway.account_with(0).await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send]).await;
    let wrong = json!({"to": "12", "text": "hello", "lane": "express"});
    let mut statuses = Vec::new();
    for body in [&wrong, &message("express"), &message("express"), &message("express"), &wrong] {
        statuses.push(gateway.post_json("/v1/messages", body).await.status.as_u16());
    }
    // What was refused for lack of money counts: asking in vain has a rate, too.
    assert_eq!(statuses, [400, 402, 402, 429, 400]);
    gateway.close().await;
}
