//! Campaigns through the API. (Breaks and deaths: `campaigns::tests`.)

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use domain::money::Money;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::StreamExt;
use serde_json::{Value, json};

use super::bad_input::Answers;
use super::billing::{Biller, PRICE};
use super::gateway::{Answer, Gateway};
use super::settings::settings;
use crate::keys::Scope;

impl Gateway {
    /// A campaign of this text; its id.
    async fn campaign(&self, text: &str) -> String {
        self.campaign_of(&json!({"name": "autumn", "text": text})).await
    }

    async fn campaign_of(&self, body: &Value) -> String {
        let made = self.post_json("/v1/campaigns", body).await;
        assert_eq!(made.status, 201, "{}", made.text);
        made.body["id"].as_str().unwrap().to_owned()
    }

    async fn upload(&self, id: &str, body: impl Into<Body>) -> Answer {
        self.upload_as(id, "", &[("content-type", "text/csv")], body).await
    }

    async fn upload_as(
        &self,
        id: &str,
        query: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let request = self.request("PUT", &format!("/v1/campaigns/{id}/rows{query}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.ask(request.body(body.into()).unwrap()).await
    }
}

/// A file of so many valid rows, each with a text of its own.
fn table(rows: std::ops::Range<u32>) -> String {
    let rows = rows.map(|row| format!("0912{row:07},{row}\n"));
    std::iter::once("to,name\n".to_owned()).chain(rows).collect()
}

fn numbers(answer: &Answer) -> [i64; 5] {
    ["rows", "accepted", "invalid", "segments", "price"].map(|name| answer.body[name].as_i64().unwrap_or(-1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_taken_in_once_however_often_it_is_sent() {
    let gateway = Gateway::with_topics().await;
    let biller = Biller::start(&gateway).await;
    let id = gateway.campaign("سلام {name}").await;
    let file = table(0..250);
    let first = gateway.upload(&id, file.clone()).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(numbers(&first), [250, 250, 0, 250, 250 * PRICE]);

    // The same file again, written differently, and one that goes on.
    let again = gateway.upload(&id, file.replace('\n', "\r\n")).await;
    assert_eq!(again.body, first.body);
    let lines: String =
        (0..250).map(|n| format!("{{\"name\": {n}, \"mobile\": \"0912{n:07}\"}}\n")).collect();
    let ndjson = [("content-type", "application/x-ndjson")];
    assert_eq!(gateway.upload_as(&id, "", &ndjson, lines).await.body, first.body);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(table(0..260).as_bytes()).unwrap();
    let gzip = [("content-type", "text/csv; charset=UTF-8"), ("content-encoding", "gzip")];
    let more = gateway.upload_as(&id, "", &gzip, packed.finish().unwrap()).await;
    assert_eq!(numbers(&more), [260, 260, 0, 260, 260 * PRICE]);

    let paid = biller.paid(gateway.schema.pool()).await;
    let texts: Vec<String> = (0..260).map(|row| format!("سلام {row}")).collect();
    assert_eq!(paid.iter().map(|message| message.text.clone()).collect::<Vec<_>>(), texts);
    let chunks = biller.chunks();
    assert!(chunks.iter().all(|chunk| chunk.campaign.to_string() == id && chunk.line == "100002"));
    assert_eq!(chunks.iter().map(|chunk| chunk.len()).sum::<usize>(), 260);
    assert!(chunks.iter().all(|chunk| chunk.send_by.0 - chunk.created_at.0 == 259_200_000));

    for other in [table(0..249), table(1..260), table(0..260).replace("0912", "0913"), "to,name\n".into()] {
        let refused = gateway.upload(&id, other).await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (409, &"upload_mismatch".into()));
        assert_eq!(refused.body["rows"], 260);
    }
    biller.stop().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rows_fault_leaves_the_row_out_or_stops_in_front_of_it() {
    let gateway = Gateway::with_topics().await;
    let biller = Biller::start(&gateway).await;
    let long = "x".repeat(2_000);
    let file = format!(
        "to,name\n09120000001,a\n12,b\n+33612345678,c\n09120000002\n09120000003,{long}\n09120000004,\"a\u{7}b\"\n\
         09120000005,e\n\"\",f\n"
    );
    let id = gateway.campaign("{name}").await;
    let skipped = gateway.upload(&id, file.clone()).await;
    assert_eq!(skipped.status, 200, "{}", skipped.text);
    insta::assert_json_snapshot!(skipped.stable());
    assert_eq!(gateway.upload(&id, file.clone()).await.body, skipped.body, "the same answer");
    assert_eq!(biller.paid(gateway.schema.pool()).await.len(), 2);

    let id = gateway.campaign_of(&json!({"name": "n", "text": "{name}", "on_error": "stop"})).await;
    let stopped = gateway.upload(&id, file.clone()).await;
    assert_eq!((stopped.status.as_u16(), &stopped.body["code"]), (400, &"malformed_row".into()));
    assert_eq!(
        (&stopped.body["row"], &stopped.body["rows"], &stopped.body["accepted"]),
        (&2.into(), &1.into(), &1.into())
    );
    let mended = gateway.upload(&id, "to,name\n09120000001,a\n09120000006,b\n").await;
    assert_eq!(numbers(&mended), [2, 2, 0, 2, 2 * PRICE]);
    biller.stop().await;
    gateway.close().await;
}

/// What is noted while a file is taken in does not change what was taken in of it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_to_who_opted_out_are_at_fault() {
    let gateway = Gateway::with_topics().await;
    let biller = Biller::start(&gateway).await;
    let opt_out = async |number: &str| {
        let noted = gateway.post_json("/v1/opt-outs", &json!({"number": number})).await;
        assert_eq!(noted.status, 201, "{}", noted.text);
    };
    opt_out("09120000001").await;
    let id = gateway.campaign("سلام {name}").await;
    let first = gateway.upload(&id, table(0..3)).await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(numbers(&first), [3, 2, 1, 2, 2 * PRICE]);
    let error = json!([{"row": 2, "code": "recipient_blocked", "detail": "the recipient opted out"}]);
    assert_eq!(first.body["errors"], error);
    opt_out("09120000000").await;
    assert_eq!(gateway.upload(&id, table(0..3)).await.body, first.body);
    assert_eq!(each_once(&biller, &gateway).await, 2);

    let stops = gateway.campaign_of(&json!({"name": "x", "text": "x", "on_error": "stop"})).await;
    let stopped = gateway.upload(&stops, "to\n09120000002\n09120000001\n09120000003\n").await;
    assert_eq!((stopped.status.as_u16(), &stopped.body["row"]), (400, &json!(2)), "{}", stopped.text);
    assert_eq!(each_once(&biller, &gateway).await, 3);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_files_fault_stops_behind_the_last_complete_row_and_says_how_far_it_came() {
    let gateway = Gateway::with_topics().await;
    let biller = Biller::start(&gateway).await;
    let mut answers = BTreeMap::new();
    let good = &b"to,name\n09120000001,a\n09120000002,b\n"[..];
    for (what, rest) in [
        ("not UTF-8", &b"09120000003,\xff\n09120000004,c\n"[..]),
        ("a quote that is not closed", b"09120000003,\"c\n09120000004,c\n"),
        ("quotes that are not balanced", b"09120000003,\"c\n09120000004,\"c\"\n"),
        ("a row over 64 KiB", &[&b"09120000003,"[..], &vec![b'x'; 70_000]].concat()),
    ] {
        let id = gateway.campaign("{name}").await;
        let refused = gateway.upload(&id, [good, rest].concat()).await;
        assert_eq!(
            [&refused.body["rows"], &refused.body["accepted"], &refused.body["row"]],
            [2, 2, 3],
            "{what}"
        );
        answers.insert(what, refused.lines());
        let mended = gateway.upload(&id, [good, b"09120000003,c\n"].concat()).await;
        assert_eq!(numbers(&mended), [3, 3, 0, 3, 3 * PRICE], "{what}");
    }
    for (what, file) in [
        ("no column for the number", "phone,name\n1,a\n"),
        ("no column for a placeholder", "to,nmae\n09120000001,a\n"),
        ("a column twice", "to,name,name\n"),
        ("nothing", ""),
    ] {
        let id = gateway.campaign("{name}").await;
        let refused = gateway.upload(&id, file).await;
        assert_eq!(refused.body["rows"], 0);
        answers.insert(what, refused.lines());
    }
    let id = gateway.campaign("{name}").await;
    let gzip = [("content-type", "text/csv"), ("content-encoding", "gzip")];
    answers.insert("no gzip", gateway.upload_as(&id, "", &gzip, good.to_vec()).await.lines());
    let mut bomb = GzEncoder::new(Vec::new(), Compression::default());
    bomb.write_all(&[&b"to,name\n"[..], &b"\n".repeat(32 << 20)].concat()).unwrap();
    answers.insert("a gzip bomb", gateway.upload_as(&id, "", &gzip, bomb.finish().unwrap()).await.lines());
    insta::assert_json_snapshot!(answers);
    biller.stop().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_counts_and_prices_and_sends_nothing() {
    let mut gateway = Gateway::with_topics().await;
    gateway.account = gateway.account_with(10).await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send, Scope::Read]).await;
    let biller = Biller::start(&gateway).await;
    let id = gateway.campaign("{name}").await;
    let file = format!("{}12,x\n0913,y\n", table(0..350));
    let csv = [("content-type", "text/csv")];
    let dry = gateway.upload_as(&id, "?dry_run=true", &csv, file).await;
    assert_eq!(dry.status, 200, "{}", dry.text);
    assert_eq!(numbers(&dry), [352, 350, 2, 350, 350 * PRICE]);
    assert_eq!(dry.body["errors"][0]["row"], 351);
    assert!(biller.chunks().is_empty());
    let shown = gateway.get(&format!("/v1/campaigns/{id}")).await;
    assert_eq!(numbers(&shown)[..3], [0, 0, 0]);
    biller.stop().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn insufficient_funds_stop_and_after_a_charge_the_same_file_goes_on() {
    let mut gateway = Gateway::with_topics().await;
    gateway.account = gateway.account_with(150 * PRICE + 1).await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send, Scope::Read]).await;
    let biller = Biller::start(&gateway).await;
    let id = gateway.campaign("{name}").await;
    let file = format!("to,name\n12,x\n{}", &table(0..250)[8..]);
    let poor = gateway.upload(&id, file.clone()).await;
    assert_eq!(poor.status, 402, "{}", poor.text);
    // A segment is 100 rows: the second is covered in part.
    insta::assert_json_snapshot!(poor.stable());
    let poorer = gateway.upload(&id, file.clone()).await;
    assert_eq!((poorer.status.as_u16(), &poorer.body["accepted"]), (402, &150.into()));

    charge(&gateway, 100 * PRICE).await;
    let all = gateway.upload(&id, file).await;
    assert_eq!(numbers(&all), [251, 250, 1, 250, 250 * PRICE]);
    assert_eq!(each_once(&biller, &gateway).await, 250);
    biller.stop().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_billing_refused_is_sent_when_the_file_comes_again() {
    let mut settings = settings();
    settings.limits.chunk_messages = 20;
    let mut gateway = Gateway::open(settings, true).await;
    gateway.account = gateway.account_with(100 * PRICE).await;
    gateway.key = gateway.key_of(gateway.account, &[Scope::Send, Scope::Read]).await;
    let biller = Biller::start(&gateway).await;
    let id = gateway.campaign("{name}").await;
    // Rows of two segments, then of one: of the third chunk one is paid for, behind refused ones.
    let two = "س".repeat(71);
    let rows = (0..60).map(|row| {
        if row < 30 { format!("0912{row:07},{two}{row}\n") } else { format!("0912{row:07},{row}\n") }
    });
    let file: String = std::iter::once("to,name\n".to_owned()).chain(rows).collect();
    // Another call takes money between the look at the balance and billing.
    biller.steal.store(100 * PRICE - 41 * PRICE, Ordering::Relaxed);
    let poor = gateway.upload(&id, file.clone()).await;
    assert_eq!(
        (poor.status.as_u16(), &poor.body["rows"], &poor.body["accepted"]),
        (402, &60.into(), &21.into()),
        "{}",
        poor.text
    );
    assert_eq!(poor.body["required"], 49 * PRICE);

    let other = gateway.upload(&id, file.replace(",59\n", ",60\n")).await;
    assert_eq!(other.status, 409);
    charge(&gateway, 20 * PRICE).await;
    let still = gateway.upload(&id, file.clone()).await;
    assert_eq!((still.status.as_u16(), &still.body["accepted"]), (402, &31.into()), "{}", still.text);
    charge(&gateway, 100 * PRICE).await;
    let all = gateway.upload(&id, file).await;
    assert_eq!(numbers(&all), [60, 60, 0, 90, 90 * PRICE]);
    assert_eq!(each_once(&biller, &gateway).await, 60);
    biller.stop().await;
    gateway.close().await;
}

async fn charge(gateway: &Gateway, amount: i64) {
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    ledger::account::charge(&mut transaction, gateway.account, Money::new(amount), None).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Every text is paid for once; how many there are.
async fn each_once(biller: &Biller, gateway: &Gateway) -> usize {
    let paid = biller.paid(gateway.schema.pool()).await;
    let mut different = paid.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), paid.len());
    paid.len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_upload_waits_for_the_first_and_a_broken_one_gives_way() {
    let gateway = Gateway::with_topics().await;
    let biller = Biller::start(&gateway).await;
    let id = gateway.campaign("{name}").await;
    let (sender, channel) = tokio::sync::mpsc::unbounded_channel::<Result<Bytes, std::io::Error>>();
    let body = Body::from_stream(futures::stream::unfold(channel, |mut channel| async {
        channel.recv().await.map(|piece| (piece, channel))
    }));
    // The first comes slowly: its rows are taken in before it ends.
    let first = gateway.upload(&id, body);
    let second = async {
        sender.send(Ok(table(0..30).into())).unwrap();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
        while gateway.get(&format!("/v1/campaigns/{id}")).await.body["accepted"] != 30 {
            assert!(tokio::time::Instant::now() < deadline, "rows wait for company only so long");
            sender.send(Ok("".into())).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let second = gateway.upload(&id, table(0..40)).await;
        assert_eq!((second.status.as_u16(), &second.body["code"]), (409, &"idempotency_in_progress".into()));
        assert!(second.headers.contains_key("retry-after"));
        sender.send(Ok("09129999999,complete\n09129999".into())).unwrap();
        sender.send(Err(std::io::Error::other("the client broke off"))).unwrap();
    };
    let (broken, ()) = tokio::join!(first, second);
    assert_eq!((broken.status.as_u16(), &broken.body["accepted"]), (400, &31.into()), "{}", broken.text);
    let third = gateway.upload(&id, format!("{}09129999999,complete\n09129999998,x\n", table(0..30))).await;
    assert_eq!(numbers(&third)[..2], [32, 32]);
    biller.stop().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_uploads_at_once_are_refused() {
    let gateway = Gateway::without_topics().await;
    let id = gateway.campaign("{name}").await;
    let all = gateway.app.uploads.clone().acquire_many_owned(4).await.unwrap();
    let full = gateway.upload(&id, table(0..1)).await;
    assert_eq!((full.status.as_u16(), &full.body["code"]), (503, &"overloaded".into()));
    drop(all);
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_verdict_it_is_a_503_and_the_next_upload_takes_the_verdict() {
    let mut settings = settings();
    settings.campaigns.verdict_timeout_ms = 100;
    let gateway = Gateway::open(settings, true).await;
    let biller = Biller::start(&gateway).await;
    biller.paused.store(true, Ordering::Relaxed);
    let id = gateway.campaign("{name}").await;
    let unknown = gateway.upload(&id, table(0..50)).await;
    assert_eq!(
        (unknown.status.as_u16(), &unknown.body["code"]),
        (503, &"unavailable".into()),
        "{}",
        unknown.text
    );
    assert!(unknown.headers.contains_key("retry-after"));
    assert_eq!(unknown.body["rows"], 0);
    let other = gateway.upload(&id, table(1..50)).await;
    assert_eq!(other.status, 409, "what may have been taken must be the same");
    // Produced again: the same records, so billing books them once.
    assert_eq!(gateway.upload(&id, table(0..50)).await.status, 503);
    biller.paused.store(false, Ordering::Relaxed);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let all = gateway.upload(&id, table(0..60)).await;
        if all.status == 200 {
            assert_eq!(numbers(&all)[..2], [60, 60]);
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{}", all.text);
    }
    assert_eq!(each_once(&biller, &gateway).await, 60);
    biller.stop().await;
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_and_cancelled_campaigns_take_no_rows() {
    let gateway = Gateway::without_topics().await;
    for (verb, status) in [("close", "closed"), ("cancel", "canceled")] {
        let id = gateway.campaign("{name}").await;
        for _ in 0..2 {
            let done = gateway.post(&format!("/v1/campaigns/{id}/{verb}"), Body::empty()).await;
            assert_eq!((done.status.as_u16(), &done.body["status"]), (202, &status.into()));
            assert!(done.body[format!("{status}_at")].is_string());
        }
        let refused = gateway.upload(&id, table(0..1)).await;
        assert_eq!((refused.status.as_u16(), &refused.body["errors"][0]["field"]), (400, &"status".into()));
    }
    // A closed one can be cancelled, and a cancelled one stays so.
    let id = gateway.campaign("{name}").await;
    for verb in ["close", "cancel", "close"] {
        gateway.post(&format!("/v1/campaigns/{id}/{verb}"), Body::empty()).await;
    }
    assert_eq!(gateway.get(&format!("/v1/campaigns/{id}")).await.body["status"], "canceled");
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn campaigns_are_listed_page_by_page_and_each_account_has_its_own() {
    let mut gateway = Gateway::without_topics().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.insert(0, gateway.campaign("{name}").await);
    }
    let (mut listed, mut path) = (Vec::new(), "/v1/campaigns?limit=2".to_owned());
    loop {
        let page = gateway.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        listed.extend(
            page.body["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page.body["next_cursor"].as_str() else { break };
        path = format!("/v1/campaigns?limit=2&cursor={next}");
    }
    assert_eq!(listed, ids);
    insta::assert_json_snapshot!(gateway.get("/v1/campaigns?limit=1").await.stable());

    let mut answers = Answers::new();
    for query in ["limit=0", "limit=501", "limit=x", "cursor=x", "limit=1&limit=2", "offset=3"] {
        answers.keep(query, &gateway.get(&format!("/v1/campaigns?{query}")).await);
    }
    insta::assert_json_snapshot!(answers.0);

    let stranger = gateway.account_with(0).await;
    gateway.key = gateway.key_of(stranger, &[Scope::Send, Scope::Read]).await;
    let id = &ids[0];
    assert_eq!(gateway.get("/v1/campaigns").await.body["data"], json!([]));
    for answer in [
        gateway.get(&format!("/v1/campaigns/{id}")).await,
        gateway.post(&format!("/v1/campaigns/{id}/cancel"), Body::empty()).await,
        gateway.post(&format!("/v1/campaigns/{id}/close"), Body::empty()).await,
        gateway.upload(id, table(0..1)).await,
        gateway.get("/v1/campaigns/007").await,
        gateway.get("/v1/campaigns/x").await,
    ] {
        assert_eq!((answer.status.as_u16(), &answer.body["code"]), (404, &"not_found".into()));
    }
    gateway.close().await;
}

#[tokio::test]
async fn every_fault_of_a_campaign_is_named() {
    let mut gateway = Gateway::without_topics().await;
    let mut answers = Answers::new();
    let many: String = (0..65).map(|n| format!("{{p{n}}}")).collect();
    for (what, body) in [
        ("nothing", json!({})),
        ("wrong types", json!({"name": 1, "text": [], "from": 1, "ttl_seconds": "1", "on_error": 1})),
        (
            "out of range",
            json!({"name": "x".repeat(201), "text": "x", "from": "1", "ttl_seconds": 29, "on_error": "x"}),
        ),
        ("empty", json!({"name": " ", "text": ""})),
        ("white space", json!({"name": "a\u{7}", "text": " \n "})),
        ("open", json!({"name": "a", "text": "a { b"})),
        ("close", json!({"name": "a", "text": "a } b"})),
        ("no name", json!({"name": "a", "text": "a {} b"})),
        ("too many", json!({"name": "a", "text": many})),
        ("too long", json!({"name": "a", "text": "a".repeat(1_600)})),
        ("unknown field", json!({"name": "a", "text": "a", "lane": "bulk"})),
        ("control", json!({"name": "a", "text": "a\u{7}{b}"})),
    ] {
        answers.keep(what, &gateway.post_json("/v1/campaigns", &body).await);
    }
    let id = gateway.campaign("{name}").await;
    for (what, query, headers) in [
        ("no type", "", &[][..]),
        ("json", "", &[("content-type", "application/json")]),
        ("latin1", "", &[("content-type", "text/csv; charset=latin1")]),
        ("brotli", "", &[("content-type", "text/csv"), ("content-encoding", "br")]),
        ("dry_run", "?dry_run=yes", &[("content-type", "text/csv")]),
        ("query", "?dryrun=true", &[("content-type", "text/csv")]),
    ] {
        answers.keep(what, &gateway.upload_as(&id, query, headers, "to\n").await);
    }
    insta::assert_json_snapshot!(answers.0);
    gateway.key = gateway.key_of(gateway.account, &[Scope::Read]).await;
    let body = json!({"name": "a", "text": "a"});
    assert_eq!(gateway.post_json("/v1/campaigns", &body).await.status, 403);
    assert_eq!(gateway.upload(&id, "to\n").await.status, 403);
    gateway.close().await;
}

/// The answer comes while the client still sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_wait_for_the_rest_of_the_body() {
    let gateway = Gateway::without_topics().await;
    let id = gateway.campaign("{name}").await;
    // It never ends, and no more of it comes.
    let first = futures::stream::once(async { Ok::<_, std::io::Error>(Bytes::from_static(b"phone,name\n")) });
    let endless = first.chain(futures::stream::pending());
    let refused = gateway.upload(&id, Body::from_stream(endless)).await;
    assert_eq!(refused.body["errors"][0]["field"], "header");
    gateway.close().await;
}
