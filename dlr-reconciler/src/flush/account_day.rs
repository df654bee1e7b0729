//! The table `account_day`: how many messages of an account were submitted on a day (status
//! `submitted`: paid for or not, counted when recorded), and how many of these ended in
//! each final status. What is under way is the difference.

use super::chunk_state::Row;
use crate::merge::Content;
use domain::id::ChunkId;
use domain::lane::Lane;
use domain::status::Status;
use sqlx::PgConnection;
use std::collections::BTreeMap;

const DAY_MS: i64 = 86_400_000;

/// The word for messages that were recorded.
const SUBMITTED: &str = "submitted";

/// Account, day (UTC, of the chunk's id, in days since 1970), lane, status.
type Key = (i64, i32, &'static str, &'static str);

/// Counts to be added, in the order of their keys: rows are locked in this order.
#[derive(Default)]
pub(super) struct Days(BTreeMap<Key, i64>);

impl Days {
    pub(super) fn recorded(&mut self, content: &Content) {
        self.count(content.account, content.chunk, content.lane, SUBMITTED, content.messages);
    }

    pub(super) fn ended(&mut self, row: &Row) {
        for (status, messages) in Status::ALL.into_iter().zip(row.ends.by_status) {
            self.count(row.account, row.chunk, row.lane, status.as_str(), messages);
        }
    }

    fn count(&mut self, account: i64, chunk: ChunkId, lane: Lane, status: &'static str, messages: u16) {
        if messages > 0 {
            let day = i32::try_from(chunk.minted_at().0.div_euclid(DAY_MS)).unwrap_or(i32::MAX);
            *self.0.entry((account, day, lane.as_str(), status)).or_default() += i64::from(messages);
        }
    }

    pub(super) async fn add(self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        sqlx::query(
            "insert into account_day (account_id, day, lane, status, messages)
             select account, date '1970-01-01' + day, lane, status, messages
             from unnest($1::bigint[], $2::integer[], $3::text[], $4::text[], $5::bigint[])
                  as n (account, day, lane, status, messages)
             on conflict (account_id, day, lane, status)
             do update set messages = account_day.messages + excluded.messages",
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
