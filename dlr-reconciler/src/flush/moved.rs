//! What is heard of chunks that are in history already: a receipt that contradicts is marked
//! there. All their messages are final, so no money can move.

use super::carriers;
use super::chunk_state::corrupt;
use crate::history::store;
use crate::merge::Heard;
use crate::pushed::{self, Carriers};
use crate::states::apply;
use domain::id::ChunkId;
use domain::status::Costs;
use ledger::LedgerError;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What became of it.
#[derive(Debug, Default)]
pub(super) struct Moved {
    /// Those that are in history.
    pub(super) chunks: BTreeSet<ChunkId>,
    /// Receipts that newly contradict a final status.
    pub(super) late: u64,
    /// Receipts of another connector than the message went by: the connectors.
    pub(super) foreign: Vec<(ChunkId, Vec<Arc<str>>)>,
}

/// Merges what was heard of `chunks`, which have no row in the open tables, where they are in
/// history.
pub(super) async fn merge(
    connection: &mut PgConnection,
    chunks: &[ChunkId],
    heard: &BTreeMap<ChunkId, Vec<&Heard>>,
    costs: &Costs,
) -> Result<Moved, LedgerError> {
    let mut moved = Moved::default();
    let numbers: Vec<i64> = chunks.iter().map(|chunk| chunk.get()).collect();
    let rows = store::lock(connection, &numbers).await?;
    if rows.is_empty() {
        return Ok(moved);
    }
    let carriers = carriers::of_pushed(connection, store::OPERATOR_IDS, heard).await?;
    let mut changed = Vec::new();
    for (number, mut states) in rows {
        let corrupt = |why: &dyn ToString| corrupt(number, why.to_string());
        let chunk = ChunkId::new(number).ok_or_else(|| corrupt(&"chunk_id"))?;
        let heard = heard.get(&chunk).map(Vec::as_slice).unwrap_or_default();
        let none = Carriers::default();
        let carriers = carriers.get(&number).unwrap_or(&none);
        let sorted = pushed::sort(&states, heard, carriers).map_err(|error| corrupt(&error))?;
        let ends = apply(&mut states, heard, &sorted.facts, costs).map_err(|error| corrupt(&error))?;
        if ends.any() {
            return Err(corrupt(&"it is in history, and not all of its messages are final"));
        }
        moved.chunks.insert(chunk);
        moved.late += u64::from(ends.late);
        moved.foreign.push((chunk, sorted.foreign));
        if ends.changed {
            changed.push((number, states));
        }
    }
    store::update(connection, &changed).await?;
    Ok(moved)
}
