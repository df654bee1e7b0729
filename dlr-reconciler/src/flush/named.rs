//! The tables `operator_message` and `named_receipt`: receipts that come with the operator's own
//! ids alone, and which message each of these ids is of. Both are written by whoever hears of
//! them, in any order; a second transaction matches what meets, and hands it on to
//! `pending_receipt`, where it is a receipt like any other that came early. Whichever of the two
//! is committed last sees both.

use super::pending_receipt::{self, Waiting};
use crate::merge::{Batch, OperatorIds, Slice};
use crate::pushed::tells;
use domain::id::ChunkId;
use domain::outcome::Receipt;
use domain::time::UnixMillis;
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use std::sync::Arc;
use wire::Version;
use wire::receipts::{MessageReceipt, ReceiptSlice, operator_id};

/// Receipts matched in one transaction at most.
const MATCHED_MAX: i64 = 2_000;
/// Receipts looked through for matches at a time.
const LOOKED_THROUGH_MAX: i64 = 5_000;

/// A message as an operator names it: the connector, and the operator's id.
pub(crate) type Name = (Arc<str>, String);

/// A receipt that came with the operator's own id alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: Name,
    pub(crate) receipt: Receipt,
    pub(crate) code: i16,
    pub(crate) at: UnixMillis,
}

/// Stores the ids of connectors in `kept`, and such receipts. Returns whom either is about.
pub(super) async fn insert<'a>(
    connection: &mut PgConnection,
    batches: impl Iterator<Item = (&'a Batch, &'a str, i32)>,
    kept: &BTreeSet<String>,
) -> Result<Vec<Name>, sqlx::Error> {
    let (mut ids, mut receipts) = (Vec::new(), Vec::new());
    for (batch, topic, partition) in batches {
        let of_kept = batch.operator_ids.iter().filter(|ids| kept.contains(&*ids.connector));
        ids.extend(of_kept.flat_map(messages));
        // What says nothing final cannot change a message.
        let telling = batch.named.iter().filter(|named| tells(named.receipt));
        receipts.extend(telling.map(|named| (named, topic, partition)));
    }
    insert_ids(connection, &ids).await?;
    insert_receipts(connection, &receipts).await?;
    let named = receipts.into_iter().map(|(named, ..)| named.name.clone());
    Ok(ids.into_iter().map(|id| id.name).chain(named).collect())
}

/// One row of `operator_message`.
struct Message {
    name: Name,
    chunk: ChunkId,
    position: u8,
    attempt: u8,
}

fn messages(ids: &OperatorIds) -> impl Iterator<Item = Message> + use<'_> {
    ids.positions.iter().zip(ids.ids.lines()).filter_map(|(position, id)| {
        let name = (Arc::clone(&ids.connector), operator_id(id)?);
        Some(Message { name, chunk: ids.chunk, position: *position, attempt: ids.attempt })
    })
}

async fn insert_ids(connection: &mut PgConnection, ids: &[Message]) -> Result<(), sqlx::Error> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into operator_message (connector, operator_id, chunk_id, position, attempt)
         select * from unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[], $5::smallint[])
         on conflict do nothing",
    )
    .bind(ids.iter().map(|id| id.name.0.as_ref()).collect::<Vec<_>>())
    .bind(ids.iter().map(|id| id.name.1.as_str()).collect::<Vec<_>>())
    .bind(ids.iter().map(|id| id.chunk.get()).collect::<Vec<_>>())
    .bind(ids.iter().map(|id| i16::from(id.position)).collect::<Vec<_>>())
    .bind(ids.iter().map(|id| i16::from(id.attempt)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert_receipts(
    connection: &mut PgConnection,
    receipts: &[(&Named, &str, i32)],
) -> Result<(), sqlx::Error> {
    if receipts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into named_receipt (connector, operator_id, receipt, code, heard_ms, topic, partition)
         select * from unnest($1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::bigint[],
                              $6::text[], $7::integer[])",
    )
    .bind(receipts.iter().map(|(named, ..)| named.name.0.as_ref()).collect::<Vec<_>>())
    .bind(receipts.iter().map(|(named, ..)| named.name.1.as_str()).collect::<Vec<_>>())
    .bind(receipts.iter().map(|(named, ..)| i16::from(named.receipt.code())).collect::<Vec<_>>())
    .bind(receipts.iter().map(|(named, ..)| named.code).collect::<Vec<_>>())
    .bind(receipts.iter().map(|(named, ..)| named.at.0).collect::<Vec<_>>())
    .bind(receipts.iter().map(|(_, topic, _)| *topic).collect::<Vec<_>>())
    .bind(receipts.iter().map(|(.., partition)| *partition).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// A receipt and the message it is of.
#[derive(sqlx::FromRow)]
struct Matched {
    id: i64,
    connector: String,
    receipt: i16,
    code: i16,
    heard_ms: i64,
    topic: String,
    partition: i32,
    chunk_id: i64,
    position: i16,
    attempt: i16,
}

/// Matches what is known under these names, and hands it on. Returns the chunks it is of.
pub(crate) async fn match_names(
    pool: &Pool,
    names: &[Name],
    version: Version,
) -> Result<Vec<ChunkId>, sqlx::Error> {
    let waiting = sqlx::query_scalar(
        "select id from named_receipt join unnest($1::text[], $2::text[]) as n (connector, operator_id)
         using (connector, operator_id) order by id limit $3",
    )
    .bind(names.iter().map(|name| name.0.as_ref()).collect::<Vec<_>>())
    .bind(names.iter().map(|name| name.1.as_str()).collect::<Vec<_>>())
    .bind(MATCHED_MAX);
    let matching = async |connection: &mut PgConnection| {
        let waiting: Vec<i64> = waiting.fetch_all(&mut *connection).await?;
        hand_on(connection, &waiting, version).await
    };
    pool.within(matching).await
}

/// Looks through the next receipts after `after`, whoever missed them. Returns also where to go
/// on, nothing at the end.
pub(crate) async fn match_next(
    pool: &Pool,
    after: i64,
    version: Version,
) -> Result<(Vec<ChunkId>, Option<i64>), sqlx::Error> {
    let next = sqlx::query_scalar("select id from named_receipt where id > $1 order by id limit $2");
    let next = next.bind(after).bind(LOOKED_THROUGH_MAX);
    let matching = async |connection: &mut PgConnection| {
        let waiting: Vec<i64> = next.fetch_all(&mut *connection).await?;
        let more = waiting.len() as i64 == LOOKED_THROUGH_MAX;
        let chunks = hand_on(connection, &waiting, version).await?;
        Ok((chunks, waiting.last().copied().filter(|_| more)))
    };
    pool.within(matching).await
}

/// One transaction: what is matched goes from one table to the other. Where an operator gave an
/// id more than once, it is that of the newest message.
async fn hand_on(
    connection: &mut PgConnection,
    waiting: &[i64],
    version: Version,
) -> Result<Vec<ChunkId>, sqlx::Error> {
    if waiting.is_empty() {
        return Ok(vec![]);
    }
    let mut transaction = connection.begin().await?;
    let matched: Vec<Matched> = sqlx::query_as(
        "select n.id, n.connector, n.receipt, n.code, n.heard_ms, n.topic, n.partition,
                o.chunk_id, o.position, o.attempt
         from named_receipt n cross join lateral (
             select chunk_id, position, attempt from operator_message o
             where o.connector = n.connector and o.operator_id = n.operator_id
             order by chunk_id desc, attempt desc limit 1) o
         where n.id = any($1) order by n.id for update of n skip locked",
    )
    .bind(waiting)
    .fetch_all(&mut *transaction)
    .await?;
    let rows: Vec<Waiting> = matched.iter().filter_map(|matched| matched.waiting(version)).collect();
    pending_receipt::insert_rows(&mut transaction, &rows).await?;
    sqlx::query("delete from named_receipt where id = any($1)")
        .bind(matched.iter().map(|matched| matched.id).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(rows.into_iter().map(|row| row.chunk).collect())
}

impl Matched {
    /// As a receipt of the message; nothing for a row that is not of ours.
    fn waiting(&self, version: Version) -> Option<Waiting> {
        let chunk = ChunkId::new(self.chunk_id)?;
        let message = MessageReceipt {
            position: u8::try_from(self.position).ok()?,
            receipt: Receipt::from_code(u8::try_from(self.receipt).ok()?)?,
            code: self.code,
        };
        let attempt = u8::try_from(self.attempt).ok()?;
        let slice = Slice {
            connector: self.connector.as_str().into(),
            at: UnixMillis(self.heard_ms),
            polled: false,
            slice: ReceiptSlice { chunk, attempt, messages: vec![message] },
        };
        let (topic, partition) = (self.topic.clone(), self.partition);
        Some(Waiting { chunk, topic, partition, record: pending_receipt::record(&slice, version) })
    }
}
