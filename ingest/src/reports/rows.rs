//! The rows of chunks.

use std::collections::HashMap;
use std::sync::Arc;

use domain::id::ChunkId;
use domain::lane::Lane;
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

/// A chunk as it was billed, and what became of it.
pub(crate) struct Loaded {
    /// Without recipients, texts and line where they were erased.
    pub(super) chunk: Chunk,
    pub(super) messages: u16,
    /// The length of the prefix that was paid for.
    pub(super) paid: usize,
    /// The lane travelled in.
    pub(super) lane: String,
    pub(super) campaign: Option<i64>,
    states: States,
}

#[derive(sqlx::FromRow)]
struct Row {
    chunk_id: i64,
    lane: String,
    record: Vec<u8>,
    messages: i16,
    campaign_id: Option<i64>,
    call_id: i64,
    call_chunks: i32,
    call_messages: i32,
}

impl Loaded {
    /// The state of the message at `index`.
    pub(super) fn state(&self, index: usize) -> Result<MessageState, ReportError> {
        self.states.get(self.chunk.id, index, self.paid)
    }

    fn new(row: Row, states: Option<Vec<u8>>) -> Result<Self, ReportError> {
        let number = row.chunk_id;
        let corrupt = |why: String| ReportError::Corrupt { chunk: number, why };
        let messages = u16::try_from(row.messages).map_err(|error| corrupt(error.to_string()))?;
        let id = ChunkId::new(number).ok_or_else(|| corrupt("chunk_id".into()))?;
        let (chunk, paid) = if row.record.is_empty() {
            // Erased: all of it is final, and says itself what was paid for.
            (erased(id, &row), messages.into())
        } else {
            decode(id, row.record)?
        };
        let states = States::new(states);
        Ok(Loaded { chunk, messages, paid, lane: row.lane, campaign: row.campaign_id, states })
    }
}

/// The chunks of this account among `chunks`, by id.
pub(super) async fn load(
    connection: &mut PgConnection,
    account: i64,
    chunks: &[i64],
) -> Result<HashMap<i64, Arc<Loaded>>, ReportError> {
    if chunks.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Row> = sqlx::query_as(
        "select chunk_id, lane, record, messages, campaign_id, call_id, call_chunks, call_messages
         from all_chunk_content
         where chunk_id = any($1) and account_id = $2",
    )
    .bind(chunks)
    .bind(account)
    .fetch_all(&mut *connection)
    .await?;
    let mut states = all_states(connection, chunks).await?;
    let of = |row: Row| {
        let (chunk, states) = (row.chunk_id, states.remove(&row.chunk_id));
        Ok((chunk, Arc::new(Loaded::new(row, states)?)))
    };
    rows.into_iter().map(of).collect()
}

/// The campaigns of those of `chunks` that belong to one, by chunk.
pub(super) async fn load_campaigns(
    connection: &mut PgConnection,
    account: i64,
    chunks: &[i64],
) -> Result<HashMap<i64, i64>, sqlx::Error> {
    if chunks.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "select chunk_id, campaign_id from all_chunk_content
         where chunk_id = any($1) and account_id = $2 and campaign_id is not null",
    )
    .bind(chunks)
    .bind(account)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().collect())
}

/// One chunk of this account.
pub(super) async fn load_one(
    connection: &mut PgConnection,
    account: i64,
    chunk: ChunkId,
) -> Result<Arc<Loaded>, ReportError> {
    let mut loaded = load(connection, account, &[chunk.get()]).await?;
    loaded.remove(&chunk.get()).ok_or(ReportError::NotFound)
}

fn decode(chunk: ChunkId, record: Vec<u8>) -> Result<(Chunk, usize), ReportError> {
    let billed = Billed::decode(&record.into()).map_err(|error| corrupt(chunk, error))?;
    match billed.verdict {
        Verdict::Paid { paid, chunk } => Ok((chunk, paid.into())),
        Verdict::Refused { chunk } => Ok((chunk, 0)),
        Verdict::Noop => Err(corrupt(chunk, "a verdict without content was recorded")),
    }
}

fn erased(id: ChunkId, row: &Row) -> Chunk {
    Chunk {
        id,
        account: 0,
        asked_lane: row.lane.parse().unwrap_or(Lane::Standard),
        line: String::new(),
        recipients: vec![],
        texts: vec![],
        text_index: vec![],
        references: vec![],
        tariff_version: 0,
        created_at: id.minted_at(),
        send_by: id.minted_at(),
        call_id: ChunkId::new(row.call_id).unwrap_or(id),
        call_chunks: row.call_chunks.unsigned_abs(),
        call_messages: row.call_messages.unsigned_abs(),
        campaign: 0,
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

/// The stored states of chunks, by id.
pub(super) async fn all_states(
    connection: &mut PgConnection,
    chunks: &[i64],
) -> Result<HashMap<i64, Vec<u8>>, sqlx::Error> {
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select chunk_id, states from all_chunk_state where chunk_id = any($1)")
            .bind(chunks)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

pub(super) fn corrupt(chunk: ChunkId, why: impl ToString) -> ReportError {
    ReportError::Corrupt { chunk: chunk.get(), why: why.to_string() }
}
