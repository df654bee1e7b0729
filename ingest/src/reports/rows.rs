//! The rows of chunks.

use domain::id::ChunkId;
use domain::status::{Fact, MessageState, STATE_BYTES};
use sqlx::{Connection, PgConnection, Postgres, Transaction};
use wire::billed::{Billed, Verdict};
use wire::submitted::Chunk;

use super::ReportError;

/// One snapshot for all statements of a report: a status and its refund are never apart.
pub(super) async fn snapshot(
    connection: &mut PgConnection,
) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    connection.begin_with("begin isolation level repeatable read read only").await
}

/// A chunk as it was billed.
pub(super) struct Content {
    pub(super) chunk: Chunk,
    /// The length of the prefix that was paid for.
    pub(super) paid: usize,
    /// The lane travelled in.
    pub(super) lane: String,
}

/// The content of a chunk of this account.
pub(super) async fn content(
    connection: &mut PgConnection,
    account: i64,
    chunk: ChunkId,
) -> Result<Content, ReportError> {
    let row: Option<(String, Vec<u8>)> =
        sqlx::query_as("select lane, record from all_chunk_content where chunk_id = $1 and account_id = $2")
            .bind(chunk.get())
            .bind(account)
            .fetch_optional(connection)
            .await?;
    let (lane, record) = row.ok_or(ReportError::NotFound)?;
    let billed = Billed::decode(&record.into()).map_err(|error| corrupt(chunk, error))?;
    match billed.verdict {
        Verdict::Paid { paid, chunk } => Ok(Content { chunk, paid: paid.into(), lane }),
        Verdict::Refused { chunk } => Ok(Content { chunk, paid: 0, lane }),
        Verdict::Noop => Err(corrupt(chunk, "a verdict without content was recorded")),
    }
}

/// The states of a chunk's messages; the messages beyond those stored are queued.
pub(super) struct States(Vec<u8>);

impl States {
    /// From the stored bytes; none where there is no row.
    pub(super) fn new(stored: Option<Vec<u8>>) -> Self {
        States(stored.unwrap_or_default())
    }

    /// The state of the message at `index`, when the first `paid` messages were paid for.
    pub(super) fn get(&self, chunk: ChunkId, index: usize, paid: usize) -> Result<MessageState, ReportError> {
        let mut state = match self.0.as_chunks::<STATE_BYTES>().0.get(index) {
            None => MessageState::default(),
            // The place of a state that nothing was heard of yet.
            Some(bytes) if *bytes == [0; STATE_BYTES] => MessageState::default(),
            Some(bytes) => MessageState::from_bytes(*bytes).map_err(|error| corrupt(chunk, error))?,
        };
        if index >= paid {
            state.merge(Fact::Unpaid);
        }
        Ok(state)
    }
}

/// The states of one chunk.
pub(super) async fn states(connection: &mut PgConnection, chunk: ChunkId) -> Result<States, sqlx::Error> {
    let row: Option<(Vec<u8>,)> = sqlx::query_as("select states from all_chunk_state where chunk_id = $1")
        .bind(chunk.get())
        .fetch_optional(connection)
        .await?;
    Ok(States::new(row.map(|(states,)| states)))
}

pub(super) fn corrupt(chunk: ChunkId, why: impl ToString) -> ReportError {
    ReportError::Corrupt { chunk: chunk.get(), why: why.to_string() }
}
