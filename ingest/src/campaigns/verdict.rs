//! What billing says of a segment's chunks, read from the ledger.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use domain::id::Run;
use ledger::{LedgerError, hold};
use platform::postgres::Pool;

use super::segment::Paid;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What is known of each chunk; nothing of those that are not billed yet.
pub(super) async fn read(pool: &Pool, run: Run) -> Result<Vec<Option<Paid>>, LedgerError> {
    let chunks: Vec<_> = run.ids().collect();
    let rows = pool.within(async |connection| hold::read(connection, &chunks).await).await?;
    let paid = rows.into_iter().map(|row| (row.chunk, Paid { messages: row.paid, cost: row.cost }));
    let known: HashMap<_, _> = paid.collect();
    Ok(chunks.iter().map(|chunk| known.get(chunk).copied()).collect())
}

/// Waits for what is known of all of them; nothing where that takes longer than `limit`.
pub(super) async fn wait(pool: &Pool, run: Run, limit: Duration) -> Result<Option<Vec<Paid>>, LedgerError> {
    let until = Instant::now() + limit;
    loop {
        let known: Option<Vec<Paid>> = read(pool, run).await?.into_iter().collect();
        if known.is_some() || Instant::now() >= until {
            return Ok(known);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
