//! The report of one message.

use domain::bits::Bits;
use domain::id::MessageId;
use domain::money::Money;
use domain::status::MessageState;
use domain::time::UnixMillis;
use ledger::hold;
use platform::postgres::Pool;
use sqlx::PgConnection;
use wire::submitted::Chunk;

use super::ReportError;
use super::operator_ids::{self, AtOperator};
use super::rows::{Content, content, corrupt, snapshot, states};

/// Everything that is known of a message.
pub(crate) struct MessageReport {
    pub(crate) id: MessageId,
    pub(crate) chunk: Chunk,
    pub(crate) state: MessageState,
    /// The lane travelled in.
    pub(crate) lane: String,
    /// What was held for it: nothing where it was refused.
    pub(crate) price: Money,
    /// What came back.
    pub(crate) refunded: Money,
    pub(crate) connector: Option<String>,
    pub(crate) operator_message_id: Option<String>,
    pub(crate) sent_at: Option<UnixMillis>,
    pub(crate) final_at: Option<UnixMillis>,
}

/// Reads the report of a message of this account.
pub(crate) async fn message(pool: &Pool, account: i64, id: MessageId) -> Result<MessageReport, ReportError> {
    pool.within(async |connection| read(connection, account, id).await).await
}

async fn read(
    connection: &mut PgConnection,
    account: i64,
    id: MessageId,
) -> Result<MessageReport, ReportError> {
    let mut snapshot = snapshot(connection).await?;
    let Content { chunk, paid, lane } = content(&mut snapshot, account, id.chunk()).await?;
    let index = usize::from(id.index());
    if index >= chunk.len() {
        return Err(ReportError::NotFound);
    }
    let state = states(&mut snapshot, chunk.id).await?.get(chunk.id, index, paid)?;
    let AtOperator { connector, id: operator_message_id } =
        operator_ids::find(&mut snapshot, id, state.closed_attempt()).await?;
    let holds = hold::read(&mut snapshot, &[chunk.id]).await?;
    snapshot.commit().await?;

    let hold = holds.first().ok_or_else(|| corrupt(chunk.id, "it is recorded, but not in the ledger"))?;
    let message: Bits = [id.index()].into_iter().collect();
    let held = Bits::prefix(paid).intersection(message);
    let minted = chunk.id.minted_at();
    Ok(MessageReport {
        id,
        state,
        lane,
        price: hold.prices.cost_of(&held),
        refunded: hold.prices.cost_of(&hold.decided.voided().intersection(message)),
        connector,
        operator_message_id,
        sent_at: state.sent_after().map(|after| minted.plus(after.into())),
        final_at: state.final_after().map(|after| minted.plus(after.into())),
        chunk,
    })
}
