//! The table `webhook_event`: what endpoints are to be told of this transaction. Written with
//! the states it is about, so nothing is told that did not happen, and nothing that happened is
//! left out, whatever dies.

use super::chunk_state::{Row, corrupt};
use crate::webhooks::{EVENT_BYTES, Wanted};
use domain::status::{MessageState, STATE_BYTES};
use ledger::LedgerError;
use sqlx::PgConnection;
use std::collections::{BTreeMap, BTreeSet};

/// Notes for the endpoints of their accounts which messages changed their status. Returns how
/// many events that are. Without endpoints it costs one look into an index.
pub(super) async fn insert(connection: &mut PgConnection, rows: &[Row]) -> Result<u64, LedgerError> {
    let accounts: BTreeSet<i64> =
        rows.iter().filter(|row| !row.ends.moved.is_empty()).map(|row| row.account).collect();
    if accounts.is_empty() {
        return Ok(0);
    }
    let endpoints = endpoints(connection, accounts).await?;
    let mut notes: Vec<(i64, i16, Vec<u8>)> = Vec::new();
    for row in rows {
        for (endpoint, wanted) in endpoints.get(&row.account).into_iter().flatten() {
            let events = events(row, wanted)?;
            // 256 at most.
            let messages = i16::try_from(events.len() / EVENT_BYTES).unwrap_or(i16::MAX);
            if messages > 0 {
                notes.push((*endpoint, messages, events));
            }
        }
    }
    if notes.is_empty() {
        return Ok(0);
    }
    sqlx::query(
        "insert into webhook_event (endpoint_id, messages, events)
         select endpoint, messages, events
         from unnest($1::bigint[], $2::smallint[], $3::bytea[])
              with ordinality as n (endpoint, messages, events, place) order by place",
    )
    .bind(notes.iter().map(|note| note.0).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.1).collect::<Vec<_>>())
    .bind(notes.iter().map(|note| note.2.as_slice()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(notes.iter().map(|note| u64::from(note.1.unsigned_abs())).sum())
}

/// The endpoints of these accounts that are told things, and what they want to be told.
async fn endpoints(
    connection: &mut PgConnection,
    accounts: BTreeSet<i64>,
) -> Result<BTreeMap<i64, Vec<(i64, Wanted)>>, sqlx::Error> {
    let rows: Vec<(i64, i64, Vec<String>)> = sqlx::query_as(
        "select account_id, id, events from webhook_endpoint
         where account_id = any($1) and disabled_at is null and deleted_at is null order by id",
    )
    .bind(accounts.into_iter().collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut endpoints: BTreeMap<i64, Vec<(i64, Wanted)>> = BTreeMap::new();
    for (account, id, events) in rows {
        endpoints.entry(account).or_default().push((id, Wanted::new(&events)));
    }
    Ok(endpoints)
}

/// The messages that newly have a wanted status, as the table has them.
fn events(row: &Row, wanted: &Wanted) -> Result<Vec<u8>, LedgerError> {
    let mut events = Vec::new();
    let states = row.states.as_chunks::<STATE_BYTES>().0;
    for position in row.ends.moved.iter() {
        let bytes = states.get(usize::from(position)).copied().unwrap_or_default();
        let state = MessageState::from_bytes(bytes).map_err(|error| corrupt(row.chunk.get(), error))?;
        if wanted.has(state.status()) {
            events.extend(row.chunk.message(position).get().to_le_bytes());
            events.extend(bytes);
        }
    }
    Ok(events)
}
