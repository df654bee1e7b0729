//! A pool whose answers are waited for so long at most.

use sqlx::{PgConnection, PgPool};
use std::io;
use std::ops::Deref;
use std::time::Duration;

/// Connections to Postgres, and how long work on one of them may take. What is done through
/// [`Deref`] has no such limit: it is for commands and for start-up.
#[derive(Clone, Debug)]
pub struct Pool {
    inner: PgPool,
    answer_timeout: Duration,
}

impl Pool {
    /// A pool with a limit.
    pub fn new(inner: PgPool, answer_timeout: Duration) -> Self {
        Pool { inner, answer_timeout }
    }

    /// Does `work` on a connection. When the limit is over the work is dropped, and whether a
    /// transaction in it was committed is not known.
    ///
    /// # Errors
    /// Those of the work; where there was no connection, or no answer in time, those of sqlx.
    pub async fn within<T, E, W>(&self, work: W) -> Result<T, E>
    where
        W: AsyncFnOnce(&mut PgConnection) -> Result<T, E>,
        E: From<sqlx::Error>,
    {
        let mut connection = self.inner.acquire().await.map_err(E::from)?;
        if let Ok(done) = tokio::time::timeout(self.answer_timeout, work(&mut connection)).await {
            return done;
        }
        // Given back, it would be asked whether it is well, and nobody would answer.
        connection.close_on_drop();
        drop(connection);
        self.close_idle();
        let why = format!("Postgres did not answer within {} ms", self.answer_timeout.as_millis());
        Err(E::from(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, why))))
    }

    /// Closes all connections. Those in use are waited for, but one that leads nowhere is never
    /// given back.
    pub async fn close(&self) {
        if tokio::time::timeout(self.answer_timeout, self.inner.close()).await.is_err() {
            tracing::warn!("connections to Postgres were still in use at the end");
        }
    }

    /// The others lead to the same host: finding each out would take as long again.
    fn close_idle(&self) {
        while let Some(mut idle) = self.inner.try_acquire() {
            idle.close_on_drop();
        }
    }
}

impl Deref for Pool {
    type Target = PgPool;

    fn deref(&self) -> &PgPool {
        &self.inner
    }
}
