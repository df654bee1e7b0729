//! Records as the other roles write them, and the books as billing leaves them, for tests.

use bytes::Bytes;
use domain::hold::Prices;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use domain::outcome::{CLOSING_ATTEMPT, Outcome, Receipt};
use domain::phone::Msisdn;
use domain::text::Encoding;
use domain::time::UnixMillis;
use sqlx::PgPool;
use wire::Version;
use wire::attempt::{Attempt, AttemptKind, MessageOutcome, OutcomeSlice, SliceOf};
use wire::billed::{Billed, Verdict};
use wire::receipts::{MessageReceipt, ReceiptSlice, Receipts};
use wire::submitted::{Chunk, Text};

pub(crate) const ACCOUNT: i64 = 7;
pub(crate) const MINTED: UnixMillis = UnixMillis(1_795_000_000_000);
pub(crate) const CAMPAIGN: i64 = 5;
/// Each message costs this.
pub(crate) const PRICE: i64 = 1_000;
const VERSION: Version = Version::NEWEST;

/// The k-th chunk minted at [`MINTED`].
pub(crate) fn chunk_id(k: i64) -> ChunkId {
    ChunkId::new(ChunkId::floor(MINTED) + (k << 8)).unwrap()
}

/// The campaign of a chunk: every second has one.
pub(crate) fn campaign(chunk: ChunkId) -> Option<i64> {
    (chunk.get() >> 8 & 1 == 1).then_some(CAMPAIGN)
}

pub(crate) fn content(chunk: ChunkId, size: u16) -> Chunk {
    Chunk {
        id: chunk,
        account: ACCOUNT,
        asked_lane: Lane::Bulk,
        line: "1000".into(),
        recipients: (0..u64::from(size))
            .map(|i| Msisdn::from_canonical(989_120_000_000 + i).unwrap())
            .collect(),
        texts: vec![Text { body: "hi".into(), encoding: Encoding::Gsm7, segments: 1 }],
        text_index: vec![],
        references: vec![],
        tariff_version: 1,
        created_at: MINTED,
        send_by: MINTED.plus(60_000),
        call_id: chunk,
        call_chunks: 1,
        call_messages: size.into(),
        campaign: campaign(chunk).unwrap_or(0),
    }
}

/// A verdict: `paid` of `size` messages; zero is a refusal.
pub(crate) fn billed(chunk: ChunkId, size: u16, paid: u16) -> Bytes {
    let chunk = content(chunk, size);
    let verdict = if paid == 0 { Verdict::Refused { chunk } } else { Verdict::Paid { paid, chunk } };
    Billed { source: 1, verdict }.encode(VERSION)
}

pub(crate) fn outcome(position: u8, outcome: Outcome) -> MessageOutcome {
    let operator_id = if outcome == Outcome::Taken { format!("op-{position}") } else { String::new() };
    MessageOutcome { position, outcome, code: 0, operator_id }
}

/// Outcomes of one attempt, 10 ms after minting.
pub(crate) fn outcomes(chunk: ChunkId, size: u16, attempt: u8, messages: Vec<MessageOutcome>) -> Bytes {
    outcomes_by("magfa", chunk, size, attempt, messages)
}

/// The same by any connector.
pub(crate) fn outcomes_by(
    connector: &str,
    chunk: ChunkId,
    size: u16,
    attempt: u8,
    messages: Vec<MessageOutcome>,
) -> Bytes {
    let of = SliceOf { account: ACCOUNT, chunk, chunk_size: size, part: 0, attempt };
    let slices = vec![OutcomeSlice { of, messages }];
    let kind = AttemptKind::Outcomes { connector: connector.into(), slices };
    Attempt { epoch: 1, at: MINTED.plus(10), kind }.encode(VERSION)
}

pub(crate) fn fence() -> Bytes {
    Attempt { epoch: 1, at: MINTED, kind: AttemptKind::Fence }.encode(VERSION)
}

/// Receipts of one attempt, 500 ms after minting.
pub(crate) fn receipts(chunk: ChunkId, attempt: u8, polled: bool, heard: &[(u8, Receipt)]) -> Bytes {
    let messages = heard.iter().map(|(position, receipt)| MessageReceipt {
        position: *position,
        receipt: *receipt,
        code: 2,
    });
    let slices = vec![ReceiptSlice { chunk, attempt, messages: messages.collect() }];
    Receipts { connector: "magfa".into(), at: MINTED.plus(500), polled, slices, named: vec![] }
        .encode(VERSION)
}

/// Receipts that an operator pushed with our ids, 500 ms after minting.
pub(crate) fn pushed(connector: &str, chunk: ChunkId, heard: &[(u8, Receipt)]) -> Bytes {
    let record = Receipts::decode(&receipts(chunk, CLOSING_ATTEMPT, false, heard)).unwrap();
    Receipts { connector: connector.into(), ..record }.encode(VERSION)
}

/// Field 4 of a record of receipts: a slice of no length, so of a chunk with the id 0.
const IMPOSSIBLE_SLICE: [u8; 2] = [4 << 3 | 2, 0];
/// Magic and version.
const ENVELOPE: usize = 2;

/// The slices of these records in one, with one behind each that cannot be read.
pub(crate) fn spoilt(records: &[Bytes]) -> Bytes {
    let mut whole = records.first().map_or(vec![], |record| record.slice(..ENVELOPE).to_vec());
    for record in records {
        whole.extend(record.slice(ENVELOPE..));
        whole.extend(IMPOSSIBLE_SLICE);
    }
    whole.into()
}

/// Makes the account, with a balance, and the ledger's range for its chunks.
pub(crate) async fn account(pool: &PgPool, balance: i64) {
    let mut connection = pool.acquire().await.unwrap();
    ledger::ranges::ensure(&mut connection, MINTED, 0).await.unwrap();
    ledger::account::create(&mut connection, Some(ACCOUNT), "a customer", &["1000".into()]).await.unwrap();
    drop(connection);
    charge(pool, balance).await;
}

pub(crate) async fn charge(pool: &PgPool, amount: i64) {
    let mut transaction = pool.begin().await.unwrap();
    ledger::account::charge(&mut transaction, ACCOUNT, Money::new(amount), None).await.unwrap();
    transaction.commit().await.unwrap();
}

/// Bills a chunk: for the moment the balance is made to cover just `paid` messages of it.
pub(crate) async fn hold(pool: &PgPool, chunk: ChunkId, size: u16, paid: u16) {
    let mut transaction = pool.begin().await.unwrap();
    let statement = "select balance from account for update";
    let balance: i64 = sqlx::query_scalar(statement).fetch_one(&mut *transaction).await.unwrap();
    let covered = PRICE * i64::from(paid);
    let set = "update account set balance = $1";
    sqlx::query(set).bind(covered).execute(&mut *transaction).await.unwrap();
    let request = ledger::hold::Request {
        chunk,
        account: ACCOUNT,
        topic: "sms.submitted.bulk".into(),
        partition: 3,
        source: chunk.get(),
        request_hash: content(chunk, size).request_hash(),
        prices: Prices::new(vec![Money::new(PRICE)], vec![], size.into()).unwrap(),
    };
    ledger::hold::book(&mut transaction, &[request]).await.unwrap();
    sqlx::query(set).bind(balance - covered).execute(&mut *transaction).await.unwrap();
    transaction.commit().await.unwrap();
}
