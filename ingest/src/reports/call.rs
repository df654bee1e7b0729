//! The report of a bulk call: its chunks' states, counted.

use domain::id::ChunkId;
use domain::money::Money;
use domain::status::Status;
use domain::time::UnixMillis;
use ledger::hold;
use platform::postgres::Pool;
use sqlx::PgConnection;
use std::collections::HashMap;

use super::ReportError;
use super::rows::{Content, States, content, corrupt, snapshot};

/// What became of the messages of a call.
pub(crate) struct CallReport {
    pub(crate) id: ChunkId,
    /// The lane travelled in.
    pub(crate) lane: String,
    pub(crate) messages: u32,
    /// By [`Status::ALL`].
    pub(crate) counts: [u32; Status::ALL.len()],
    /// What was held so far.
    pub(crate) price: Money,
    /// What came back so far.
    pub(crate) refunded: Money,
    pub(crate) created_at: UnixMillis,
    pub(crate) send_by: UnixMillis,
}

/// Reads the report of a call of this account, named by its first chunk. Messages of chunks
/// that are not billed yet are queued.
pub(crate) async fn call(pool: &Pool, account: i64, id: ChunkId) -> Result<CallReport, ReportError> {
    pool.within(async |connection| read(connection, account, id).await).await
}

async fn read(connection: &mut PgConnection, account: i64, id: ChunkId) -> Result<CallReport, ReportError> {
    let mut snapshot = snapshot(connection).await?;
    let Content { chunk: first, lane, .. } = content(&mut snapshot, account, id).await?;
    if first.call_id != id {
        return Err(ReportError::NotFound);
    }
    let chunks: Vec<ChunkId> = (0..first.call_chunks).map_while(|k| id.nth(k)).collect();
    let holds = hold::read(&mut snapshot, &chunks).await?;
    let mut states = all_states(&mut snapshot, &chunks).await?;
    snapshot.commit().await?;

    let mut report = CallReport {
        id,
        lane,
        messages: first.call_messages,
        counts: [0; Status::ALL.len()],
        price: Money::ZERO,
        refunded: Money::ZERO,
        created_at: first.created_at,
        send_by: first.send_by,
    };
    let mut billed = 0;
    for hold in &holds {
        let states = States::new(states.remove(&hold.chunk.get()));
        for index in 0..hold.prices.count() {
            report.count(states.get(hold.chunk, index, hold.paid.into())?.status(), 1);
        }
        billed += hold.prices.count();
        let too_much = || corrupt(hold.chunk, "the call's amounts are beyond 63 bits");
        let refunded = hold.prices.cost_of(&hold.decided.voided());
        report.price = report.price.checked_add(hold.cost).ok_or_else(too_much)?;
        report.refunded = report.refunded.checked_add(refunded).ok_or_else(too_much)?;
    }
    let billed = u32::try_from(billed).unwrap_or(u32::MAX);
    report.count(Status::Queued, first.call_messages.saturating_sub(billed));
    Ok(report)
}

impl CallReport {
    fn count(&mut self, status: Status, messages: u32) {
        if let Some(place) = Status::ALL.iter().position(|known| *known == status) {
            self.counts[place] += messages;
        }
    }
}

async fn all_states(
    connection: &mut PgConnection,
    chunks: &[ChunkId],
) -> Result<HashMap<i64, Vec<u8>>, sqlx::Error> {
    let ids: Vec<i64> = chunks.iter().map(|chunk| chunk.get()).collect();
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select chunk_id, states from all_chunk_state where chunk_id = any($1)")
            .bind(ids)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}
