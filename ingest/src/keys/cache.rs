//! Keys that were asked for lately.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use platform::postgres::Pool;

use super::{Identity, Key, Used, verify};
use crate::config::KeySettings;

/// Known and unknown keys, apart, so that a flood of guesses cannot push out the known ones.
pub(crate) struct KeyCache {
    pool: Pool,
    known: Cache<Key, Arc<Identity>>,
    unknown: Cache<Key, ()>,
    used: Arc<Used>,
}

/// Why a key speaks for nobody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It is unknown, revoked or over.
    #[error("the key is unknown")]
    Unknown,
    /// The database cannot be asked now.
    #[error("keys cannot be read: {0}")]
    Unreadable(#[from] sqlx::Error),
}

impl KeyCache {
    pub(crate) fn new(settings: &KeySettings, pool: Pool) -> Self {
        let entries = settings.entries;
        let (known, unknown) =
            (Duration::from_millis(settings.known_ms), Duration::from_millis(settings.unknown_ms));
        KeyCache {
            pool,
            known: Cache::builder().max_capacity(entries).time_to_live(known).build(),
            unknown: Cache::builder().max_capacity(entries).time_to_live(unknown).build(),
            used: Arc::new(Used::new(entries)),
        }
    }

    /// Which keys were used lately.
    pub(crate) fn used(&self) -> Arc<Used> {
        Arc::clone(&self.used)
    }

    /// Whom a key speaks for. Of requests that come together with one new key, one asks.
    pub(crate) async fn identity(&self, key: Key) -> Result<Arc<Identity>, Arc<Refused>> {
        if self.unknown.contains_key(&key) {
            return Err(Arc::new(Refused::Unknown));
        }
        let asked = self.known.try_get_with(key, async {
            let identity = self.pool.within(async |connection| verify(connection, key).await).await?;
            let identity = identity.ok_or(Refused::Unknown)?;
            self.used.note(identity.key);
            Ok(Arc::new(identity))
        });
        let found = asked.await;
        if found.as_ref().is_err_and(|refused| matches!(**refused, Refused::Unknown)) {
            self.unknown.insert(key, ()).await;
        }
        found
    }
}
