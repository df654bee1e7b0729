//! A database with one account, holds and positions, and readable views of it.

use super::super::*;
use crate::merge::{Batch, Verdict};
use crate::read::{Stream, read};
use crate::samples::{self, ACCOUNT, MINTED};
use bytes::Bytes;
use domain::bits::Bits;
use domain::lane::Lane;
use domain::status::{MessageState, STATE_BYTES, StatusCounts};
use ledger::audit::Expect;
use sqlx::types::Uuid;
use std::sync::atomic::{AtomicI64, Ordering};
use testkit::postgres::Schema;

/// A topic, and what it carries.
pub(crate) type Topic = (&'static str, Stream);

pub(crate) const BILLED: Topic = ("sms.billed.bulk", Stream::Billed(Lane::Bulk));
pub(crate) const ATTEMPTS: Topic = ("sms.attempts.bulk", Stream::Attempts(Lane::Bulk));
pub(crate) const RECEIPTS: Topic = ("sms.receipts", Stream::Receipts);

pub(crate) const PARTITION: i32 = 3;

pub(crate) struct World {
    pub(crate) schema: Schema,
    schedule: Schedule,
    pub(crate) costs: Costs,
    /// Milliseconds after the chunks were minted.
    /// The connectors whose ids are kept.
    pub(crate) operator_ids: BTreeSet<String>,
    now: AtomicI64,
}

impl World {
    /// An account with 10,000 rial.
    pub(crate) async fn new() -> Self {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        samples::account(schema.pool(), 10_000).await;
        for (topic, _) in [BILLED, ATTEMPTS, RECEIPTS] {
            sqlx::query(
                "insert into position (role, topic, partition, epoch) values ('dlr-reconciler', $1, $2, 1)",
            )
            .bind(topic)
            .bind(PARTITION)
            .execute(schema.pool())
            .await
            .unwrap();
        }
        let schedule = Schedule::new(&[60, 300], 600).unwrap();
        let operator_ids = BTreeSet::from(["magfa".to_owned()]);
        World { schema, schedule, costs: Costs::default(), operator_ids, now: AtomicI64::new(0) }
    }

    pub(crate) fn pool(&self) -> &Pool {
        self.schema.pools().common()
    }

    pub(crate) fn means(&self) -> Means<'_> {
        let now = MINTED.plus(self.now.load(Ordering::Relaxed));
        let (costs, schedule, operator_ids) = (&self.costs, &self.schedule, &self.operator_ids);
        Means { costs, schedule, now, version: Version::NEWEST, operator_ids }
    }

    /// Time goes on to so many milliseconds after minting.
    pub(crate) fn at(&self, millis: i64) -> &Self {
        self.now.store(millis, Ordering::Relaxed);
        self
    }

    /// Bills a chunk.
    pub(crate) async fn hold(&self, chunk: ChunkId, size: u16, paid: u16) {
        samples::hold(self.pool(), chunk, size, paid).await;
    }

    /// What records bring that are read from the stored position on.
    pub(crate) async fn batch(&self, topic: Topic, records: &[Bytes]) -> Batch {
        let mut batch = Batch::new(self.position(topic).await);
        for record in records {
            let understood = read(topic.1, PARTITION, record);
            let verdict = batch.take(topic.1, batch.to(), record, understood);
            assert_ne!(verdict, Verdict::Stops);
        }
        batch
    }

    pub(crate) fn held<'a>(&self, topic: Topic, epoch: i64, batch: &'a Batch) -> Held<'a> {
        Held { topic: topic.0, partition: PARTITION, epoch, batch }
    }

    pub(crate) async fn try_flush(&self, topic: Topic, epoch: i64, batch: &Batch) -> Flushed {
        loop {
            match flush(self.pool(), &[self.held(topic, epoch, batch)], &self.means()).await {
                Ok(flushed) => return flushed,
                Err(error) if error.postgres().is_some_and(platform::postgres::lost_a_race) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Stores records that stand next in the topic.
    pub(crate) async fn flush(&self, topic: Topic, records: &[Bytes]) -> Stored {
        let batch = self.batch(topic, records).await;
        match self.try_flush(topic, 1, &batch).await {
            Flushed::Stored(stored) => {
                assert_eq!(stored.disagreements, 0);
                *stored
            }
            Flushed::Moved => panic!("the position stands where it was read"),
        }
    }

    /// From now on `process` holds the partition.
    pub(crate) async fn own(&self, process: Uuid) {
        sqlx::query(
            "insert into ownership (role, partition, process) values ('dlr-reconciler', $1, $2)
             on conflict (role, partition) do update set process = excluded.process",
        )
        .bind(PARTITION)
        .bind(process)
        .execute(self.schema.pool())
        .await
        .unwrap();
    }

    /// A connector was last heard of so many milliseconds after minting.
    pub(crate) async fn heard_of(&self, connector: &str, millis: i64) {
        sqlx::query(
            "insert into connector_heard values ($1, to_timestamp($2 / 1000.0))
             on conflict (connector) do update set last_at = excluded.last_at",
        )
        .bind(connector)
        .bind(MINTED.plus(millis).0)
        .execute(self.schema.pool())
        .await
        .unwrap();
    }

    /// Rows of a table (and condition).
    pub(crate) async fn count(&self, table: &str) -> i64 {
        let statement = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        sqlx::query_scalar(statement).fetch_one(self.schema.pool()).await.unwrap()
    }

    pub(crate) async fn take_over(&self, epoch: i64) {
        let statement = "update position set epoch = $1";
        sqlx::query(statement).bind(epoch).execute(self.schema.pool()).await.unwrap();
    }

    pub(crate) async fn position(&self, topic: Topic) -> i64 {
        let statement = "select next_offset from position where topic = $1";
        sqlx::query_scalar(statement).bind(topic.0).fetch_one(self.schema.pool()).await.unwrap()
    }

    /// Balance and held.
    pub(crate) async fn money(&self) -> (i64, i64) {
        sqlx::query_as("select balance, held from account").fetch_one(self.schema.pool()).await.unwrap()
    }

    pub(crate) async fn states(&self) -> BTreeMap<ChunkId, Vec<u8>> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as("select chunk_id, states from all_chunk_state")
            .fetch_all(self.schema.pool())
            .await
            .unwrap();
        rows.into_iter().map(|(chunk, states)| (ChunkId::new(chunk).unwrap(), states)).collect()
    }

    /// The words of a chunk's statuses; empty where there is no state row.
    pub(crate) async fn statuses(&self, chunk: ChunkId) -> String {
        let states = self.states().await.remove(&chunk).unwrap_or_default();
        let word = |bytes: &[u8; STATE_BYTES]| MessageState::from_bytes(*bytes).unwrap().status().as_str();
        states.as_chunks().0.iter().map(word).collect::<Vec<_>>().join(" ")
    }

    pub(crate) async fn operator_ids(&self, chunk: ChunkId) -> Vec<(i16, String)> {
        sqlx::query_as(
            "select first_position, operator_ids from all_chunk_operator_ids where chunk_id = $1 order by 1",
        )
        .bind(chunk.get())
        .fetch_all(self.schema.pool())
        .await
        .unwrap()
    }

    /// The open positions, and when they are due in milliseconds after minting (nothing:
    /// never).
    pub(crate) async fn poll(&self, chunk: ChunkId) -> Option<(String, Option<i64>)> {
        let row: Option<(String, Option<i64>)> = sqlx::query_as(
            "select open::text, (extract(epoch from nullif(due, 'infinity')) * 1000)::bigint
             from receipt_poll where chunk_id = $1",
        )
        .bind(chunk.get())
        .fetch_optional(self.schema.pool())
        .await
        .unwrap();
        row.map(|(open, due)| {
            let open = Bits::from_bit_string(&open).unwrap();
            let open: Vec<String> = open.iter().map(|position| position.to_string()).collect();
            (open.join(","), due.map(|due| due - MINTED.0))
        })
    }

    pub(crate) async fn hours(&self) -> String {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select status, messages from account_hour
             where account_id = $1 and lane = 'bulk' and hour = date_trunc('hour', to_timestamp($2 / 1000))
               and messages <> 0
             order by 1",
        )
        .bind(ACCOUNT)
        .bind(MINTED.0)
        .fetch_all(self.schema.pool())
        .await
        .unwrap();
        let words: Vec<String> =
            rows.into_iter().map(|(status, count)| format!("{status} {count}")).collect();
        words.join(", ")
    }

    /// What is counted of the campaign: its messages, what was charged, and what came back.
    pub(crate) async fn campaign(&self) -> (String, i64, i64) {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "select status, messages from campaign_count where campaign_id = $1 and messages <> 0 order by 1",
        )
        .bind(samples::CAMPAIGN)
        .fetch_all(self.schema.pool())
        .await
        .unwrap();
        let money: Option<(i64, i64)> =
            sqlx::query_as("select price, refunded from campaign_money where campaign_id = $1")
                .bind(samples::CAMPAIGN)
                .fetch_optional(self.schema.pool())
                .await
                .unwrap();
        let words: Vec<String> =
            rows.into_iter().map(|(status, count)| format!("{status} {count}")).collect();
        let (price, refunded) = money.unwrap_or_default();
        (words.join(", "), price, refunded)
    }

    /// The counts beside states are those of the states, wherever these are.
    async fn is_counted(&self) {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "select states, counts from chunk_state union all select states, counts from history_chunk",
        )
        .fetch_all(self.schema.pool())
        .await
        .unwrap();
        for (states, counts) in rows {
            assert_eq!(StatusCounts::of(&states).unwrap().to_bytes().as_slice(), counts);
        }
        // And so are the counters of hours, where those of chunks are added up.
        let differ: Vec<(String, Option<i64>, Option<i64>)> = sqlx::query_as(
            "select status, a.messages, b.messages from account_hour a full join (
                 select account_id, date_trunc('hour', minted, 'UTC') as hour, lane, status, sum(n)::bigint as messages
                 from (
                     select account_id, chunk_id, lane, 'submitted' as status, messages::integer as n
                     from all_chunk_content
                     union all
                     select s.account_id, s.chunk_id, s.lane, word, status_count(s.counts, place::integer)
                     from (select account_id, chunk_id, lane, counts from chunk_state
                           union all select account_id, chunk_id, lane, counts from history_chunk h
                           where not exists (select from chunk_state o where o.chunk_id = h.chunk_id)) s
                     cross join unnest(array['sent', 'delivered', 'undelivered', 'failed', 'expired', 'refused',
                                             'blocked', 'canceled']) with ordinality as w (word, place)
                 ) each cross join lateral (select timestamptz '2026-01-01 00:00:00Z'
                                            + (chunk_id >> 22) * interval '1 millisecond' as minted) m
                 group by 1, 2, 3, 4
             ) b using (account_id, hour, lane, status)
             where coalesce(a.messages, 0) <> coalesce(b.messages, 0)",
        )
        .fetch_all(self.schema.pool())
        .await
        .unwrap();
        assert_eq!(differ, []);
    }

    /// Audits the books: L1 to L5.
    pub(crate) async fn is_clean(&self, expect: Expect) {
        self.is_counted().await;
        let mut connection = self.pool().acquire().await.unwrap();
        let report = ledger::audit::run(&mut connection, expect).await.unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    /// Audits with nothing in flight, and drops the schema.
    pub(crate) async fn ends_clean(self) {
        self.is_clean(Expect::Quiescence).await;
        self.drop().await;
    }

    pub(crate) async fn drop(self) {
        self.schema.drop().await;
    }
}
