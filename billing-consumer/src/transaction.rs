//! One billing transaction: positions first, then holds and parked records, all or nothing.

use crate::read::{Parked, Understood};
use bytes::Bytes;
use domain::id::ChunkId;
use ledger::LedgerError;
use ledger::hold::{Booked, Request};
use platform::ownership::{Advance, Role, advance};
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};
use wire::billed::Answer;

/// One record of the batch.
pub(crate) struct Item {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) record: Bytes,
    pub(crate) understood: Understood,
}

/// How a transaction ended.
pub(crate) enum Ended {
    /// Committed: one answer for each item, in order.
    Answers(Vec<Answer>),
    /// A position was not where it was thought to be: nothing happened.
    Moved,
}

/// Bills a batch. An error leaves open whether it was committed: the positions tell.
pub(crate) async fn bill(pool: &Pool, steps: &[Advance], items: &[Item]) -> Result<Ended, LedgerError> {
    pool.within(async |connection| bill_on(connection, steps, items).await).await
}

async fn bill_on(
    connection: &mut PgConnection,
    steps: &[Advance],
    items: &[Item],
) -> Result<Ended, LedgerError> {
    let mut transaction = connection.begin().await?;
    if advance(&mut transaction, Role::BillingConsumer, steps).await? != steps.len() {
        transaction.rollback().await?;
        return Ok(Ended::Moved);
    }
    let requests: Vec<Request> = items.iter().filter_map(Item::request).cloned().collect();
    let mut booked = ledger::hold::book(&mut transaction, &requests).await?.into_iter();
    let mut answers = Vec::with_capacity(items.len());
    let mut parked = Vec::new();
    for item in items {
        let (answer, park) = match &item.understood {
            Understood::Request(request) => answer_of(request, booked.next()),
            Understood::Park(parked) => (Answer::Noop, Some((parked.reason, parked.chunk, parked.account))),
            // Such batches are never billed: see `Lane::understand`.
            Understood::RangeMissing => (Answer::Noop, None),
        };
        answers.push(answer);
        parked.extend(park.map(|(reason, chunk, account)| (item, Parked { reason, chunk, account })));
    }
    park(&mut transaction, &parked).await?;
    transaction.commit().await?;
    Ok(Ended::Answers(answers))
}

type Park = (&'static str, Option<i64>, Option<i64>);

fn answer_of(request: &Request, booked: Option<Booked>) -> (Answer, Option<Park>) {
    let park = |reason| Some((reason, Some(request.chunk.get()), Some(request.account)));
    match booked {
        Some(Booked::Paid(paid)) => (Answer::Paid(paid), None),
        Some(Booked::Refused) => (Answer::Refused, None),
        Some(Booked::Repetition) | None => (Answer::Noop, None),
        Some(Booked::Collision) => (Answer::Noop, park("collision")),
        Some(Booked::NoAccount) => (Answer::Noop, park("unknown_account")),
    }
}

impl Item {
    fn request(&self) -> Option<&Request> {
        match &self.understood {
            Understood::Request(request) => Some(request),
            Understood::Park(_) | Understood::RangeMissing => None,
        }
    }
}

async fn park(connection: &mut PgConnection, parked: &[(&Item, Parked)]) -> Result<(), sqlx::Error> {
    if parked.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into parked (topic, partition, source_offset, reason, chunk_id, account_id, record)
         select * from unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[])",
    )
    .bind(parked.iter().map(|(item, _)| item.topic.as_str()).collect::<Vec<_>>())
    .bind(parked.iter().map(|(item, _)| item.partition).collect::<Vec<_>>())
    .bind(parked.iter().map(|(item, _)| item.offset).collect::<Vec<_>>())
    .bind(parked.iter().map(|(_, parked)| parked.reason).collect::<Vec<_>>())
    .bind(parked.iter().map(|(_, parked)| parked.chunk).collect::<Vec<_>>())
    .bind(parked.iter().map(|(_, parked)| parked.account).collect::<Vec<_>>())
    .bind(parked.iter().map(|(item, _)| item.record.as_ref()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// What was answered to records whose offsets are below the position: a pure function of
/// the record and of the ledger row that names this very source.
pub(crate) async fn answers_from_ledger(
    connection: &mut PgConnection,
    topic: &str,
    partition: i32,
    records: &[(i64, Option<ChunkId>)],
) -> Result<Vec<Answer>, LedgerError> {
    let chunks: Vec<ChunkId> = records.iter().filter_map(|(_, chunk)| *chunk).collect();
    let rows = ledger::hold::read(connection, &chunks).await?;
    let answer = |(offset, chunk): &(i64, Option<ChunkId>)| {
        let row = rows.iter().find(|row| {
            Some(row.chunk) == *chunk
                && (row.topic.as_str(), row.partition, row.source) == (topic, partition, *offset)
        });
        match row {
            Some(row) if row.paid > 0 => Answer::Paid(row.paid),
            Some(_) => Answer::Refused,
            None => Answer::Noop,
        }
    };
    Ok(records.iter().map(answer).collect())
}
