//! What is asked before an intent is written: is the campaign cancelled, did the recipient opt
//! out, may advertising be sent at this hour? The answers are read from Postgres once a second
//! ([`reader`]) and kept in memory ([`rules`]), one copy for all lanes.
//!
//! Without Postgres what was read last holds for as long as the hold on a partition does:
//! about five seconds, then nothing leaves. A new holder sends nothing before it has read
//! anew: a former one may have closed messages by what this process has not seen yet.

mod config;
mod known;
mod reader;
mod rules;
mod store;

pub use config::CourtesySettings;
pub(crate) use reader::Reader;
pub(crate) use rules::Rules;

use crate::desk::Leaving;
use domain::id::ChunkId;
use domain::outcome::Refusal;
use platform::postgres::Pool;
use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::Notify;

/// What was read counts for so long, in milliseconds: as long as a hold does.
const STALE_AFTER_MS: i64 = 5_000;

/// Messages that are not to be sent, and why.
pub(crate) type Refused = BTreeMap<(ChunkId, u8), Refusal>;

/// What all lanes ask.
pub(crate) struct Courtesy {
    rules: RwLock<Rules>,
    /// Somebody waits for the next reading.
    wanted: Notify,
}

impl Courtesy {
    /// One that has read nothing yet.
    pub(crate) fn new(settings: &CourtesySettings) -> Self {
        Courtesy {
            rules: RwLock::new(Rules::new(settings.hours(), settings.bounds())),
            wanted: Notify::new(),
        }
    }

    pub(crate) fn rules(&self) -> RwLockReadGuard<'_, Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> RwLockWriteGuard<'_, Rules> {
        self.rules.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has it read now, and not a second later.
    pub(crate) fn want(&self) {
        self.wanted.notify_one();
    }

    /// Whether something may be sent at `boot` by a holder who began at `since`: what is known
    /// was asked for after that, and not long ago.
    pub(crate) fn is_known(&self, since: i64, boot: i64) -> bool {
        let read_at = self.rules().read_at();
        read_at.is_some_and(|read_at| read_at >= since && boot - read_at < STALE_AFTER_MS)
    }
}

/// Asks Postgres itself about the messages of one call: where more is cancelled, or more people
/// opted out, than is kept in memory.
pub(crate) async fn ask(pool: &Pool, messages: &[Leaving]) -> Result<Refused, sqlx::Error> {
    let (canceled, opted_out) =
        pool.within(async |connection| store::ask(connection, messages).await).await?;
    let why = |message: &Leaving| {
        if canceled.contains(&message.chunk.campaign) {
            return Some(Refusal::Canceled);
        }
        let recipient = message.chunk.recipients.get(usize::from(message.position))?.get();
        let line = message.chunk.line.as_str();
        let is_of = |of: &&store::OptedOut| of.number == recipient && (of.line.is_empty() || of.line == line);
        opted_out
            .iter()
            .filter(|of| of.account == message.chunk.account)
            .find(is_of)
            .map(|_| Refusal::OptedOut)
    };
    let refused =
        messages.iter().filter_map(|message| Some(((message.chunk.id, message.position), why(message)?)));
    Ok(refused.collect())
}

#[cfg(test)]
mod tests;
