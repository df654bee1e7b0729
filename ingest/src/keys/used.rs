//! When keys were used last: noted in memory whenever a key is read anew (so to within
//! `ingest.keys.known_ms`), and written now and then, for all keys at once. No request waits
//! for it, and where it cannot be written nothing else suffers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use platform::lifecycle::Stop;
use platform::postgres::Pool;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

/// Keys used since they were written last.
pub(crate) struct Used {
    since: Mutex<HashMap<Uuid, Instant>>,
    keys_max: u64,
}

impl Used {
    /// Of so many keys at most; what is beyond is noted when it is used again.
    pub(crate) fn new(keys_max: u64) -> Self {
        Used { since: Mutex::default(), keys_max }
    }

    /// Notes that a key was used just now.
    pub(crate) fn note(&self, key: Uuid) {
        let mut since = self.locked();
        if since.len() as u64 >= self.keys_max && !since.contains_key(&key) {
            return;
        }
        since.insert(key, Instant::now());
    }

    /// Writes what was noted; what could not be written is noted again.
    pub(crate) async fn write(&self, pool: &Pool) -> Result<(), sqlx::Error> {
        let noted = std::mem::take(&mut *self.locked());
        if noted.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = noted.keys().copied().collect();
        let ago = |at: &Instant| i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ago_ms: Vec<i64> = noted.values().map(ago).collect();
        // Several processes write: each takes the rows in the same order, and none goes back.
        let written = pool.within(async |connection| {
            sqlx::query(
                "with used as (select n.id, clock_timestamp() - n.ago_ms * interval '1 millisecond' as at
                               from unnest($1::uuid[], $2::bigint[]) as n (id, ago_ms)),
                      locked as (select id from api_key where id = any($1) order by id for update)
                 update api_key set last_used_at = greatest(last_used_at, used.at)
                 from used join locked using (id) where api_key.id = used.id",
            )
            .bind(&ids)
            .bind(&ago_ms)
            .execute(connection)
            .await
            .map(|_| ())
        });
        let written = written.await;
        if written.is_err() {
            let mut since = self.locked();
            for (key, at) in noted {
                let latest = since.entry(key).or_insert(at);
                *latest = at.max(*latest);
            }
        }
        written
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<Uuid, Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes on until asked to stop, and once more then.
pub(crate) async fn keep(used: Arc<Used>, pool: Pool, every: Duration, stop: Stop) -> anyhow::Result<()> {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let stopping = tokio::select! {
            () = stop.requested() => true,
            _ = tick.tick() => false,
        };
        if let Err(error) = used.write(&pool).await {
            tracing::warn!(%error, "when keys were used could not be written");
        }
        if stopping {
            return Ok(());
        }
    }
}
