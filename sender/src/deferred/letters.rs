//! Dead letters, for people: listed, and ordered to be sent again or dropped. The holder of
//! their partition carries orders out.

use super::row::{Why, decode};
use super::store::Verb;
use domain::bits::Bits;
use domain::id::ChunkId;
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// A chunk with dead letters. Nothing of what its messages say, or to whom, is in here.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The chunk.
    pub chunk: ChunkId,
    /// Whose it is.
    pub account: i64,
    /// Its lane.
    pub lane: String,
    /// Its partition.
    pub partition: i32,
    /// The messages that wait for a person, with the operator's code (0: there is none, it was
    /// tried too often) and how often each was tried.
    pub messages: BTreeMap<u8, (i16, u8)>,
    /// Since when it is kept.
    pub since: DateTime<Utc>,
    /// When the messages expire, and are refunded.
    pub send_by: DateTime<Utc>,
    /// An order that waits to be carried out.
    pub ordered: Option<String>,
}

/// Which letters.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// Of this lane.
    pub lane: Option<String>,
    /// Of this account.
    pub account: Option<i64>,
    /// With messages of this code.
    pub code: Option<i16>,
}

impl Letter {
    /// The dead messages with this code, or all.
    pub fn dead(&self, code: Option<i16>) -> Bits {
        let of = |(_, (found, _)): &(&u8, &(i16, u8))| code.is_none_or(|code| code == *found);
        self.messages.iter().filter(of).map(|(position, _)| *position).collect()
    }
}

type Row = (i64, i64, String, i32, Vec<u8>, DateTime<Utc>, DateTime<Utc>, Option<String>);

/// The next letters behind `after` (in the order of their chunks), at most `most` chunks.
///
/// # Errors
/// When the database cannot be asked, or a row cannot be read.
pub async fn list(
    connection: &mut PgConnection,
    which: &Which,
    after: i64,
    most: u32,
) -> Result<Vec<Letter>, sqlx::Error> {
    let mut found = Vec::new();
    let mut after = after;
    loop {
        let page = page(connection, which, after, most).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.0;
        for row in page {
            let letter = letter(row)?;
            if !letter.dead(which.code).is_empty() {
                found.push(letter);
            }
            if found.len() >= most as usize {
                return Ok(found);
            }
        }
    }
}

async fn page(
    connection: &mut PgConnection,
    which: &Which,
    after: i64,
    most: u32,
) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "select d.chunk_id, d.account_id, d.lane, d.partition, d.messages, d.deferred_at, d.send_by,
                (select min(o.verb) from dead_order o where o.chunk_id = d.chunk_id)
         from deferred d
         where d.dead <> 0::bit(256) and d.chunk_id > $1
           and ($2::text is null or d.lane = $2) and ($3::bigint is null or d.account_id = $3)
         order by d.chunk_id limit $4",
    )
    .bind(after)
    .bind(which.lane.as_deref())
    .bind(which.account)
    .bind(i64::from(most.max(1)))
    .fetch_all(connection)
    .await
}

/// The letter of this chunk, where it is one.
///
/// # Errors
/// When the database cannot be asked, or the row cannot be read.
pub async fn find(connection: &mut PgConnection, chunk: ChunkId) -> Result<Option<Letter>, sqlx::Error> {
    let page = page(connection, &Which::default(), chunk.get() - 1, 1).await?;
    page.into_iter().next().filter(|row| row.0 == chunk.get()).map(letter).transpose()
}

fn letter(row: Row) -> Result<Letter, sqlx::Error> {
    let (chunk, account, lane, partition, messages, since, send_by, ordered) = row;
    let chunk = ChunkId::new(chunk).ok_or_else(|| sqlx::Error::Decode("no chunk id".into()))?;
    let messages = decode(&messages).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let dead = messages.into_iter().filter(|message| message.why == Why::Dead);
    let messages = dead.map(|message| (message.position, (message.code, message.tries))).collect();
    Ok(Letter { chunk, account, lane, partition, messages, since, send_by, ordered })
}

/// Orders that the dead messages of these letters (of this code, or all) are sent again, or
/// dropped. `by` says who ordered it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn order(
    connection: &mut PgConnection,
    letters: &[Letter],
    code: Option<i16>,
    verb: Verb,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into dead_order (chunk_id, lane, partition, messages, verb, ordered_by)
         select chunk, lane, partition, messages::bit(256), $5, $6
         from unnest($1::bigint[], $2::text[], $3::integer[], $4::text[]) as n (chunk, lane, partition, messages)",
    )
    .bind(letters.iter().map(|letter| letter.chunk.get()).collect::<Vec<_>>())
    .bind(letters.iter().map(|letter| letter.lane.as_str()).collect::<Vec<_>>())
    .bind(letters.iter().map(|letter| letter.partition).collect::<Vec<_>>())
    .bind(letters.iter().map(|letter| letter.dead(code).to_bit_string()).collect::<Vec<_>>())
    .bind(verb.as_str())
    .bind(by)
    .execute(connection)
    .await?;
    Ok(())
}
