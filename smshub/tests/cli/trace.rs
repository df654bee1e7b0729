//! `smshub trace`, on real Postgres and Kafka. (What the whole pipeline writes is shown by
//! the pipeline's own test.)

use crate::support::Installation;
use domain::hold::Prices;
use domain::id::{ChunkId, EPOCH};
use domain::lane::Lane;
use domain::money::Money;
use domain::outcome::{Outcome, Receipt};
use domain::phone::Msisdn;
use domain::status::{Fact, MessageState};
use domain::text::Encoding;
use domain::time::UnixMillis;
use ledger::hold::{Booked, Request};
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::Stage;
use platform::ownership::clock;
use wire::Version;
use wire::attempt::{Attempt, AttemptKind, IntentSlice, MessageOutcome, OutcomeSlice, SliceOf};
use wire::billed::{Answer, answer};
use wire::receipts::{MessageReceipt, ReceiptSlice, Receipts};
use wire::submitted::{Chunk, Text};

fn chunk(account: i64, now: UnixMillis) -> Chunk {
    let id = ChunkId::new(ChunkId::floor(now)).unwrap();
    assert!(now > EPOCH);
    Chunk {
        id,
        account,
        asked_lane: Lane::Bulk,
        line: "100002".into(),
        recipients: [989_120_000_001, 989_120_000_002].map(|n| Msisdn::from_canonical(n).unwrap()).to_vec(),
        texts: vec![Text { body: "secret words".into(), encoding: Encoding::Gsm7, segments: 1 }],
        text_index: vec![],
        references: vec![],
        tariff_version: 1,
        created_at: now,
        send_by: now.plus(60_000),
        call_id: id,
        call_chunks: 1,
        call_messages: 2,
    }
}

/// Writes what the roles would write of a chunk whose second message was delivered.
async fn journey(installation: &Installation, chunk: &Chunk) {
    let topics = installation.topics();
    let producer = Producer::new(&installation.kafka, 0).unwrap();
    let version = Version::NEWEST;
    let submitted = chunk.encode(version);
    let of = SliceOf { account: chunk.account, chunk: chunk.id, chunk_size: 2, part: 0, attempt: 1 };
    let attempt = |kind| Attempt { epoch: 3, at: chunk.created_at, kind }.encode(version);
    let outcome =
        MessageOutcome { position: 1, outcome: Outcome::Taken, code: 0, operator_id: "op-77".into() };
    let receipt = MessageReceipt { position: 1, receipt: Receipt::Delivered, code: 1 };
    let receipts = Receipts {
        connector: "magfa".into(),
        at: chunk.created_at,
        polled: true,
        slices: vec![ReceiptSlice { chunk: chunk.id, attempt: 1, messages: vec![receipt] }],
    };
    let bits = [1_u8].into_iter().collect();
    let intent = AttemptKind::Intent { connector: "magfa".into(), slices: vec![IntentSlice { of, bits }] };
    let outcomes = AttemptKind::Outcomes {
        connector: "magfa".into(),
        slices: vec![OutcomeSlice { of, messages: vec![outcome] }],
    };
    for (topic, partition, record) in [
        (topics.of(Stage::Submitted, Lane::Bulk), 2, submitted.clone()),
        (topics.of(Stage::Billed, Lane::Bulk), 2, answer(version, 0, Answer::Paid(2), &submitted)),
        (topics.of(Stage::Attempts, Lane::Bulk), 2, attempt(AttemptKind::Fence)),
        (topics.of(Stage::Attempts, Lane::Bulk), 2, attempt(intent)),
        (topics.of(Stage::Attempts, Lane::Bulk), 2, attempt(outcomes)),
        (topics.receipts(), 3, receipts.encode(version)),
    ] {
        let (acks, acknowledged) = Acks::new(1);
        producer.send(&topic, partition, &record, acks.delivered()).unwrap();
        acknowledged.await.unwrap().unwrap();
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
        "insert into chunk_content values ($1, 1, 'bulk', $1, 1, 2, $2)",
        "insert into chunk_state values ($1, 1, 'bulk', 2, $2)",
        "insert into chunk_operator_ids values ($1, 1, 1, 'magfa', '\\x01', encode($2, 'escape'))",
    ] {
        let bytes = if statement.contains("escape") { b"op-77".to_vec() } else { states.clone() };
        let insert = sqlx::query(statement).bind(chunk.get()).bind(bytes);
        insert.execute(installation.schema.pool()).await.unwrap();
    }
}

const MOVE: &str = "insert into history_chunk
    select chunk_id, c.account_id, c.lane, partition, call_id, call_chunks, call_messages, record, states
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

    let id = chunk.id.message(1).to_string();
    let (code, out, error) = installation.run(&["trace", &id, "--json"]);
    assert_eq!(code, 0, "{error}");
    let trace: serde_json::Value = serde_json::from_str(&out).unwrap();
    let events = trace["events"].as_array().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    let mut sorted = kinds.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, ["billed", "held", "intent", "outcome", "receipt", "submitted"], "{out}");
    let times: Vec<_> = events.iter().map(|event| event["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    let of = |kind: &str| &events[kinds.iter().position(|found| *found == kind).unwrap()]["fields"];
    assert_eq!(of("outcome")["operator_id"], "op-77");
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
