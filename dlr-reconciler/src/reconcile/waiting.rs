//! Receipts that came before their chunk, or before the attempt that they belong to.

use super::{PAUSE, Pending, Worker};
use crate::flush::{Name, count_pending, drop_old, match_all, match_chunks, match_names, match_next_named};
use domain::id::ChunkId;
use std::time::Duration;
use tokio::time::Instant;

impl Worker {
    pub(super) async fn match_ready(&mut self, ready: &[ChunkId]) {
        if ready.is_empty() {
            return;
        }
        match self.alive(match_chunks(&self.with.pool, ready, &self.means())).await {
            Ok(stored) => self.counted(&stored),
            // Looked through again every few seconds.
            Err(error) => tracing::warn!(%error, "waiting receipts could not be matched now"),
        }
    }

    /// What operators call messages, and what was said under such names, meets.
    pub(super) async fn match_named(&mut self, names: &[Name]) {
        if names.is_empty() {
            return;
        }
        let version = self.with.standing.write_version();
        match self.alive(match_names(&self.with.pool, names, version)).await {
            Ok(chunks) => self.match_ready(&chunks).await,
            Err(error) => tracing::warn!(%error, "operators' ids could not be matched now"),
        }
    }

    /// The next of all that was missed.
    async fn match_all_named(&mut self) {
        let version = self.with.standing.write_version();
        match self.alive(match_next_named(&self.with.pool, self.named_after, version)).await {
            Ok((chunks, next)) => {
                self.named_after = next.unwrap_or(0);
                self.match_ready(&chunks).await;
            }
            Err(error) => tracing::warn!(%error, "operators' ids could not be looked through"),
        }
    }

    pub(super) async fn match_pending(&mut self) {
        let (Some(Pending { every, keep }), Some(at)) = (self.with.pending, self.pending_at) else { return };
        if Instant::now() < at {
            return;
        }
        let matched = self.alive(match_all(&self.with.pool, self.pending_after, &self.means())).await;
        let next = match matched {
            Ok((stored, next)) => {
                self.counted(&stored);
                next
            }
            Err(error) => {
                tracing::warn!(%error, "waiting receipts could not be looked through");
                None
            }
        };
        self.pending_after = next.unwrap_or(0);
        self.pending_at = Some(Instant::now() + if next.is_some() { PAUSE } else { every });
        self.match_all_named().await;
        if next.is_none() {
            self.end_of_round(keep).await;
        }
    }

    /// All were looked through: the oldest go, the others are counted.
    async fn end_of_round(&mut self, keep: Duration) {
        match self.alive(drop_old(&self.with.pool, keep)).await {
            Ok(0) => {}
            Ok(dropped) => {
                tracing::error!(dropped, "receipts that matched nothing were deleted: their time is over");
                self.with.meters.dropped.increment(dropped);
            }
            Err(error) => tracing::warn!(%error, "old receipts could not be deleted"),
        }
        if let Ok(count) = self.alive(count_pending(&self.with.pool)).await {
            self.with.meters.pending.set(count as f64);
        }
    }
}
