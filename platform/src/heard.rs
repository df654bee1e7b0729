//! When operators were last heard of, by connector: whoever gets an answer of an operator, or
//! a receipt that it pushed, notes it. The reconciler's sweep asks: where an operator was not
//! heard of, it cannot be known what it would have said.

use crate::postgres::Pool;
use sqlx::PgConnection;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A connector is noted so often at most.
const EVERY: Duration = Duration::from_secs(1);

/// Notes it in the table `connector_heard`.
pub struct Heard {
    pool: Pool,
    noted: Mutex<HashMap<String, Instant>>,
}

impl Heard {
    /// Nothing noted yet.
    pub fn new(pool: Pool) -> Self {
        Heard { pool, noted: Mutex::default() }
    }

    /// Notes that the operator behind `connector` answered a question that was put at `since`
    /// (or pushed a receipt that came in then): so it was well at that time, and perhaps later.
    /// At most once a second for each connector; the others return at once. `connector` is one
    /// of the configured names.
    ///
    /// What cannot be noted now is noted with the next answer.
    pub async fn note(&self, connector: &str, since: Instant) {
        if !self.is_due(connector) {
            return;
        }
        let ago = since.elapsed().as_secs_f64();
        let written = async |connection: &mut PgConnection| {
            sqlx::query(
                "insert into connector_heard (connector, last_at)
                 values ($1, clock_timestamp() - make_interval(secs => $2))
                 on conflict (connector) do update
                 set last_at = greatest(connector_heard.last_at, excluded.last_at)",
            )
            .bind(connector)
            .bind(ago)
            .execute(connection)
            .await
        };
        if let Err(error) = self.pool.within(written).await {
            tracing::warn!(%error, connector, "it could not be noted that the operator answers");
        }
    }

    fn is_due(&self, connector: &str) -> bool {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        match noted.get_mut(connector) {
            Some(last) if now.duration_since(*last) < EVERY => false,
            Some(last) => {
                *last = now;
                true
            }
            None => {
                noted.insert(connector.to_owned(), now);
                true
            }
        }
    }
}
