//! `GET /v1/messages` as a client sees it.

use domain::id::ChunkId;
use domain::lane::Lane;
use domain::status::Status;
use platform::ownership::clock::unix_now;
use serde_json::{Value, json};

use super::world::{BEGIN, Made, Place, ranges, store};
use crate::keys::Scope;
use crate::tests::gateway::{Answer, Gateway};

const DAY_MS: i64 = 86_400_000;

/// With ranges for the last days.
pub(super) async fn gateway() -> Gateway {
    let gateway = Gateway::without_topics().await;
    ranges(gateway.schema.pool(), unix_now().plus(-8 * DAY_MS), 0).await;
    ranges(gateway.schema.pool(), unix_now(), 1).await;
    gateway
}

/// Delivered messages of the gateway's account, submitted so long ago.
pub(super) fn delivered(gateway: &Gateway, ago_ms: i64, messages: usize) -> Made {
    Made {
        account: gateway.account,
        at: unix_now().0 - ago_ms - BEGIN.0,
        lane: Lane::Standard,
        recipients: (0..messages as u64).map(|n| 989_120_000_001 + n).collect(),
        references: vec![],
        campaign: 0,
        statuses: vec![Status::Delivered; messages],
        place: Place::Open,
    }
}

/// The ids of a list.
pub(super) fn ids(answer: &Answer) -> Vec<i64> {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let data = answer.body["data"].as_array().unwrap();
    data.iter().map(|message| message["id"].as_str().unwrap().parse().unwrap()).collect()
}

fn message(chunk: ChunkId, index: u8) -> i64 {
    chunk.message(index).get()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_what_the_message_alone_shows_and_every_filter_narrows_it() {
    let gateway = gateway().await;
    let old = delivered(&gateway, 7 * DAY_MS + DAY_MS / 2, 1);
    let many = Made {
        campaign: 5,
        lane: Lane::Bulk,
        references: vec![String::new(), "order-1".into(), String::new()],
        statuses: vec![Status::Sent, Status::Delivered],
        ..delivered(&gateway, 2 * DAY_MS, 3)
    };
    let single =
        Made { references: vec!["login".into()], place: Place::History, ..delivered(&gateway, 60_000, 1) };
    for made in [&old, &many, &single] {
        store(gateway.schema.pool(), made).await;
    }
    let of_many: Vec<i64> = [2, 1, 0].map(|index| message(many.id(), index)).into();
    let (one, eldest) = (message(single.id(), 0), message(old.id(), 0));
    let week = vec![one, of_many[0], of_many[1], of_many[2]];

    let all = gateway.get("/v1/messages").await;
    assert_eq!((ids(&all), &all.body["next_cursor"]), (week.clone(), &Value::Null));
    for shown in all.body["data"].as_array().unwrap() {
        let alone = gateway.get(&format!("/v1/messages/{}", shown["id"].as_str().unwrap())).await;
        assert_eq!(&alone.body, shown);
    }
    let day = |days: i64| {
        let at = chrono::DateTime::from_timestamp_millis(unix_now().plus(-days * DAY_MS).0).unwrap();
        at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    };
    let everything = format!("from_time={}", day(30));
    for (query, expected) in [
        ("status=sent".to_owned(), vec![of_many[2]]),
        ("status=refused".to_owned(), vec![of_many[0]]),
        ("status=canceled".to_owned(), vec![]),
        ("lane=bulk".to_owned(), of_many.clone()),
        ("lane=express".to_owned(), vec![]),
        ("to=09120000001".to_owned(), vec![one, of_many[2]]),
        ("to=%DB%B0%DB%B9%DB%B1%DB%B2%20000%200001".to_owned(), vec![one, of_many[2]]),
        ("to=%2B989120000003".to_owned(), vec![of_many[0]]),
        ("reference=order-1".to_owned(), vec![of_many[1]]),
        ("reference=login".to_owned(), vec![one]),
        ("reference=none".to_owned(), vec![]),
        ("campaign_id=5".to_owned(), of_many.clone()),
        ("campaign_id=6".to_owned(), vec![]),
        ("campaign_id=5&status=delivered&lane=bulk&reference=order-1".to_owned(), vec![of_many[1]]),
        (everything, [week.clone(), vec![eldest]].concat()),
        (format!("to_time={}", day(1)), [of_many.clone(), vec![eldest]].concat()),
        (format!("from_time={}&to_time={}", day(9), day(3)), vec![eldest]),
    ] {
        assert_eq!(ids(&gateway.get(&format!("/v1/messages?{query}")).await), expected, "{query}");
    }

    // Another account sees nothing of it, by whatever it asks.
    let mut gateway = gateway;
    let other = gateway.account_with(0).await;
    gateway.key = gateway.key_of(other, &[Scope::Read]).await;
    for query in ["", "?to=09120000001", "?reference=login", "?campaign_id=5", "?status=delivered"] {
        assert_eq!(ids(&gateway.get(&format!("/v1/messages{query}")).await), [0; 0], "{query}");
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_read_on_misses_nothing_while_messages_come() {
    let gateway = gateway().await;
    let stored: Vec<Made> = (1..=6).map(|hours| delivered(&gateway, hours * 3_600_000, 3)).collect();
    for made in &stored {
        store(gateway.schema.pool(), made).await;
    }
    let expected: Vec<i64> =
        stored.iter().flat_map(|made| [2, 1, 0].map(|index| message(made.id(), index))).collect();
    let (mut read, mut cursor) = (Vec::new(), String::new());
    for round in 0.. {
        let answer = gateway.get(&format!("/v1/messages?limit=4{cursor}")).await;
        read.extend(ids(&answer));
        let Some(next) = answer.body["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        store(gateway.schema.pool(), &delivered(&gateway, 1_000 - round, 2)).await;
    }
    assert_eq!(read, expected);

    // The cursor is this account's and this list's alone.
    let transactions = gateway.get(&format!("/v1/transactions?{}", &cursor[1..])).await;
    assert_eq!(transactions.lines()[1], "cursor wrong_type: expected a next_cursor of this list");
    let mut gateway = gateway;
    let other = gateway.account_with(0).await;
    gateway.key = gateway.key_of(other, &[Scope::Read]).await;
    let answer = gateway.get(&format!("/v1/messages?{}", &cursor[1..])).await;
    assert_eq!(answer.lines()[1], "cursor wrong_type: expected a next_cursor of this list");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_wrong_with_the_parameters_is_named() {
    let gateway = Gateway::without_topics().await;
    let query = "status=lost&to=12&from_time=yesterday&to_time=2026-11-21&campaign_id=x&reference=&lane=fast\
                 &limit=0&cursor=x&page=2&lane=bulk";
    assert_eq!(
        gateway.get(&format!("/v1/messages?{query}")).await.lines(),
        [
            "400 invalid_request",
            "page unknown_field: known are status, to, from_time, to_time, campaign_id, reference, lane, limit, cursor",
            "lane wrong_type: it stands there twice",
            "cursor wrong_type: expected a next_cursor of this list",
            "from_time wrong_type: expected a time such as 2026-11-21T12:00:00Z",
            "to_time wrong_type: expected a time such as 2026-11-21T12:00:00Z",
            "status out_of_range: expected one of queued, sent, delivered, undelivered, failed, expired, refused, blocked, canceled",
            "to invalid_recipient: expected a mobile number in national form, or with + and its country code, of at most 32 characters",
            "reference out_of_range: expected at least one character",
            "campaign_id wrong_type: expected the id of a campaign",
            "limit out_of_range: expected 1 to 500",
        ]
    );
    for (query, line) in [
        ("limit=501", "limit out_of_range: expected 1 to 500"),
        ("limit=ten", "limit wrong_type: expected an integer"),
        (
            "to=%2B33142685300",
            "to unsupported_country: expected a mobile number of a country that is served here",
        ),
        (
            "from_time=2026-01-01T00:00:00Z&to_time=2026-02-02T00:00:00Z",
            "from_time out_of_range: expected at most 31 days before to_time, or before now",
        ),
        (
            "from_time=2026-02-01T00:00:00Z&to_time=2026-02-01T00:00:00Z",
            "from_time out_of_range: expected a time before to_time, or before now",
        ),
        (
            "from_time=2026-02-01T00:00:00Z",
            "from_time out_of_range: expected at most 31 days before to_time, or before now",
        ),
        ("campaign_id=0", "campaign_id wrong_type: expected the id of a campaign"),
        ("campaign_id=9223372036854775808", "campaign_id wrong_type: expected the id of a campaign"),
    ] {
        let answer = gateway.get(&format!("/v1/messages?{query}")).await;
        assert_eq!(answer.lines()[1..], [line], "{query}");
    }
    // What the times allow is no error: far away, nothing is there.
    for query in
        ["from_time=0001-01-01T00:00:00Z&to_time=0001-01-02T00:00:00Z", "to_time=9999-12-31T23:59:59Z"]
    {
        assert_eq!(ids(&gateway.get(&format!("/v1/messages?{query}")).await), [0; 0], "{query}");
    }
    assert_eq!(gateway.post("/v1/messages/list", "{}").await.status, 405);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_the_scope_lists_nothing() {
    let mut gateway = Gateway::without_topics().await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send]).await;
    for path in ["/v1/messages", "/v1/transactions"] {
        assert_eq!(gateway.get(path).await.status, 403, "{path}");
    }
    gateway.close().await;
}

/// What a later day leaves of a message: that it was, when, what became of it, what it cost.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_erased_is_listed_without_what_was_in_it() {
    let gateway = gateway().await;
    for made in
        [delivered(&gateway, 60_000, 2), Made { place: Place::History, ..delivered(&gateway, 50_000, 1) }]
    {
        store(gateway.schema.pool(), &made).await;
    }
    for table in ["chunk_content", "history_chunk"] {
        let erase = format!(
            "update {table} set record = '', recipient_key = null, reference_key = null,
             sought = case when messages > 1 then ''::bytea end"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(erase)).execute(gateway.schema.pool()).await.unwrap();
    }
    let answer = gateway.get("/v1/messages").await;
    assert_eq!(ids(&answer).len(), 3);
    for message in answer.body["data"].as_array().unwrap() {
        for field in ["to", "from", "encoding", "segments", "reference"] {
            assert_eq!(message[field], Value::Null, "{field}");
        }
        assert_eq!((&message["status"], &message["price"]), (&json!("delivered"), &json!(1_000)));
    }
    assert_eq!(ids(&gateway.get("/v1/messages?to=09120000001").await), [0; 0]);
    gateway.close().await;
}
