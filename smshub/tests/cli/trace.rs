//! `smshub trace`, on real Postgres and Kafka. (What the whole pipeline writes is shown by
//! the pipeline's own test.)

use crate::records::{self, chunk, fence, intent, outcome};
use crate::support::Installation;
use domain::bits::Bits;
use domain::hold::Prices;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use domain::outcome::{Outcome, Receipt};
use domain::status::{Fact, MessageState};
use ledger::hold::{Booked, Request};
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::Stage;
use platform::ownership::clock;
use serde_json::Value;
use std::time::Duration;
use wire::Version;
use wire::attempt::{Attempt, AttemptKind};
use wire::billed::{Answer, answer};
use wire::receipts::{MessageReceipt, ReceiptSlice, Receipts};
use wire::submitted::Chunk;

async fn produce(producer: &Producer, topic: &str, partition: i32, record: &[u8]) {
    let (acks, acknowledged) = Acks::new(1);
    producer.send(topic, partition, record, acks.delivered()).unwrap();
    acknowledged.await.unwrap().unwrap();
}

/// Takes the first message out of a record.
fn only_the_second(record: &mut Attempt) {
    match &mut record.kind {
        AttemptKind::Fence => {}
        AttemptKind::Intent { slices, .. } => slices[0].bits.remove(0),
        AttemptKind::Outcomes { slices, .. } => slices[0].messages.retain(|message| message.position == 1),
    }
}

/// Writes what a sender would.
async fn attempted(installation: &Installation, records: &[Attempt]) {
    let producer = Producer::new(&installation.kafka, 0).unwrap();
    let topic = installation.topics().of(Stage::Attempts, Lane::Bulk);
    for record in records {
        produce(&producer, &topic, 2, &record.encode(Version::NEWEST)).await;
    }
}

/// Writes what the other roles would write of a chunk whose second message was delivered.
async fn journey(installation: &Installation, chunk: &Chunk) {
    let topics = installation.topics();
    let producer = Producer::new(&installation.kafka, 0).unwrap();
    let version = Version::NEWEST;
    let submitted = chunk.encode(version);
    let receipt = MessageReceipt { position: 1, receipt: Receipt::Delivered, code: 1 };
    let receipts = Receipts {
        connector: "magfa".into(),
        at: chunk.created_at,
        polled: true,
        slices: vec![ReceiptSlice { chunk: chunk.id, attempt: 1, messages: vec![receipt] }],
        named: vec![],
    };
    for (topic, partition, record) in [
        (topics.of(Stage::Submitted, Lane::Bulk), 2, submitted.clone()),
        (topics.of(Stage::Billed, Lane::Bulk), 2, answer(version, 0, Answer::Paid(2), &submitted)),
        (topics.receipts(), 3, receipts.encode(version)),
    ] {
        produce(&producer, &topic, partition, &record).await;
    }
    let request = Request {
        chunk: chunk.id,
        account: chunk.account,
        topic: topics.of(Stage::Submitted, Lane::Bulk),
        partition: 2,
        source: 0,
        request_hash: chunk.request_hash(),
        prices: Prices::of_each(&[Money::new(1_000); 2]).unwrap(),
    };
    let mut transaction = installation.schema.pool().begin().await.unwrap();
    let booked = ledger::hold::book(&mut transaction, &[request]).await.unwrap();
    assert_eq!(booked, [Booked::Paid(2)]);
    transaction.commit().await.unwrap();
}

/// Rows as dlr-reconciler keeps them: the second message was delivered.
async fn store(installation: &Installation, chunk: ChunkId) {
    let mut delivered = MessageState::default();
    delivered.merge(Fact::Receipt { attempt: 1, receipt: Receipt::Delivered, code: 1, at: 7 });
    let states = [MessageState::default().to_bytes(), delivered.to_bytes()].concat();
    for statement in [
        "insert into chunk_content (chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, messages)
         values ($1, 1, 'bulk', $1, 1, 2, $2, 2)",
        "insert into chunk_state values ($1, 1, 'bulk', 2, $2, '', true)",
        "insert into chunk_operator_ids values ($1, 1, 1, 'magfa', '\\x01', encode($2, 'escape'))",
    ] {
        let bytes = if statement.contains("escape") { b"op-77".to_vec() } else { states.clone() };
        let insert = sqlx::query(statement).bind(chunk.get()).bind(bytes);
        insert.execute(installation.schema.pool()).await.unwrap();
    }
}

const MOVE: &str = "insert into history_chunk
    select chunk_id, c.account_id, c.lane, partition, call_id, call_chunks, call_messages, record, states,
           messages, counts
    from chunk_content c join chunk_state using (chunk_id);
    insert into history_operator_ids select * from chunk_operator_ids;
    delete from chunk_state; delete from chunk_content; delete from chunk_operator_ids";

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_followed_through_books_and_topics() {
    let installation = Installation::whole().await;
    let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    installation.line(&["account", "charge", &account, "5000"]);
    let chunk = chunk(account.parse().unwrap(), clock::unix_now());
    journey(&installation, &chunk).await;
    let [mut call, mut end] = [intent(3, &chunk, 1), outcome(3, &chunk, 1, Outcome::Taken)];
    only_the_second(&mut call);
    only_the_second(&mut end);
    attempted(&installation, &[fence(3), call, end, fence(4)]).await;

    let id = chunk.id.message(1).to_string();
    let (code, out, error) = installation.run(&["trace", &id, "--json"]);
    assert_eq!(code, 0, "{error}");
    let trace: serde_json::Value = serde_json::from_str(&out).unwrap();
    let events = trace["events"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let mut sorted = kinds.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["billed", "fence", "held", "intent", "outcome", "receipt", "submitted"], "{out}");
    let times: Vec<_> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of = |kind: &str| &events[kinds.iter().position(|found| *found == kind).unwrap()]["fields"];
    assert_eq!(of("outcome")["operator_id"], "op-1");
    assert_eq!(of("intent")["epoch"], 3);
    assert_eq!(of("billed")["verdict"], "paid");
    assert_eq!(of("submitted")["to"], "…02");

    // Nothing personal, unless it is asked for.
    let (_, masked, _) = installation.run(&["trace", &id]);
    assert!(!masked.contains("989120000002") && !masked.contains("secret words"), "{masked}");
    let (_, shown, _) = installation.run(&["trace", &id, "--show-content"]);
    assert!(shown.contains("to=+989120000002") && shown.contains("text=secret words"), "{shown}");

    // The other message of the chunk has no attempt.
    let (_, other, _) = installation.run(&["trace", &chunk.id.message(0).to_string()]);
    assert!(other.contains("billed") && !other.contains("intent") && !other.contains("receipt "), "{other}");

    // In the open tables, then in history: the same rows.
    store(&installation, chunk.id).await;
    for (moved, place) in [("select", "chunk_state"), (MOVE, "history_chunk")] {
        sqlx::raw_sql(moved).execute(installation.schema.pool()).await.unwrap();
        let (_, out, error) = installation.run(&["trace", &id]);
        let lines = |word: &str| out.lines().filter(|line| line.contains(word)).count();
        assert_eq!((lines(place), lines("status=delivered"), lines(" id=op-77")), (1, 1, 1), "{out}{error}");
    }

    for (id, says) in [
        (chunk.id.message(2).to_string(), "its chunk has 2 messages"),
        ("4096".to_owned(), "it is not in the books and not parked"),
    ] {
        let (code, out, error) = installation.run(&["trace", &id]);
        assert_eq!((code, out.as_str(), error.lines().count()), (1, "", 1), "{error}");
        assert!(error.starts_with(&format!("smshub: no message {id}: ")) && error.contains(says), "{error}");
    }
    installation.drop().await;
}

/// Kind, the fields that are asked for, in the order of the lines.
fn said(trace: &Value, kinds: &[&str], fields: &[&str]) -> Vec<String> {
    let events = trace["events"].as_array().unwrap().iter();
    let wanted = events.filter(|event| kinds.contains(&event["kind"].as_str().unwrap()));
    let line = |event: &Value| {
        let said = fields.iter().map(|field| &event["fields"][field]).filter(|value| !value.is_null());
        let said: Vec<_> = said.map(|value| value.to_string().replace('"', "")).collect();
        format!("{} {}", event["kind"].as_str().unwrap(), said.join(" "))
    };
    wanted.map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fences_void_records_and_what_it_waits_for_are_shown() {
    let installation = Installation::whole().await;
    let account = installation.line(&["account", "create", "--name", "Acme", "--line", "100002"]);
    installation.line(&["account", "charge", &account, "5000"]);
    // What is read of a topic begins a minute before the message was made. The last record
    // before that tells which fence all are behind.
    let other = records::chunk(1, clock::unix_now());
    attempted(&installation, &[fence(7), intent(7, &other, 1)]).await;
    let made = clock::unix_now().plus(60_100);
    let chunk = chunk(account.parse().unwrap(), made);
    while clock::unix_now() <= made.plus(-60_000) {
        tokio::time::sleep(Duration::from_millis(20)).await; // until that minute has begun
    }
    journey(&installation, &chunk).await;
    let attempts = [
        intent(6, &chunk, 1),
        intent(7, &chunk, 1),
        fence(8),
        intent(7, &chunk, 2),
        outcome(7, &chunk, 1, Outcome::Retry),
        intent(8, &chunk, 2),
        outcome(8, &chunk, 2, Outcome::Unknown),
        fence(9),
    ];
    attempted(&installation, &attempts).await;
    let mut expected = vec![
        "intent 6 1 behind the fence of epoch 7",
        "intent 7 1",
        "fence 8",
        "intent 7 2 behind the fence of epoch 8",
        "outcome 7 1 retry behind the fence of epoch 8",
        "intent 8 2",
        "outcome 8 2 unknown",
        "fence 9",
    ];
    let id = chunk.id.message(1).to_string();
    let trace = || {
        let (code, out, error) = installation.run(&["trace", &id, "--json"]);
        assert_eq!(code, 0, "{error}");
        serde_json::from_str::<Value>(&out).unwrap()
    };
    let (kinds, fields) = (["fence", "intent", "outcome"], ["epoch", "attempt", "outcome", "void"]);
    assert_eq!(said(&trace(), &kinds, &fields), expected);

    // A call that was under way when the partition was lost did end; fences behind the end do
    // not concern the message any more.
    attempted(&installation, &[outcome(7, &chunk, 1, Outcome::Taken), fence(10)]).await;
    expected.push("outcome 7 1 taken");
    assert_eq!(said(&trace(), &kinds, &fields), expected);

    // Where it waits: the first message is not in the row.
    let due = made.plus(30_000);
    let messages = [&[1, 1, 2, 3, 4, 1, 0, 15][..], &due.0.to_be_bytes()].concat();
    sqlx::query(
        "insert into deferred values ($1, 'bulk', 2, 1, 0, now(), '2030-01-02', 0::bit(256), $2, '', '2030-01-01')",
    )
    .bind(chunk.id.get())
    .bind(messages)
    .execute(installation.schema.pool())
    .await
    .unwrap();
    for (messages, verb) in [(Bits::prefix(2), "requeue"), (Bits::prefix(1), "drop")] {
        let order = "insert into dead_order (chunk_id, lane, partition, messages, verb, ordered_by)
                     values ($1, 'bulk', 2, $2::text::bit(256), $3, 'somebody')";
        let order = sqlx::query(order).bind(chunk.id.get()).bind(messages.to_bit_string()).bind(verb);
        order.execute(installation.schema.pool()).await.unwrap();
    }
    let trace = trace();
    let waits =
        trace["events"].as_array().unwrap().iter().find(|event| event["kind"] == "waits until").unwrap();
    let at = sqlx::types::chrono::DateTime::parse_from_rfc3339(waits["at"].as_str().unwrap()).unwrap();
    assert_eq!(at.timestamp_millis(), due.0);
    let expected = serde_json::json!({
        "for": "retry", "attempt": 2, "tries": 3, "questions": 4, "code": 15, "by": "",
        "since": "2030-01-01T00:00:00.000Z", "send_by": "2030-01-02T00:00:00.000Z",
    });
    assert_eq!(waits["fields"], expected);
    assert_eq!(said(&trace, &["ordered"], &["verb", "by"]), ["ordered requeue somebody"]);
    let (_, out, _) = installation.run(&["trace", &chunk.id.message(0).to_string()]);
    assert!(!out.contains("waits until"), "{out}");
    assert_eq!(out.lines().filter(|line| line.contains("ordered ")).count(), 2, "{out}");
    installation.drop().await;
}
