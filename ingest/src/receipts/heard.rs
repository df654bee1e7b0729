//! The table `connector_heard`: an operator that pushes receipts is well, which the sweep wants
//! to know before it takes silence for an answer. Nothing waits for it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use platform::postgres::Pool;

/// It is written so often at most, for each connector.
const EVERY: Duration = Duration::from_secs(1);

/// When connectors were last heard of, and where to write it.
pub(crate) struct Heard {
    pool: Pool,
    written: Mutex<BTreeMap<String, Instant>>,
}

impl Heard {
    pub(crate) fn new(pool: Pool) -> Self {
        Heard { pool, written: Mutex::default() }
    }

    /// This connector, one with a secret, has just pushed something.
    pub(crate) fn note(&self, connector: &str) {
        let now = Instant::now();
        {
            let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
            if written.get(connector).is_some_and(|at| now.duration_since(*at) < EVERY) {
                return;
            }
            written.insert(connector.to_owned(), now);
        }
        tokio::spawn(write(self.pool.clone(), connector.to_owned()));
    }
}

async fn write(pool: Pool, connector: String) {
    let statement = sqlx::query(
        "insert into connector_heard (connector, last_at) values ($1, clock_timestamp())
         on conflict (connector) do update
         set last_at = greatest(connector_heard.last_at, excluded.last_at)",
    );
    let statement = statement.bind(&connector);
    if let Err(error) = pool.within(async |connection| statement.execute(connection).await).await {
        // The next push is another chance.
        tracing::warn!(%error, connector, "that an operator was heard of could not be written");
    }
}
