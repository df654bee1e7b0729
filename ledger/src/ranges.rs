//! The hold table is divided by the day in which ids were minted, so that old days can be
//! taken away whole. A day's range must exist before its first chunk is billed.

use domain::id::ChunkId;
use domain::time::UnixMillis;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

const DAY_MS: i64 = 86_400_000;

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
/// the newest that exists. Existing ones stay. Days are UTC days.
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
    let known = read(&mut transaction).await?;
    // Days on which nobody made ranges would be a gap.
    let newest_ends = ChunkId::new(known.to).map_or(i64::MAX, |id| id.minted_at().0.div_euclid(DAY_MS));
    let first = if newest_ends == i64::MAX { today - 1 } else { newest_ends };
    for day in first..=today + i64::from(days_ahead) {
        let (from, to) = (UnixMillis(day * DAY_MS), UnixMillis((day + 1) * DAY_MS));
        let date = chrono::DateTime::from_timestamp_millis(from.0).unwrap_or_default().format("%Y%m%d");
        // Made beside and then attached: making it in place would lock the whole table, and
        // wait for every reader of it. The statement is made of numbers only.
        let statement = format!(
            "create table hold_{date} (like hold including all);
             alter table hold attach partition hold_{date} for values from ({}) to ({})",
            ChunkId::floor(from),
            ChunkId::floor(to),
        );
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    let ranges = read(&mut transaction).await?;
    transaction.commit().await?;
    Ok(ranges)
}

/// What ranges there are. Ranges are made without gaps.
pub async fn read(connection: &mut PgConnection) -> Result<Ranges, sqlx::Error> {
    let names: Vec<(String,)> = sqlx::query_as(
        "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
         where i.inhparent = 'hold'::regclass order by c.relname",
    )
    .fetch_all(connection)
    .await?;
    let day = |name: Option<&(String,)>| {
        let date = chrono::NaiveDate::parse_from_str(name?.0.strip_prefix("hold_")?, "%Y%m%d").ok()?;
        Some(date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis())
    };
    let from = day(names.first()).map_or(i64::MAX, |start| ChunkId::floor(UnixMillis(start)));
    let to = day(names.last()).map_or(i64::MIN, |start| ChunkId::floor(UnixMillis(start + DAY_MS)));
    Ok(Ranges { from, to })
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
