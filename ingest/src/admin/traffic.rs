//! What the messages of the last days would have cost by two price lists.
//!
//! Where there are many, not all are looked at: of each quarter of an hour some chunks of each lane
//! are priced, and what they cost is taken for all messages that were counted in that lane on that
//! day. So the work is bounded, however much is sent, and what little is sent is priced exactly.

use std::collections::{BTreeMap, BTreeSet, HashSet};

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
/// Out of each of these some chunks are priced.
const SLOT_MS: i64 = 15 * 60 * 1_000;
/// The first so many chunks of a slot are looked through (of the open tables and of history each),
const CHUNKS_OF_A_SLOT: i64 = 200;
/// and of each lane so many of them are priced at most.
const CHUNKS_OF_A_LANE: i64 = 8;

/// The traffic of a lane (the lane travelled in), and what it would have cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneTraffic {
    /// The lane.
    pub lane: Lane,
    /// Messages that were submitted.
    pub messages: i64,
    /// Those of them that were looked at: where these are less, the costs are estimates.
    pub looked_at: i64,
    /// What they would have cost by the first list; nothing where none could be looked at.
    pub old: Option<Money>,
    /// What they would have cost by the second.
    pub new: Option<Money>,
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
    let mut slot = first.and_time(NaiveTime::MIN).and_utc().timestamp_millis();
    while slot < now.timestamp_millis() {
        for (lane, chunk, paid) in chunks(&mut *connection, slot).await? {
            let Some(day) = DateTime::from_timestamp_millis(slot) else { continue };
            let looked = looked.entry((day.date_naive(), lane)).or_default();
            looked.messages += i64::try_from(chunk.len()).unwrap_or_default();
            looked.old += cost(&chunk, paid, old);
            looked.new += cost(&chunk, paid, new);
        }
        slot += SLOT_MS;
    }
    Ok(Lane::ALL.into_iter().map(|lane| of_lane(lane, &counted, &looked)).collect())
}

/// Each day by what was looked at of it. A day of which nothing was, by what was looked at of all.
fn of_lane(lane: Lane, counted: &ByDay<i64>, looked: &ByDay<Looked>) -> LaneTraffic {
    let mut all = Looked::default();
    for (_, seen) in looked.iter().filter(|((_, of), _)| *of == lane) {
        all.messages += seen.messages;
        all.old += seen.old;
        all.new += seen.new;
    }
    let days: BTreeSet<NaiveDate> =
        counted.keys().chain(looked.keys()).filter(|(_, of)| *of == lane).map(|(day, _)| *day).collect();
    let (mut messages, mut old, mut new) = (0_i64, 0_i128, 0_i128);
    for day in days {
        let seen = looked.get(&(day, lane)).copied().unwrap_or_default();
        // What is recorded is counted in the same transaction.
        let sent = counted.get(&(day, lane)).copied().unwrap_or_default().max(seen.messages);
        messages = messages.saturating_add(sent);
        let by = if seen.messages > 0 { seen } else { all };
        if by.messages > 0 {
            old += by.old * i128::from(sent) / i128::from(by.messages);
            new += by.new * i128::from(sent) / i128::from(by.messages);
        }
    }
    let known = messages == 0 || all.messages > 0;
    let money = |amount: i128| known.then(|| Money::new(i64::try_from(amount).unwrap_or(i64::MAX)));
    LaneTraffic { lane, messages, looked_at: all.messages, old: money(old), new: money(new) }
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
        "select (hour at time zone 'UTC')::date, lane, sum(messages)::bigint from account_hour
         where hour >= $1::timestamp at time zone 'UTC' and status = 'submitted' group by 1, 2",
    )
    .bind(since)
    .fetch_all(connection)
    .await?;
    let of = |(day, lane, messages): (NaiveDate, String, i64)| Some(((day, lane.parse().ok()?), messages));
    Ok(rows.into_iter().filter_map(of).collect())
}

/// Some chunks that were minted in a slot, with the lane travelled in and the length of the paid
/// prefix. What cannot be read any more (texts and numbers are not kept for ever) is left out.
async fn chunks(connection: &mut PgConnection, slot: i64) -> Result<Vec<(Lane, Chunk, usize)>, sqlx::Error> {
    // Of each table by itself, so that each goes by its index and stops.
    let rows: Vec<(i64, String, Vec<u8>)> = sqlx::query_as(
        "with near as (
             (select chunk_id, lane, record from chunk_content
              where chunk_id >= $1 and chunk_id < $2 order by chunk_id limit $3)
             union all
             (select chunk_id, lane, record from history_chunk
              where chunk_id >= $1 and chunk_id < $2 order by chunk_id limit $3)),
         numbered as (select *, row_number() over (partition by lane order by chunk_id) as nth from near)
         select chunk_id, lane, record from numbered where nth <= $4",
    )
    .bind(ChunkId::floor(UnixMillis(slot)))
    .bind(ChunkId::floor(UnixMillis(slot + SLOT_MS)))
    .bind(CHUNKS_OF_A_SLOT)
    .bind(CHUNKS_OF_A_LANE)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn day(day: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, day).unwrap()
    }

    fn seen(messages: i64, old: i128, new: i128) -> Looked {
        Looked { messages, old, new }
    }

    /// Each day weighs as much as was sent on it, whatever was looked at of it.
    #[test]
    fn what_was_not_looked_at_is_taken_to_cost_what_was() {
        let lane = Lane::Bulk;
        let counted = ByDay::from([((day(1), lane), 1_000), ((day(2), lane), 10), ((day(3), lane), 100)]);
        let looked = ByDay::from([((day(1), lane), seen(10, 100, 200)), ((day(2), lane), seen(10, 50, 50))]);
        let traffic = of_lane(lane, &counted, &looked);
        // The third day as the other two together: 150 and 250 for 20.
        let (old, new) = (100 * 100 + 50 + 750, 200 * 100 + 50 + 1_250);
        let expected = LaneTraffic {
            lane,
            messages: 1_110,
            looked_at: 20,
            old: Some(Money::new(old)),
            new: Some(Money::new(new)),
        };
        assert_eq!(traffic, expected);

        let unread = of_lane(Lane::Express, &ByDay::from([((day(1), Lane::Express), 5)]), &looked);
        assert_eq!((unread.messages, unread.looked_at, unread.old), (5, 0, None));
        let none = of_lane(Lane::Standard, &counted, &looked);
        assert_eq!((none.messages, none.old, none.new), (0, Some(Money::ZERO), Some(Money::ZERO)));
    }
}
