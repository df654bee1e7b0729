//! The tables `deferred` and `dead_order`, as the holder of partitions reads and writes them.

use super::row::{Row, decode, encode};
use bytes::Bytes;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::time::UnixMillis;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// What becomes of rows in one transaction, all of one lane.
#[derive(Debug, Default)]
pub(crate) struct Changes<'a> {
    /// Rows to write, with their partitions.
    pub(crate) keep: Vec<(i32, &'a Row)>,
    /// Chunks that are done with.
    pub(crate) delete: Vec<ChunkId>,
    /// Orders that were carried out.
    pub(crate) carried_out: Vec<i64>,
}

/// What is asked of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Send it again.
    Requeue,
    /// Do not send it any more: it is refunded.
    Drop,
}

/// An order from a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) partition: i32,
    pub(crate) chunk: ChunkId,
    pub(crate) messages: Bits,
    pub(crate) verb: Verb,
}

/// How much a partition has in the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stock {
    pub(crate) rows: i64,
    /// Octets of the records.
    pub(crate) octets: i64,
    /// Rows with dead letters.
    pub(crate) dead: i64,
}

impl Stock {
    /// How many more rows may be written.
    pub(crate) fn room(&self, rows_max: u32, octets_max: u64) -> usize {
        let octets = u64::try_from(self.octets).unwrap_or(0);
        let rows = if octets < octets_max { i64::from(rows_max) - self.rows } else { 0 };
        usize::try_from(rows).unwrap_or(0)
    }

    /// Rows were written, some of them for the first time, or deleted. How long those were is
    /// not known until they are counted anew: the bound is reached rather too early.
    pub(crate) fn changed(&mut self, rows: &BTreeMap<ChunkId, Option<Row>>, first: &BTreeSet<ChunkId>) {
        for (chunk, row) in rows {
            match row {
                Some(row) if first.contains(chunk) => {
                    self.rows += 1;
                    self.octets += i64::try_from(row.record.len()).unwrap_or(i64::MAX);
                }
                Some(_) => {}
                None => self.rows = (self.rows - 1).max(0),
            }
        }
    }
}

impl Verb {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Requeue => "requeue",
            Verb::Drop => "drop",
        }
    }

    fn of(word: &str) -> Option<Verb> {
        [Verb::Requeue, Verb::Drop].into_iter().find(|verb| verb.as_str() == word)
    }
}

/// Carries changes out, behind the positions of their partitions.
pub(crate) async fn change(
    connection: &mut PgConnection,
    lane: Lane,
    changes: &Changes<'_>,
) -> Result<(), sqlx::Error> {
    keep(connection, lane, &changes.keep).await?;
    if !changes.delete.is_empty() {
        let chunks: Vec<i64> = changes.delete.iter().map(|chunk| chunk.get()).collect();
        sqlx::query("delete from deferred where chunk_id = any($1)")
            .bind(chunks)
            .execute(&mut *connection)
            .await?;
    }
    if !changes.carried_out.is_empty() {
        sqlx::query("delete from dead_order where id = any($1)")
            .bind(&changes.carried_out)
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn keep(connection: &mut PgConnection, lane: Lane, rows: &[(i32, &Row)]) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let of = |column: fn(&Row) -> i64| rows.iter().map(|(_, row)| column(row)).collect::<Vec<_>>();
    sqlx::query(
        "insert into deferred (chunk_id, lane, partition, account_id, billed_offset, due, send_by, dead, messages, record, quiet, campaign_id)
         select chunk, $1, partition, account, billed_offset,
                coalesce(to_timestamp(due_ms / 1000.0), 'infinity'), to_timestamp(send_by_ms / 1000.0),
                dead::bit(256), messages, record, quiet, campaign
         from unnest($2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                     $8::bytea[], $9::bytea[], $10::bigint[], $11::boolean[], $12::bigint[])
              as n (chunk, partition, account, due_ms, send_by_ms, dead, messages, record, billed_offset, quiet, campaign)
         on conflict (chunk_id) do update
         set due = excluded.due, dead = excluded.dead, messages = excluded.messages,
             quiet = excluded.quiet, campaign_id = excluded.campaign_id,
             record = case when excluded.due = 'infinity' then excluded.record else deferred.record end",
    )
    .bind(lane.as_str())
    .bind(of(|row| row.chunk.get()))
    .bind(rows.iter().map(|(partition, _)| *partition).collect::<Vec<_>>())
    .bind(of(|row| row.account))
    .bind(rows.iter().map(|(_, row)| row.due().map(|due| due.0)).collect::<Vec<_>>())
    .bind(of(|row| row.send_by.0))
    .bind(rows.iter().map(|(_, row)| row.dead().to_bit_string()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| encode(&row.messages)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.record.as_ref()).collect::<Vec<_>>())
    .bind(of(|row| row.offset))
    .bind(rows.iter().map(|(_, row)| row.is_quiet()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, row)| row.cancelable()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

type Stored = (i64, i32, i64, i64, i64, i64, Vec<u8>, Vec<u8>);

const COLUMNS: &str = "chunk_id, partition, account_id, coalesce(campaign_id, 0), billed_offset, (extract(epoch from send_by) * 1000)::bigint, messages, record";

/// What is due.
#[derive(Debug, Default)]
pub(crate) struct Due {
    /// Rows, with their partitions.
    pub(crate) rows: Vec<(i32, Row)>,
    /// Partitions and chunks of rows that cannot be read: the others do not wait for them.
    pub(crate) unreadable: Vec<(i32, i64)>,
}

/// Which rows are looked for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Looked<'a> {
    /// Chunks whose rows are not.
    pub(crate) in_hand: &'a [ChunkId],
    /// Rows at most that are due and whose time is not over.
    pub(crate) most: usize,
    /// Rows at most whose time is over.
    pub(crate) over: usize,
    /// Rows at most that wait for the hours of advertising.
    pub(crate) quiet: usize,
    /// Whether it is those hours now: such rows are due then, whatever they say.
    pub(crate) day: bool,
    /// Cancelled campaigns: rows of theirs are due, at most as many as of others.
    pub(crate) canceled: &'a [i64],
}

/// Rows that are due in these partitions.
pub(crate) async fn due(
    connection: &mut PgConnection,
    lane: Lane,
    partitions: &[i32],
    looked: Looked<'_>,
) -> Result<Due, sqlx::Error> {
    let Looked { in_hand, most, over, quiet, day, canceled } = looked;
    let limit = |most: usize| i64::try_from(most).unwrap_or(i64::MAX);
    // Several queries: what is over may wait for an operator's word for long, and what waited
    // for the morning is much at once; they would stand before everything else.
    let these = "where lane = $1 and partition = any($2) and chunk_id <> all($3)";
    let due = "and due <= statement_timestamp()";
    let rows: Vec<Stored> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "(select {COLUMNS} from deferred {these} {due} and not quiet and send_by <= statement_timestamp()
          order by due limit $5)
         union all
         (select {COLUMNS} from deferred {these} {due} and not quiet and send_by > statement_timestamp()
          order by due limit $4)
         union all
         (select {COLUMNS} from deferred {these} and quiet and (due <= statement_timestamp() or $7)
          order by due limit $6)
         union all
         (select {COLUMNS} from deferred {these} and campaign_id = any($8) limit $4)"
    )))
    .bind(lane.as_str())
    .bind(partitions)
    .bind(in_hand.iter().map(|chunk| chunk.get()).collect::<Vec<_>>())
    .bind(limit(most))
    .bind(limit(over))
    .bind(limit(quiet))
    .bind(day)
    .bind(canceled)
    .fetch_all(connection)
    .await?;
    let mut due = Due::default();
    for stored in rows {
        let (chunk, partition) = (stored.0, stored.1);
        match read_one(stored) {
            Ok(row) => due.rows.push(row),
            Err(_) => due.unreadable.push((partition, chunk)),
        }
    }
    Ok(due)
}

/// The rows of these chunks, where there are any.
pub(crate) async fn of_chunks(
    connection: &mut PgConnection,
    chunks: &[ChunkId],
) -> Result<Vec<(i32, Row)>, sqlx::Error> {
    let rows: Vec<Stored> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select {COLUMNS} from deferred where chunk_id = any($1)"
    )))
    .bind(chunks.iter().map(|chunk| chunk.get()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    read(rows)
}

/// A chunk in the table whose record in sms.billed comes again to a new holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ahead {
    pub(crate) offset: i64,
    pub(crate) chunk: ChunkId,
    /// Nothing is left to be done for it.
    pub(crate) ended: bool,
}

/// What a partition has in the table from the frontier on.
pub(crate) async fn ahead(
    connection: &mut PgConnection,
    lane: Lane,
    partition: i32,
    frontier: i64,
) -> Result<Vec<Ahead>, sqlx::Error> {
    let rows: Vec<(i64, i64, bool)> = sqlx::query_as(
        "select billed_offset, chunk_id, due = 'infinity' from deferred
         where lane = $1 and partition = $2 and billed_offset >= $3",
    )
    .bind(lane.as_str())
    .bind(partition)
    .bind(frontier)
    .fetch_all(connection)
    .await?;
    let one = |(offset, chunk, ended)| {
        let chunk = ChunkId::new(chunk).ok_or_else(|| sqlx::Error::Decode("no chunk id".into()))?;
        Ok(Ahead { offset, chunk, ended })
    };
    rows.into_iter().map(one).collect()
}

fn read(rows: Vec<Stored>) -> Result<Vec<(i32, Row)>, sqlx::Error> {
    rows.into_iter().map(read_one).collect()
}

fn read_one(stored: Stored) -> Result<(i32, Row), sqlx::Error> {
    let (chunk, partition, account, campaign, offset, send_by, messages, record) = stored;
    let chunk = ChunkId::new(chunk).ok_or_else(|| sqlx::Error::Decode("no chunk id".into()))?;
    let messages = decode(&messages).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let (send_by, record) = (UnixMillis(send_by), Bytes::from(record));
    Ok((partition, Row { chunk, account, campaign, offset, send_by, record, messages }))
}

/// Orders for these partitions that were not carried out yet, at most `most`, the eldest first;
/// those to send something again only where there is room for it.
pub(crate) async fn orders(
    connection: &mut PgConnection,
    lane: Lane,
    partitions: &[i32],
    carried_out: &[i64],
    room: bool,
    most: usize,
) -> Result<Vec<Order>, sqlx::Error> {
    let rows: Vec<(i64, i32, i64, String, String)> = sqlx::query_as(
        "select id, partition, chunk_id, messages::text, verb from dead_order
         where lane = $1 and partition = any($2) and id <> all($4) and ($5 or verb = 'drop')
         order by id limit $3",
    )
    .bind(lane.as_str())
    .bind(partitions)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .bind(carried_out)
    .bind(room)
    .fetch_all(connection)
    .await?;
    let one = |(id, partition, chunk, messages, verb): (i64, i32, i64, String, String)| {
        let messages = Bits::from_bit_string(&messages).ok()?;
        Some(Order { id, partition, chunk: ChunkId::new(chunk)?, messages, verb: Verb::of(&verb)? })
    };
    let bad = || sqlx::Error::Decode("an order that cannot be read".into());
    rows.into_iter().map(|row| one(row).ok_or_else(bad)).collect()
}

/// How much these partitions have in the table.
pub(crate) async fn stock(
    connection: &mut PgConnection,
    lane: Lane,
    partitions: &[i32],
) -> Result<BTreeMap<i32, Stock>, sqlx::Error> {
    let rows: Vec<(i32, i64, i64, i64)> = sqlx::query_as(
        "select partition, count(*), coalesce(sum(octet_length(record)), 0)::bigint,
                count(*) filter (where dead <> 0::bit(256))
         from deferred where lane = $1 and partition = any($2) group by partition",
    )
    .bind(lane.as_str())
    .bind(partitions)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(partition, rows, octets, dead)| (partition, Stock { rows, octets, dead }))
        .collect())
}
