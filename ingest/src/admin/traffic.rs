//! What the messages of the last days would have cost by two price lists.
//!
//! Where there are many, not all are looked at: of each hour some chunks are priced, and what
//! they cost is taken for all messages that were counted in that lane on that day. So the work is
//! bounded, however much is sent, and what little is sent is priced exactly.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::money::Money;
use domain::tariff::Tariff;
use domain::time::UnixMillis;
use sqlx::PgConnection;
use wire::billed::{Billed, Verdict};
use wire::submitted::Chunk;

/// Days (UTC) that are looked at, today among them.
pub const DAYS: u64 = 7;
/// Chunks of an hour that are priced at most, of the open tables and of history each.
const CHUNKS_OF_AN_HOUR: i64 = 40;
const HOUR_MS: i64 = 3_600_000;

/// The traffic of a lane (the lane travelled in), and what it would have cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneTraffic {
    /// The lane.
    pub lane: Lane,
    /// Messages that were submitted.
    pub messages: i64,
    /// Those of them that were looked at: where these are less, the costs are estimates.
    pub looked_at: i64,
    /// What they would have cost by the first list.
    pub old: Money,
    /// What they would have cost by the second.
    pub new: Money,
}

/// What was looked at of a lane on a day.
#[derive(Clone, Copy, Default)]
struct Looked {
    messages: i64,
    old: i128,
    new: i128,
}

type ByDay<T> = BTreeMap<(NaiveDate, Lane), T>;

/// Prices the last days.
pub(super) async fn traffic(
    connection: &mut PgConnection,
    old: &Tariff,
    new: &Tariff,
) -> Result<Vec<LaneTraffic>, sqlx::Error> {
    let now: DateTime<Utc> =
        sqlx::query_scalar("select clock_timestamp()").fetch_one(&mut *connection).await?;
    let first = now.date_naive() - Days::new(DAYS - 1);
    let counted = counted(&mut *connection, first).await?;
    let mut looked: ByDay<Looked> = BTreeMap::new();
    let mut hour = first.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    while hour < now.timestamp_millis() {
        for (lane, chunk, paid) in chunks(&mut *connection, hour).await? {
            let Some(day) = DateTime::from_timestamp_millis(hour) else { continue };
            let looked = looked.entry((day.date_naive(), lane)).or_default();
            looked.messages += i64::try_from(chunk.len()).unwrap_or_default();
            looked.old += cost(&chunk, paid, old);
            looked.new += cost(&chunk, paid, new);
        }
        hour += HOUR_MS;
    }
    Ok(Lane::ALL.into_iter().map(|lane| of_lane(lane, &counted, &looked)).collect())
}

fn of_lane(lane: Lane, counted: &ByDay<i64>, looked: &ByDay<Looked>) -> LaneTraffic {
    let (mut messages, mut looked_at, mut old, mut new) = (0_i64, 0_i64, 0_i128, 0_i128);
    let days = counted.keys().chain(looked.keys()).filter(|(_, of)| *of == lane).map(|(day, _)| *day);
    for day in days.collect::<std::collections::BTreeSet<_>>() {
        let seen = looked.get(&(day, lane)).copied().unwrap_or_default();
        // What is recorded is counted in the same transaction.
        let all = counted.get(&(day, lane)).copied().unwrap_or_default().max(seen.messages);
        messages = messages.saturating_add(all);
        looked_at = looked_at.saturating_add(seen.messages);
        if seen.messages > 0 {
            old += seen.old * i128::from(all) / i128::from(seen.messages);
            new += seen.new * i128::from(all) / i128::from(seen.messages);
        }
    }
    let money = |amount: i128| Money::new(i64::try_from(amount).unwrap_or(i64::MAX));
    LaneTraffic { lane, messages, looked_at, old: money(old), new: money(new) }
}

/// What the paid messages of a chunk cost by a list.
fn cost(chunk: &Chunk, paid: usize, tariff: &Tariff) -> i128 {
    let price = |index: usize| {
        let text = chunk.text(index)?;
        let recipient = *chunk.recipients.get(index)?;
        tariff.price(chunk.asked_lane, text.encoding, recipient, text.segments.into()).ok()
    };
    (0..paid).filter_map(price).map(|price| i128::from(price.get())).sum()
}

/// Messages that were submitted, by day and lane.
async fn counted(connection: &mut PgConnection, since: NaiveDate) -> Result<ByDay<i64>, sqlx::Error> {
    let rows: Vec<(NaiveDate, String, i64)> = sqlx::query_as(
        "select day, lane, sum(messages)::bigint from account_day
         where day >= $1 and status = 'submitted' group by day, lane",
    )
    .bind(since)
    .fetch_all(connection)
    .await?;
    let of = |(day, lane, messages): (NaiveDate, String, i64)| Some(((day, lane.parse().ok()?), messages));
    Ok(rows.into_iter().filter_map(of).collect())
}

/// Some chunks that were minted in an hour, with the lane travelled in and the length of the paid
/// prefix. What cannot be read any more (texts and numbers are not kept for ever) is left out.
async fn chunks(connection: &mut PgConnection, hour: i64) -> Result<Vec<(Lane, Chunk, usize)>, sqlx::Error> {
    // Of each table by itself, so that each goes by its index and stops.
    let rows: Vec<(i64, String, Vec<u8>)> = sqlx::query_as(
        "(select chunk_id, lane, record from chunk_content
          where chunk_id >= $1 and chunk_id < $2 order by chunk_id limit $3)
         union all
         (select chunk_id, lane, record from history_chunk
          where chunk_id >= $1 and chunk_id < $2 order by chunk_id limit $3)",
    )
    .bind(ChunkId::floor(UnixMillis(hour)))
    .bind(ChunkId::floor(UnixMillis(hour + HOUR_MS)))
    .bind(CHUNKS_OF_AN_HOUR)
    .fetch_all(connection)
    .await?;
    // A chunk that is moving is in both.
    let mut seen = HashSet::new();
    let read = |(_, lane, record): (i64, String, Vec<u8>)| {
        let lane = lane.parse().ok()?;
        match Billed::decode(&record.into()).ok()?.verdict {
            Verdict::Paid { paid, chunk } => Some((lane, chunk, paid.into())),
            Verdict::Refused { chunk } => Some((lane, chunk, 0)),
            Verdict::Noop => None,
        }
    };
    Ok(rows.into_iter().filter(|(chunk, ..)| seen.insert(*chunk)).filter_map(read).collect())
}
