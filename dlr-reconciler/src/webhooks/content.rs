//! What is known of the messages of events besides their states: the chunks as they were billed,
//! and the books. None of it changes after an event but by becoming final.

use domain::id::ChunkId;
use ledger::LedgerError;
use ledger::hold::HoldRow;
use sqlx::PgConnection;
use std::collections::HashMap;
use wire::billed::{Billed, Verdict};
use wire::submitted::Chunk;

/// Chunks, by their id.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) chunks: HashMap<ChunkId, Chunk>,
    pub(super) holds: HashMap<ChunkId, HoldRow>,
}

/// Reads what there is of these chunks. Content may be recorded a moment after a state, and is
/// erased some day.
pub(super) async fn read(connection: &mut PgConnection, chunks: &[ChunkId]) -> Result<Contents, LedgerError> {
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select chunk_id, record from all_chunk_content where chunk_id = any($1)")
            .bind(chunks.iter().map(|chunk| chunk.get()).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
    let mut contents = Contents::default();
    for (number, record) in rows {
        match Billed::decode(&record.into()).map(|billed| billed.verdict) {
            Ok(Verdict::Paid { chunk, .. } | Verdict::Refused { chunk }) => {
                contents.chunks.insert(chunk.id, chunk);
            }
            // One row that nobody can read must not hold up what is told of others.
            Ok(Verdict::Noop) => tracing::error!(chunk = number, "a verdict without content was recorded"),
            Err(error) => tracing::error!(chunk = number, %error, "recorded content cannot be read"),
        }
    }
    let holds = ledger::hold::read(connection, chunks).await?;
    contents.holds = holds.into_iter().map(|hold| (hold.chunk, hold)).collect();
    Ok(contents)
}
