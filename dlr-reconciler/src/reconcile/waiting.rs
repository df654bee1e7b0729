//! Receipts that came before their chunk.

use super::{PAUSE, Worker};
use crate::flush::{count_pending, match_all, match_chunks};
use domain::id::ChunkId;
use tokio::time::Instant;

impl Worker {
    pub(super) async fn match_made(&mut self, made: &[ChunkId]) {
        if made.is_empty() {
            return;
        }
        match self.alive(match_chunks(&self.with.pool, made, &self.means())).await {
            Ok(stored) => self.with.meters.stored(&stored),
            // Looked through again every few seconds.
            Err(error) => tracing::warn!(%error, "waiting receipts could not be matched now"),
        }
    }

    pub(super) async fn match_pending(&mut self) {
        let (Some(every), Some(at)) = (self.with.pending_every, self.pending_at) else { return };
        if Instant::now() < at {
            return;
        }
        let matched = self.alive(match_all(&self.with.pool, self.pending_after, &self.means())).await;
        let next = match matched {
            Ok((stored, next)) => {
                self.with.meters.stored(&stored);
                next
            }
            Err(error) => {
                tracing::warn!(%error, "waiting receipts could not be looked through");
                None
            }
        };
        self.pending_after = next.unwrap_or(0);
        self.pending_at = Some(Instant::now() + if next.is_some() { PAUSE } else { every });
        if next.is_none()
            && let Ok(count) = self.alive(count_pending(&self.with.pool)).await
        {
            self.with.meters.pending.set(count as f64);
        }
    }
}
