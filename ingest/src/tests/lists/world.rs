//! Chunks of two accounts, in every place where they can be, and a naive model of them.

use domain::hold::Prices;
use domain::id::{ChunkId, MessageId};
use domain::lane::Lane;
use domain::money::Money;
use domain::outcome::{Outcome, Receipt, Refusal};
use domain::phone::Msisdn;
use domain::search::{filter as keys_filter, recipient_key, reference_key};
use domain::status::{Costs, Fact, MessageState, Status, StatusCounts};
use domain::text::Encoding;
use domain::time::UnixMillis;
use ledger::hold::{Request, book};
use ledger::settle::{Finals, finals};
use sqlx::PgPool;
use std::collections::BTreeMap;
use testkit::postgres::Schema;
use wire::Version;
use wire::billed::{Billed, Verdict};
use wire::submitted::{Chunk, Text};

use crate::reports::Reader;

pub(super) const ACCOUNTS: [i64; 2] = [7, 8];
/// Ten past one, so that hours are cut.
pub(super) const BEGIN: UnixMillis = UnixMillis(1_795_000_200_000);
pub(super) const HOUR_MS: i64 = 3_600_000;
pub(super) const PRICE: i64 = 1_000;

/// Where the rows of a chunk are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Content alone: all of it is queued.
    Content,
    /// States alone: it is not listed yet.
    States,
    Open,
    Both,
    History,
}

/// A chunk to be made.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) account: i64,
    /// After [`BEGIN`], in milliseconds; each its own.
    pub(super) at: i64,
    pub(super) lane: Lane,
    pub(super) recipients: Vec<u64>,
    /// None, one for all, or one each.
    pub(super) references: Vec<String>,
    pub(super) campaign: i64,
    /// Of those that are paid for; the others are refused.
    pub(super) statuses: Vec<Status>,
    pub(super) place: Place,
}

/// A message, as the model knows it.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) id: i64,
    pub(super) account: i64,
    pub(super) at: UnixMillis,
    pub(super) lane: Lane,
    pub(super) recipient: u64,
    pub(super) reference: Option<String>,
    pub(super) campaign: i64,
    pub(super) status: Status,
}

pub(super) struct World {
    pub(super) schema: Schema,
}

impl Made {
    pub(super) fn id(&self) -> ChunkId {
        ChunkId::new(ChunkId::floor(BEGIN.plus(self.at))).unwrap()
    }

    fn status(&self, index: usize) -> Status {
        match self.statuses.get(index) {
            None => Status::Refused,
            Some(_) if self.place == Place::Content => Status::Queued,
            Some(status) => *status,
        }
    }

    /// Its messages, where they are listed.
    pub(super) fn known(&self) -> Vec<Known> {
        let chunk = self.chunk();
        let listed = self.place != Place::States;
        let of = |index: usize| Known {
            id: self.id().message(u8::try_from(index).unwrap()).get(),
            account: self.account,
            at: BEGIN.plus(self.at),
            lane: self.lane,
            recipient: self.recipients[index],
            reference: chunk.reference(index).map(str::to_owned),
            campaign: self.campaign,
            status: self.status(index),
        };
        (0..self.recipients.len()).filter(|_| listed).map(of).collect()
    }

    fn chunk(&self) -> Chunk {
        Chunk {
            id: self.id(),
            account: self.account,
            asked_lane: self.lane,
            line: "1000".into(),
            recipients: self
                .recipients
                .iter()
                .map(|number| Msisdn::from_canonical(*number).unwrap())
                .collect(),
            texts: vec![Text { body: "hi".into(), encoding: Encoding::Gsm7, segments: 1 }],
            text_index: vec![],
            references: self.references.clone(),
            tariff_version: 1,
            created_at: BEGIN.plus(self.at),
            send_by: BEGIN.plus(self.at + 60_000),
            call_id: self.id(),
            call_chunks: 1,
            call_messages: u32::try_from(self.recipients.len()).unwrap(),
            campaign: self.campaign,
        }
    }

    fn states(&self) -> Vec<u8> {
        let state = |index: usize| {
            let mut state = MessageState::default();
            state.merge_together(&facts(self.status(index)));
            assert_eq!(state.status(), self.status(index));
            state.to_bytes()
        };
        (0..self.recipients.len()).flat_map(state).collect()
    }
}

fn facts(status: Status) -> Vec<Fact> {
    let outcome = |outcome| Fact::Outcome { attempt: 1, outcome, code: 0, at: 1_000 };
    let receipt = |receipt| Fact::Receipt { attempt: 1, receipt, code: 2, at: 2_000 };
    match status {
        Status::Queued => vec![],
        Status::Sent => vec![outcome(Outcome::Taken)],
        Status::Delivered => vec![outcome(Outcome::Taken), receipt(Receipt::Delivered)],
        Status::Undelivered => vec![outcome(Outcome::Taken), receipt(Receipt::Undelivered)],
        Status::Failed => vec![outcome(Outcome::Refused(Refusal::Operator))],
        Status::Expired => vec![outcome(Outcome::Expired)],
        Status::Refused => vec![Fact::Unpaid],
        Status::Blocked => vec![outcome(Outcome::Refused(Refusal::Blocked))],
        Status::Canceled => vec![outcome(Outcome::Refused(Refusal::Canceled))],
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        ranges(schema.pool(), BEGIN, 2).await;
        let mut connection = schema.pool().acquire().await.unwrap();
        for account in ACCOUNTS {
            let lines = ["1000".to_owned()];
            ledger::account::create(&mut connection, Some(account), "a customer", &lines).await.unwrap();
        }
        drop(connection);
        World { schema }
    }

    pub(super) fn pool(&self) -> &PgPool {
        self.schema.pool()
    }

    pub(super) fn reader(&self) -> Reader {
        Reader::new(self.schema.pools().reports().clone(), 100_000)
    }

    /// Makes a chunk's rows as the roles leave them.
    pub(super) async fn make(&self, made: &Made) {
        store(self.pool(), made).await;
    }
}

/// Makes ranges. Their lock is one for all tests of the database.
pub(super) async fn ranges(pool: &PgPool, from: UnixMillis, days: u16) {
    let mut connection = pool.acquire().await.unwrap();
    while let Err(error) = ledger::ranges::ensure(&mut connection, from, days).await {
        assert!(platform::postgres::lost_a_race(&error), "{error}");
    }
}

/// Bills a chunk, and stores what is known of it where it is.
pub(super) async fn store(pool: &PgPool, made: &Made) {
    let chunk = made.chunk();
    let size = chunk.len();
    let mut transaction = pool.begin().await.unwrap();
    sqlx::query("update account set balance = $2 where id = $1")
        .bind(made.account)
        .bind(PRICE * i64::try_from(made.statuses.len()).unwrap())
        .execute(&mut *transaction)
        .await
        .unwrap();
    let request = Request {
        chunk: chunk.id,
        account: made.account,
        topic: "sms.submitted".into(),
        partition: 0,
        source: chunk.id.get(),
        request_hash: chunk.request_hash(),
        prices: Prices::new(vec![Money::new(PRICE)], vec![], size).unwrap(),
    };
    book(&mut transaction, &[request]).await.unwrap();
    let states = made.states();
    let counts = StatusCounts::of(&states).unwrap();
    let ended = (0..=u8::MAX).take(size).map(|index| (index, made.status(index.into())));
    let (settle, void) = Costs::default().split(ended);
    finals(&mut transaction, &BTreeMap::from([(chunk.id, Finals { settle, void })])).await.unwrap();

    let paid = u16::try_from(made.statuses.len()).unwrap();
    let verdict = if paid == 0 {
        Verdict::Refused { chunk: chunk.clone() }
    } else {
        Verdict::Paid { paid, chunk: chunk.clone() }
    };
    let record = Billed { source: 1, verdict }.encode(Version::NEWEST);
    let recipients = chunk.recipients.iter().map(|recipient| recipient_key(made.account, *recipient));
    let references = chunk.references.iter().filter(|reference| !reference.is_empty());
    let references: Vec<i64> = references.map(|reference| reference_key(made.account, reference)).collect();
    let single = size == 1;
    let (has_content, has_states) = (made.place != Place::States, made.place != Place::Content);
    // What is not paid for has a state as soon as the chunk is recorded.
    let has_states = has_states || usize::from(paid) < size;
    if has_content {
        sqlx::query(
            "insert into chunk_content
                    (chunk_id, account_id, lane, call_id, call_chunks, call_messages, record, messages,
                     campaign_id, recipient_key, reference_key, sought)
             values ($1, $2, $3, $1, 1, $4, $5, $4, nullif($6, 0), $7, $8, $9)",
        )
        .bind(chunk.id.get())
        .bind(made.account)
        .bind(made.lane.as_str())
        .bind(i16::try_from(size).unwrap())
        .bind(record.to_vec())
        .bind(made.campaign)
        .bind(recipients.clone().next().filter(|_| single))
        .bind(references.first().filter(|_| single))
        .bind((!single).then(|| keys_filter(recipients.chain(references.clone()).collect())))
        .execute(&mut *transaction)
        .await
        .unwrap();
        count(&mut transaction, made, "submitted", size).await;
    }
    if has_states {
        sqlx::query(
            "insert into chunk_state (chunk_id, account_id, lane, partition, states, counts, recorded)
             values ($1, $2, $3, 0, $4, $5, $6)",
        )
        .bind(chunk.id.get())
        .bind(made.account)
        .bind(made.lane.as_str())
        .bind(&states)
        .bind(counts.to_bytes())
        // It may say no although it is recorded.
        .bind(has_content && made.at % 2 == 0)
        .execute(&mut *transaction)
        .await
        .unwrap();
        for status in Status::ALL.into_iter().skip(1) {
            count(&mut transaction, made, status.as_str(), counts.of_status(status).into()).await;
        }
    }
    if matches!(made.place, Place::Both | Place::History) {
        sqlx::query(
            "insert into history_chunk
                    (chunk_id, account_id, lane, partition, call_id, call_chunks, call_messages, record, states,
                     messages, counts, campaign_id, recipient_key, reference_key, sought)
             select chunk_id, c.account_id, c.lane, partition, call_id, call_chunks, call_messages, record, states,
                    messages, counts, c.campaign_id, recipient_key, reference_key, sought
             from chunk_content c join chunk_state using (chunk_id) where chunk_id = $1",
        )
        .bind(chunk.id.get())
        .execute(&mut *transaction)
        .await
        .unwrap();
    }
    if made.place == Place::History {
        for statement in
            ["delete from chunk_content where chunk_id = $1", "delete from chunk_state where chunk_id = $1"]
        {
            sqlx::query(statement).bind(chunk.id.get()).execute(&mut *transaction).await.unwrap();
        }
    }
    transaction.commit().await.unwrap();
}

async fn count(connection: &mut sqlx::PgConnection, made: &Made, status: &str, messages: usize) {
    if messages == 0 {
        return;
    }
    sqlx::query(
        "insert into account_hour values ($1, date_trunc('hour', to_timestamp($2 / 1000.0), 'UTC'), $3, $4, $5)
         on conflict (account_id, hour, lane, status)
         do update set messages = account_hour.messages + excluded.messages",
    )
    .bind(made.account)
    .bind(BEGIN.plus(made.at).0)
    .bind(made.lane.as_str())
    .bind(status)
    .bind(i64::try_from(messages).unwrap())
    .execute(connection)
    .await
    .unwrap();
}

/// Ids of reports, for comparing.
pub(super) fn ids(reports: &[crate::reports::MessageReport]) -> Vec<i64> {
    reports.iter().map(|report| MessageId::get(report.id)).collect()
}
