//! Reports of messages, one or many.

use std::collections::HashMap;
use std::sync::Arc;

use domain::bits::Bits;
use domain::id::{ChunkId, MessageId};
use domain::money::Money;
use domain::status::MessageState;
use domain::time::UnixMillis;
use ledger::hold;
use sqlx::PgConnection;
use wire::submitted::Chunk;

use super::operator_ids::{AtOperator, OperatorIds};
use super::rows::{Loaded, corrupt, load_one, snapshot};
use super::{Reader, ReportError};

pub(super) use super::rows::load;

/// Everything that is known of a message.
pub(crate) struct MessageReport {
    pub(crate) id: MessageId,
    loaded: Arc<Loaded>,
    pub(crate) state: MessageState,
    /// What was held for it: nothing where it was refused.
    pub(crate) price: Money,
    /// What came back.
    pub(crate) refunded: Money,
    pub(crate) connector: Option<String>,
    pub(crate) operator_message_id: Option<String>,
    pub(crate) sent_at: Option<UnixMillis>,
    pub(crate) final_at: Option<UnixMillis>,
}

impl MessageReport {
    /// The chunk it belongs to: without recipients, texts and line where they were erased.
    pub(crate) fn chunk(&self) -> &Chunk {
        &self.loaded.chunk
    }

    /// The lane travelled in.
    pub(crate) fn lane(&self) -> &str {
        &self.loaded.lane
    }

    /// The place in its chunk.
    pub(crate) fn index(&self) -> usize {
        self.id.index().into()
    }
}

/// A message that is to be reported.
pub(super) struct Picked {
    pub(super) id: MessageId,
    pub(super) loaded: Arc<Loaded>,
    pub(super) state: MessageState,
}

/// Reads the report of a message of this account.
pub(crate) async fn message(
    reader: &Reader,
    account: i64,
    id: MessageId,
) -> Result<MessageReport, ReportError> {
    reader
        .pool()
        .within(async |connection| {
            let mut snapshot = snapshot(connection).await?;
            let loaded = load_one(&mut snapshot, account, id.chunk()).await?;
            if u16::from(id.index()) >= loaded.messages {
                return Err(ReportError::NotFound);
            }
            let state = loaded.state(id.index().into())?;
            let mut found = reports(&mut snapshot, vec![Picked { id, loaded, state }]).await?;
            snapshot.commit().await?;
            found.pop().ok_or(ReportError::NotFound)
        })
        .await
}

/// The reports of these messages, in their order.
pub(super) async fn reports(
    connection: &mut PgConnection,
    picked: Vec<Picked>,
) -> Result<Vec<MessageReport>, ReportError> {
    if picked.is_empty() {
        return Ok(vec![]);
    }
    let mut chunks: Vec<ChunkId> = picked.iter().map(|picked| picked.id.chunk()).collect();
    chunks.dedup();
    let operator_ids = OperatorIds::read(connection, &chunks).await?;
    let holds = hold::read(connection, &chunks).await?;
    let holds: HashMap<ChunkId, hold::HoldRow> = holds.into_iter().map(|hold| (hold.chunk, hold)).collect();
    picked.into_iter().map(|picked| report(picked, &holds, &operator_ids)).collect()
}

fn report(
    picked: Picked,
    holds: &HashMap<ChunkId, hold::HoldRow>,
    operator_ids: &OperatorIds,
) -> Result<MessageReport, ReportError> {
    let Picked { id, loaded, state } = picked;
    let hold = holds.get(&id.chunk());
    let hold = hold.ok_or_else(|| corrupt(id.chunk(), "it is recorded, but not in the ledger"))?;
    let message: Bits = [id.index()].into_iter().collect();
    let held = Bits::prefix(hold.paid.into()).intersection(message);
    let AtOperator { connector, id: operator_message_id } = operator_ids.find(id, state.closed_attempt());
    let minted = id.chunk().minted_at();
    Ok(MessageReport {
        id,
        price: hold.prices.cost_of(&held),
        refunded: hold.prices.cost_of(&hold.decided.voided().intersection(message)),
        connector,
        operator_message_id,
        sent_at: state.sent_after().map(|after| minted.plus(after.into())),
        final_at: state.final_after().map(|after| minted.plus(after.into())),
        state,
        loaded,
    })
}
