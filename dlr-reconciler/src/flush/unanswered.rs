//! Ending what nobody answered: the sweep's transaction. It does to the tables what a flush
//! does, so a receipt that comes in the same moment meets it at the state row's lock, and
//! whoever is first decides.

use super::{Means, Stored, decide};
use crate::holding;
use crate::merge::Heard;
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::status::Fact;
use ledger::LedgerError;
use platform::postgres::Pool;
use sqlx::types::Uuid;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;

/// Messages of a chunk that nobody answered.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) chunk: ChunkId,
    pub(crate) partition: i32,
    pub(crate) messages: Bits,
}

/// Ends them, as far as `process` holds their partitions and they still await a receipt.
pub(crate) async fn end(
    pool: &Pool,
    process: Uuid,
    unanswered: &[Unanswered],
    means: &Means<'_>,
) -> Result<Stored, LedgerError> {
    let partitions: Vec<i32> = unanswered.iter().map(|of| of.partition).collect();
    let transaction = async |connection: &mut PgConnection| {
        let mut transaction = connection.begin().await?;
        let held = holding::keep(&mut transaction, process, &partitions).await?;
        let ours = unanswered.iter().filter(|of| held.contains(&of.partition));
        let heard: Vec<(ChunkId, Heard)> = ours.map(|of| (of.chunk, of.heard(means))).collect();
        let heard: BTreeMap<ChunkId, Vec<&Heard>> =
            heard.iter().map(|(chunk, heard)| (*chunk, vec![heard])).collect();
        let decided = decide(&mut transaction, &heard, means).await?;
        decided.hours.add(&mut transaction).await?;
        decided.campaigns.add(&mut transaction).await?;
        transaction.commit().await?;
        Ok(decided.stored)
    };
    pool.within(transaction).await
}

impl Unanswered {
    fn heard(&self, means: &Means<'_>) -> Heard {
        let age = means.now.0.saturating_sub(self.chunk.minted_at().0).max(0);
        let fact = Fact::Unanswered { at: u32::try_from(age).unwrap_or(u32::MAX) };
        Heard { facts: self.messages.iter().map(|position| (position, fact)).collect(), ..Heard::default() }
    }
}
