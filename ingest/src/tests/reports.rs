//! What became of messages, from rows as billing and dlr-reconciler write them.

use domain::hold::Prices;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use domain::outcome::{Outcome, Receipt, Refusal};
use domain::status::{Costs, Fact, MessageState, StatusCounts};
use ledger::hold::{Booked, Request, book};
use ledger::settle::{Finals, finals};
use platform::ownership::clock::unix_now;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use wire::Version;
use wire::billed::{Answer, answer};
use wire::submitted::Chunk;

use super::gateway::Gateway;
use super::sending::submitted;

const PRICE: i64 = 1_000;

/// Books a chunk as billing does, and records its content as dlr-reconciler does.
async fn bill(gateway: &Gateway, chunk: &Chunk, lane: Lane, source: i64) {
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    ledger::ranges::ensure(&mut transaction, unix_now(), 1).await.unwrap();
    let request = Request {
        chunk: chunk.id,
        account: chunk.account,
        topic: "sms.submitted".into(),
        partition: 0,
        source,
        request_hash: chunk.request_hash(),
        prices: Prices::new(vec![Money::new(PRICE)], vec![], chunk.len()).unwrap(),
    };
    let verdict = match book(&mut transaction, &[request]).await.unwrap()[0] {
        Booked::Paid(paid) => Answer::Paid(paid),
        _ => Answer::Refused,
    };
    let record = answer(Version::NEWEST, source, verdict, &chunk.encode(Version::NEWEST));
    sqlx::query(
        "insert into chunk_content
                (chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, messages)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(chunk.id.get())
    .bind(chunk.account)
    .bind(lane.as_str())
    .bind(chunk.call_id.get())
    .bind(i32::try_from(chunk.call_chunks).unwrap())
    .bind(i32::try_from(chunk.call_messages).unwrap())
    .bind(record.to_vec())
    .bind(i16::try_from(chunk.len()).unwrap())
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
}

/// Stores the states of a chunk's messages, and settles and voids what they say.
async fn store(gateway: &Gateway, chunk: ChunkId, states: &[MessageState]) {
    let bytes: Vec<u8> = states.iter().flat_map(|state| state.to_bytes()).collect();
    let (settle, void) = Costs::default().split((0..).zip(states.iter().map(MessageState::status)));
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    sqlx::query(
        "insert into chunk_state (chunk_id, account_id, lane, partition, states, counts, recorded)
         values ($1, $2, 'bulk', 0, $3, $4, true)",
    )
    .bind(chunk.get())
    .bind(gateway.account)
    .bind(&bytes)
    .bind(StatusCounts::of(&bytes).unwrap().to_bytes())
    .execute(&mut *transaction)
    .await
    .unwrap();
    let ends = BTreeMap::from([(chunk, Finals { settle, void })]);
    finals(&mut transaction, &ends).await.unwrap();
    transaction.commit().await.unwrap();
}

async fn store_operator_ids(gateway: &Gateway, chunk: ChunkId, attempt: i16, positions: &[u8], ids: &str) {
    sqlx::query(
        "insert into chunk_operator_ids (chunk_id, attempt, first_position, connector, positions, operator_ids)
         values ($1, $2, $3, 'magfa', $4, $5)",
    )
    .bind(chunk.get())
    .bind(attempt)
    .bind(i16::from(positions[0]))
    .bind(positions)
    .bind(ids)
    .execute(gateway.schema.pool())
    .await
    .unwrap();
}

fn state(facts: &[Fact]) -> MessageState {
    let mut state = MessageState::default();
    state.merge_together(facts);
    state
}

fn outcome(attempt: u8, outcome: Outcome, code: i16) -> Fact {
    Fact::Outcome { attempt, outcome, code, at: 1_500 }
}

fn receipt(receipt: Receipt) -> Fact {
    Fact::Receipt { attempt: 1, receipt, code: 2, at: 4_000 }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_of_every_kind() {
    let gateway = Gateway::with_topics().await;
    let messages: Vec<Value> = (0..9)
        .map(|n| json!({"to": format!("0912345678{n}"), "text": "hello", "reference": n.to_string()}))
        .collect();
    let accepted = gateway.post_json("/v1/messages/bulk", &json!({"messages": messages})).await;
    let batch = accepted.body["batch_id"].as_str().unwrap().to_owned();
    let [chunk] = <[Chunk; 1]>::try_from(submitted(&gateway, Lane::Bulk)).unwrap();
    let path = |index: u8| format!("/v1/messages/{}", chunk.id.message(index));
    let bulk_path = format!("/v1/messages/bulk/{batch}");

    for path in [path(0), bulk_path.clone()] {
        assert_eq!(gateway.get(&path).await.status, 404, "not recorded yet");
    }
    // All but the last can be paid for.
    let spent = 1_000_000 - 8 * PRICE;
    sqlx::query("update account set balance = balance - $1")
        .bind(spent)
        .execute(gateway.schema.pool())
        .await
        .unwrap();
    bill(&gateway, &chunk, Lane::Bulk, 0).await;
    assert_eq!(gateway.get(&path(0)).await.body["status"], "queued");
    assert_eq!(gateway.get(&path(8)).await.body["status"], "refused");
    assert_eq!(gateway.get(&path(9)).await.status, 404, "beyond the chunk's end");

    let taken = outcome(1, Outcome::Taken, 0);
    let states = [
        state(&[taken, receipt(Receipt::Delivered)]),
        state(&[taken, receipt(Receipt::Undelivered)]),
        state(&[taken]),
        state(&[outcome(1, Outcome::LeftToReceipt, 0)]),
        state(&[outcome(1, Outcome::Retry, 13), outcome(2, Outcome::Refused(Refusal::Operator), 27)]),
        state(&[outcome(1, Outcome::Refused(Refusal::Blocked), 33)]),
        state(&[outcome(1, Outcome::Expired, 0)]),
        state(&[]),
        state(&[Fact::Unpaid]),
    ];
    store(&gateway, chunk.id, &states).await;
    store_operator_ids(&gateway, chunk.id, 1, &[0, 1, 2], "700\n\n702").await;
    store_operator_ids(&gateway, chunk.id, 2, &[4], "904").await;

    let mut reports = Vec::new();
    for index in 0..9 {
        reports.push(gateway.get(&path(index)).await.stable());
    }
    reports.push(gateway.get(&bulk_path).await.stable());
    insta::assert_json_snapshot!(reports);
    let first = gateway.get(&path(0)).await.body;
    let sent_at = first["sent_at"].as_str().unwrap();
    let minted = chrono::DateTime::from_timestamp_millis(chunk.id.minted_at().0 + 1_500).unwrap();
    assert_eq!(chrono::DateTime::parse_from_rfc3339(sent_at).unwrap(), minted);

    // Another account sees nothing of it.
    let mut gateway = gateway;
    let other = gateway.account_with(0).await;
    gateway.key = gateway.key_of(other, &[crate::keys::Scope::Read]).await;
    for path in [path(0), bulk_path] {
        assert_eq!(gateway.get(&path).await.status, 404);
    }
    gateway.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_several_chunks() {
    let gateway = Gateway::with_topics().await;
    let to: Vec<String> = (0..450).map(|n| format!("0912{n:07}")).collect();
    let accepted = gateway.post_json("/v1/messages/bulk", &json!({"text": "hello", "to": to})).await;
    let path = format!("/v1/messages/bulk/{}", accepted.body["batch_id"].as_str().unwrap());
    let chunks = submitted(&gateway, Lane::Bulk);
    assert_eq!(chunks.len(), 3);

    // The second is recorded before the first.
    bill(&gateway, &chunks[1], Lane::Bulk, 1).await;
    assert_eq!(gateway.get(&path).await.status, 404, "the first chunk is not recorded");
    bill(&gateway, &chunks[0], Lane::Bulk, 0).await;
    let taken = outcome(1, Outcome::Taken, 0);
    let mut states = vec![state(&[taken, receipt(Receipt::Delivered)]); 150];
    states.extend(vec![state(&[taken, receipt(Receipt::Undelivered)]); 50]);
    store(&gateway, chunks[1].id, &states).await;

    let report = gateway.get(&path).await;
    insta::assert_json_snapshot!(report.stable());
    let second = format!("/v1/messages/bulk/{}", chunks[1].id);
    assert_eq!(gateway.get(&second).await.status, 404, "a call is named by its first chunk");
    gateway.close().await;
}

const COPY: &str = "insert into history_chunk
    select chunk_id, c.account_id, c.lane, partition, call_id, call_chunks, call_messages, record, states,
           messages, counts
    from chunk_content c join chunk_state using (chunk_id);
    insert into history_operator_ids select * from chunk_operator_ids";
const DELETE: &str = "delete from chunk_state; delete from chunk_content; delete from chunk_operator_ids";
const BACK: &str =
    "insert into chunk_state select chunk_id, account_id, lane, partition, states, counts, true from history_chunk;
    insert into chunk_content (chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, messages)
    select chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, messages from history_chunk;
    insert into chunk_operator_ids select * from history_operator_ids";
const FORGET: &str = "delete from history_chunk; delete from history_operator_ids";

async fn transaction(gateway: &Gateway, statements: &'static str) {
    let mut transaction = gateway.schema.pool().begin().await.unwrap();
    sqlx::raw_sql(statements).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Open, in both, in history, and back, over and over again: every report finds every chunk,
/// once, and says the same.
#[tokio::test(flavor = "multi_thread")]
async fn reports_do_not_notice_that_chunks_move_to_history() {
    let gateway = Gateway::with_topics().await;
    let to: Vec<String> = (0..250).map(|n| format!("0912{n:07}")).collect();
    let accepted = gateway.post_json("/v1/messages/bulk", &json!({"text": "hello", "to": to})).await;
    let bulk = format!("/v1/messages/bulk/{}", accepted.body["batch_id"].as_str().unwrap());
    let chunks = submitted(&gateway, Lane::Bulk);
    assert_eq!(chunks.len(), 2);
    let taken = outcome(1, Outcome::Taken, 0);
    for (source, chunk) in (0..).zip(&chunks) {
        bill(&gateway, chunk, Lane::Bulk, source).await;
        store(&gateway, chunk.id, &vec![state(&[taken, receipt(Receipt::Undelivered)]); chunk.len()]).await;
        store_operator_ids(&gateway, chunk.id, 1, &[0, 1], "700\n701").await;
    }
    let single = format!("/v1/messages/{}", chunks[1].id.message(1));
    let before = (gateway.get(&bulk).await.body, gateway.get(&single).await.body);
    assert_eq!((&before.0["refunded"], &before.1["operator_message_id"]), (&json!(250_000), &json!("701")));

    let done = std::sync::atomic::AtomicBool::new(false);
    let moving = async {
        let mut rounds = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) {
            for statements in [COPY, DELETE, BACK, FORGET] {
                transaction(&gateway, statements).await;
            }
            rounds += 1;
        }
        rounds
    };
    let reading = async {
        for _ in 0..60 {
            assert_eq!(gateway.get(&bulk).await.body, before.0);
            assert_eq!(gateway.get(&single).await.body, before.1);
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (rounds, ()) = tokio::join!(moving, reading);
    assert!(rounds > 3, "{rounds} rounds");
    for statements in [COPY, DELETE] {
        transaction(&gateway, statements).await;
    }
    assert_eq!((gateway.get(&bulk).await.body, gateway.get(&single).await.body), before);
    gateway.close().await;
}
