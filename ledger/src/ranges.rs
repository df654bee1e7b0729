//! The hold table and those of history are divided by the day in which ids were minted, so
//! that old days can be taken away whole. A day's range must exist before its first chunk is
//! billed.

use domain::id::ChunkId;
use domain::time::UnixMillis;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::ops::Range;

const DAY_MS: i64 = 86_400_000;
const HOLD: &str = "hold";
/// What finished chunks are moved to, and what else is of a day.
const HISTORY: [&str; 3] = ["history_chunk", "history_operator_ids", "operator_message"];

/// Ids more than this far ahead of the clock are no ids of ours, in milliseconds.
pub const AHEAD_MAX_MS: i64 = 5 * 60_000;

/// What the ledger has ranges for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranges {
    /// The lowest chunk id that fits.
    pub from: i64,
    /// The lowest chunk id that does not fit any more.
    pub to: i64,
}

/// How an id stands to the ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fits {
    /// It can be booked.
    Yes,
    /// Its day was taken away: parked.
    TooOld,
    /// It was not minted by a clock like ours: parked.
    TooFarAhead,
    /// It is of now, and the range is missing: our fault, and a reason to wait.
    RangeMissing,
}

impl Ranges {
    /// How `chunk` stands to these ranges at `now`.
    pub fn fits(&self, chunk: ChunkId, now: UnixMillis) -> Fits {
        if chunk.minted_at() > now.plus(AHEAD_MAX_MS) {
            Fits::TooFarAhead
        } else if chunk.get() < self.from {
            Fits::TooOld
        } else if chunk.get() >= self.to {
            Fits::RangeMissing
        } else {
            Fits::Yes
        }
    }
}

/// Makes the ranges from the day before `now` to `days_ahead` days after it, and those since
/// the newest that exists; history gets the same days. Existing ones stay. Days are UTC days.
pub async fn ensure(
    connection: &mut PgConnection,
    now: UnixMillis,
    days_ahead: u16,
) -> Result<Ranges, sqlx::Error> {
    // Inside the caller's transaction where there is one: the lock is held until it ends.
    let mut transaction = connection.begin().await?;
    // Several processes do this at the same time after midnight.
    sqlx::query("select pg_advisory_xact_lock(hashtext('smshub.hold.ranges'))")
        .execute(&mut *transaction)
        .await?;
    let today = now.0.div_euclid(DAY_MS);
    // Days on which nobody made ranges would be a gap.
    let first = days(&mut transaction, HOLD).await?.map_or(today - 1, |known| known.end);
    make(&mut transaction, HOLD, first..today + i64::from(days_ahead) + 1).await?;
    if let Some(held) = days(&mut transaction, HOLD).await? {
        // What is held for comes to history one day.
        for table in HISTORY {
            let first = days(&mut transaction, table).await?.map_or(held.start, |known| known.end);
            make(&mut transaction, table, first..held.end).await?;
        }
    }
    let ranges = read(&mut transaction).await?;
    transaction.commit().await?;
    Ok(ranges)
}

/// What ranges there are. Ranges are made without gaps.
pub async fn read(connection: &mut PgConnection) -> Result<Ranges, sqlx::Error> {
    let start_of = |day: i64| ChunkId::floor(UnixMillis(day * DAY_MS));
    let known = days(connection, HOLD).await?;
    Ok(known.map_or(Ranges { from: i64::MAX, to: i64::MIN }, |known| Ranges {
        from: start_of(known.start),
        to: start_of(known.end),
    }))
}

async fn make(connection: &mut PgConnection, table: &str, days: Range<i64>) -> Result<(), sqlx::Error> {
    for day in days {
        let (from, to) = (UnixMillis(day * DAY_MS), UnixMillis((day + 1) * DAY_MS));
        let date = chrono::DateTime::from_timestamp_millis(from.0).unwrap_or_default().format("%Y%m%d");
        // Made beside and then attached: making it in place would lock the whole table, and
        // wait for every reader of it. The statement is made of names of ours and numbers.
        let statement = format!(
            "create table {table}_{date} (like {table} including all);
             alter table {table} attach partition {table}_{date} for values from ({}) to ({})",
            ChunkId::floor(from),
            ChunkId::floor(to),
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The days that a table has ranges for, counted from 1970; nothing where it has none.
async fn days(connection: &mut PgConnection, table: &str) -> Result<Option<Range<i64>>, sqlx::Error> {
    let names: Vec<(String,)> = sqlx::query_as(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = $1::regclass order by c.relname",
    )
    .bind(table)
    .fetch_all(connection)
    .await?;
    let day = |name: &(String,)| {
        let date = name.0.strip_prefix(table)?.strip_prefix('_')?;
        let date = chrono::NaiveDate::parse_from_str(date, "%Y%m%d").ok()?;
        Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis().div_euclid(DAY_MS))
    };
    let (first, last) = (names.first().and_then(day), names.last().and_then(day));
    Ok(first.zip(last).map(|(first, last)| first..last + 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_id_has_one_place() {
        let now = UnixMillis(1_795_000_000_000);
        let at = |millis: i64| ChunkId::new(ChunkId::floor(now.plus(millis))).unwrap();
        let ranges = Ranges { from: at(-DAY_MS).get(), to: at(60_000).get() };
        assert_eq!(ranges.fits(at(0), now), Fits::Yes);
        assert_eq!(ranges.fits(at(-DAY_MS), now), Fits::Yes);
        assert_eq!(ranges.fits(at(-DAY_MS - 1), now), Fits::TooOld);
        assert_eq!(ranges.fits(at(60_000), now), Fits::RangeMissing);
        assert_eq!(ranges.fits(at(AHEAD_MAX_MS + 1), now), Fits::TooFarAhead);
    }
}
