//! Messages that were accepted without a verdict, and may be refused later: they are asked about
//! until it is known, so that they can be counted.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::id::ChunkId;
use ledger::LedgerError;
use platform::postgres::Pool;

use crate::metrics;

/// Chunks followed at most; what is beyond is counted as not followed.
const CHUNKS_MAX: usize = 100_000;
/// Chunks asked about at once at most.
const ASKED_MAX: usize = 2_000;
/// What has no row in the ledger after so long is parked, or billing stands still: people look.
const FOLLOWED_FOR: Duration = Duration::from_secs(3_600);

/// Why a chunk was accepted without a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The balance was ample.
    Ample,
    /// The verdict did not come in time.
    Late,
}

impl Why {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Why::Ample => "ample",
            Why::Late => "late",
        }
    }
}

struct One {
    chunk: ChunkId,
    why: Why,
    since: Instant,
}

/// Chunks that are asked about.
#[derive(Default)]
pub(super) struct Followed(Mutex<VecDeque<One>>);

impl Followed {
    pub(super) fn add(&self, chunks: impl IntoIterator<Item = ChunkId>, why: Why, since: Instant) {
        let mut followed = self.lock();
        for chunk in chunks {
            if followed.len() >= CHUNKS_MAX {
                metrics::not_followed();
                continue;
            }
            followed.push_back(One { chunk, why, since });
        }
    }

    /// Asks about those who wait longest, and counts what was refused.
    pub(super) async fn ask(&self, pool: &Pool, now: Instant) -> Result<(), LedgerError> {
        let mut asked: Vec<One> = {
            let mut followed = self.lock();
            let count = followed.len().min(ASKED_MAX);
            followed.drain(..count).collect()
        };
        if asked.is_empty() {
            return Ok(());
        }
        let chunks: Vec<ChunkId> = asked.iter().map(|one| one.chunk).collect();
        let ask = async |connection: &mut _| ledger::funds::verdicts(connection, &chunks).await;
        let verdicts = pool.within(ask).await;
        if let Ok(verdicts) = &verdicts {
            let refused: HashMap<ChunkId, u16> = verdicts
                .iter()
                .map(|verdict| (verdict.chunk, verdict.size.saturating_sub(verdict.paid)))
                .collect();
            asked.retain(|one| {
                let Some(refused) = refused.get(&one.chunk) else { return true };
                metrics::refused_later(one.why, *refused);
                false
            });
        }
        asked.retain(|one| {
            let follow = now.saturating_duration_since(one.since) < FOLLOWED_FOR;
            if !follow {
                metrics::not_followed();
            }
            follow
        });
        self.lock().extend(asked);
        verdicts.map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<One>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
