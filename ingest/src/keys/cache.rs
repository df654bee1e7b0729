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
    /// Whom known keys spoke for when the database was asked last: believed while it cannot be.
    last: Cache<Key, Arc<Identity>>,
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
        let last = Duration::from_millis(settings.unreadable_ms);
        KeyCache {
            pool,
            known: Cache::builder().max_capacity(entries).time_to_live(known).build(),
            unknown: Cache::builder().max_capacity(entries).time_to_live(unknown).build(),
            last: Cache::builder().max_capacity(entries).time_to_live(last).build(),
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
            let identity = identity.map(Arc::new).ok_or(Refused::Unknown)?;
            self.used.note(identity.key);
            self.last.insert(key, Arc::clone(&identity)).await;
            Ok(identity)
        });
        let refused = match asked.await {
            Ok(identity) => return Ok(identity),
            Err(refused) => refused,
        };
        match *refused {
            Refused::Unknown => {
                self.last.invalidate(&key).await;
                self.unknown.insert(key, ()).await;
            }
            Refused::Unreadable(_) => {
                if let Some(identity) = self.last.get(&key).await {
                    // As known again for a while: not every request waits for the database.
                    self.known.insert(key, Arc::clone(&identity)).await;
                    return Ok(identity);
                }
            }
        }
        Err(refused)
    }
}
