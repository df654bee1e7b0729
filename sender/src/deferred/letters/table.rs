//! The tables `deferred` and `dead_order`, as commands of people read and write them.

use super::{Dead, Letter, Others, Which};
use crate::deferred::row::{Why, decode};
use crate::deferred::store::Verb;
use domain::bits::Bits;
use domain::id::ChunkId;
use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// Rows read at once.
const PAGE: u32 = 500;

#[derive(sqlx::FromRow)]
struct Stored {
    chunk_id: i64,
    account_id: i64,
    lane: String,
    partition: i32,
    messages: Vec<u8>,
    deferred_at: DateTime<Utc>,
    send_by: DateTime<Utc>,
    requeued: Option<String>,
    dropped: Option<String>,
}

/// The next rows behind `after` (in the order of their chunks), at most `most` chunks.
///
/// # Errors
/// When the database cannot be asked, or a row cannot be read.
pub async fn list(
    connection: &mut PgConnection,
    which: &Which,
    after: i64,
    most: usize,
) -> Result<Vec<Letter>, sqlx::Error> {
    let mut found = Vec::new();
    let mut after = after;
    loop {
        let page = page(connection, which, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.chunk_id;
        for row in page {
            let letter = letter(row)?;
            if which.waiting || !letter.of_code(which.code).is_empty() {
                found.push(letter);
            }
            if found.len() >= most {
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
) -> Result<Vec<Stored>, sqlx::Error> {
    sqlx::query_as(
        "select d.chunk_id, d.account_id, d.lane, d.partition, d.messages, d.deferred_at, d.send_by,
                o.requeued, o.dropped
         from deferred d
         left join (select chunk_id, (bit_or(messages) filter (where verb = 'requeue'))::text as requeued,
                           (bit_or(messages) filter (where verb = 'drop'))::text as dropped
                    from dead_order group by chunk_id) o using (chunk_id)
         where ($1 or d.dead <> 0::bit(256)) and d.due < 'infinity' and d.chunk_id > $2
           and ($3::text is null or d.lane = $3) and ($4::bigint is null or d.account_id = $4)
         order by d.chunk_id limit $5",
    )
    .bind(which.waiting)
    .bind(after)
    .bind(which.lane.as_deref())
    .bind(which.account)
    .bind(i64::from(most))
    .fetch_all(connection)
    .await
}

/// What waits of this chunk, dead or not; nothing where nothing does.
///
/// # Errors
/// When the database cannot be asked, or the row cannot be read.
pub async fn find(connection: &mut PgConnection, chunk: ChunkId) -> Result<Option<Letter>, sqlx::Error> {
    let all = Which { waiting: true, ..Which::default() };
    let page = page(connection, &all, chunk.get() - 1, 1).await?;
    page.into_iter().next().filter(|row| row.chunk_id == chunk.get()).map(letter).transpose()
}

fn letter(row: Stored) -> Result<Letter, sqlx::Error> {
    let chunk = ChunkId::new(row.chunk_id).ok_or_else(|| sqlx::Error::Decode("no chunk id".into()))?;
    let messages = decode(&row.messages).map_err(|error| sqlx::Error::Decode(error.into()))?;
    let mut letter = Letter {
        chunk,
        account: row.account_id,
        lane: row.lane,
        partition: row.partition,
        dead: BTreeMap::new(),
        retried: Others::default(),
        quiet: Others::default(),
        asked_about: Others::default(),
        since: row.deferred_at,
        send_by: row.send_by,
        requeued: bits(row.requeued.as_deref())?,
        dropped: bits(row.dropped.as_deref())?,
    };
    for message in messages {
        match message.why {
            Why::Dead => {
                let dead = Dead { code: message.code, attempts: message.attempt };
                letter.dead.insert(message.position, dead);
            }
            Why::LookUp => letter.asked_about.add(message.due),
            Why::Retry | Why::Patience => letter.retried.add(message.due),
            Why::Quiet => letter.quiet.add(message.due),
        }
    }
    Ok(letter)
}

fn bits(text: Option<&str>) -> Result<Bits, sqlx::Error> {
    let bits = text.map(Bits::from_bit_string).transpose();
    Ok(bits.map_err(|error| sqlx::Error::Decode(error.into()))?.unwrap_or_default())
}

/// Orders that these messages of these chunks are sent again, or dropped. Those of them that
/// are no dead letters when the order is carried out are left alone. `by` says who ordered it.
///
/// # Errors
/// When the database cannot be asked.
pub async fn order(
    connection: &mut PgConnection,
    messages: &[(&Letter, Bits)],
    verb: Verb,
    by: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into dead_order (chunk_id, lane, partition, messages, verb, ordered_by)
         select chunk, lane, partition, messages::bit(256), $5, $6
         from unnest($1::bigint[], $2::text[], $3::integer[], $4::text[]) as n (chunk, lane, partition, messages)",
    )
    .bind(messages.iter().map(|(letter, _)| letter.chunk.get()).collect::<Vec<_>>())
    .bind(messages.iter().map(|(letter, _)| letter.lane.as_str()).collect::<Vec<_>>())
    .bind(messages.iter().map(|(letter, _)| letter.partition).collect::<Vec<_>>())
    .bind(messages.iter().map(|(_, bits)| bits.to_bit_string()).collect::<Vec<_>>())
    .bind(verb.as_str())
    .bind(by)
    .execute(connection)
    .await?;
    Ok(())
}
