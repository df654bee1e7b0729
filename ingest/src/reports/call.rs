//! The report of a bulk call: its chunks' states, counted.

use domain::id::ChunkId;
use domain::money::Money;
use domain::status::Status;
use domain::time::UnixMillis;
use ledger::hold;
use sqlx::PgConnection;

use super::rows::{States, all_states, corrupt, load_one, snapshot};
use super::{Reader, ReportError};

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
pub(crate) async fn call(reader: &Reader, account: i64, id: ChunkId) -> Result<CallReport, ReportError> {
    reader.pool().within(async |connection| read(connection, account, id).await).await
}

async fn read(connection: &mut PgConnection, account: i64, id: ChunkId) -> Result<CallReport, ReportError> {
    let mut snapshot = snapshot(connection).await?;
    let loaded = load_one(&mut snapshot, account, id).await?;
    let first = &loaded.chunk;
    if first.call_id != id {
        return Err(ReportError::NotFound);
    }
    let chunks: Vec<ChunkId> = (0..first.call_chunks).map_while(|k| id.nth(k)).collect();
    let holds = hold::read(&mut snapshot, &chunks).await?;
    let ids: Vec<i64> = chunks.iter().map(|chunk| chunk.get()).collect();
    let mut states = all_states(&mut snapshot, &ids).await?;
    snapshot.commit().await?;

    let mut report = CallReport {
        id,
        lane: loaded.lane.clone(),
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
