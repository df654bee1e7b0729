//! The table `account_hour`: how many messages of an account were submitted in an hour (status
//! `submitted`: paid for or not, counted when recorded), and how many of these are in each
//! status now. Those in none of them are queued.

use super::chunk_state::Row;
use crate::merge::Content;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::status::Status;
use sqlx::PgConnection;
use std::collections::BTreeMap;

const HOUR_MS: i64 = 3_600_000;

/// The word for messages that were recorded.
const SUBMITTED: &str = "submitted";

/// Account, hour (UTC, of the chunk's id, counted from 1970), lane, status.
type Key = (i64, i64, &'static str, &'static str);

/// Counts to be added, in the order of their keys: rows are locked in this order.
#[derive(Default)]
pub(super) struct Hours(BTreeMap<Key, i64>);

impl Hours {
    pub(super) fn recorded(&mut self, content: &Content) {
        self.count(content.account, content.chunk, content.lane, SUBMITTED, content.messages.into());
    }

    /// Messages that went from one status to another.
    pub(super) fn moved(&mut self, row: &Row) {
        for status in Status::ALL.into_iter().filter(|status| *status != Status::Queued) {
            let more = i64::from(row.after.of_status(status)) - i64::from(row.before.of_status(status));
            self.count(row.account, row.chunk, row.lane, status.as_str(), more);
        }
    }

    fn count(&mut self, account: i64, chunk: ChunkId, lane: Lane, status: &'static str, more: i64) {
        if more != 0 {
            let hour = chunk.minted_at().0.div_euclid(HOUR_MS);
            *self.0.entry((account, hour, lane.as_str(), status)).or_default() += more;
        }
    }

    pub(super) async fn add(mut self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.0.retain(|_, more| *more != 0);
        if self.0.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into account_hour (account_id, hour, lane, status, messages)
             select account, to_timestamp(hour * 3600), lane, status, messages
             from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
                  as n (account, hour, lane, status, messages)
             on conflict (account_id, hour, lane, status)
             do update set messages = account_hour.messages + excluded.messages",
        )
        .bind(self.0.keys().map(|key| key.0).collect::<Vec<_>>())
        .bind(self.0.keys().map(|key| key.1).collect::<Vec<_>>())
        .bind(self.0.keys().map(|key| key.2).collect::<Vec<_>>())
        .bind(self.0.keys().map(|key| key.3).collect::<Vec<_>>())
        .bind(self.0.into_values().collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }
}
