//! From what is due to calls that can be made.

use super::claim::{self, Due, Limits};
use super::content::{self, Contents};
use super::event::Event;
use super::turn::{Endpoint, Job, Turn};
use super::{Parts, payload};
use domain::id::ChunkId;
use domain::time::UnixMillis;
use ledger::LedgerError;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeSet;

/// The content of a message is recorded within a moment of its first status, and erased some
/// day. It is waited for so long; then the event is told without it.
const CONTENT_LATE_MS: i64 = 60_000;
/// And looked for as often as this.
const AGAIN_MS: i64 = 1_000;

/// Due, with what is in it.
struct Read {
    due: Due,
    events: Vec<Event>,
}

/// The turns of these endpoints.
pub(super) async fn turns(
    with: &Parts,
    process: Uuid,
    endpoints: &[i64],
    now: UnixMillis,
) -> Result<Vec<Turn>, LedgerError> {
    let settings = &with.settings;
    let limits = Limits { calls: settings.turn_calls, pending: settings.pending_deliveries.into() };
    let next =
        async |connection: &mut PgConnection| claim::next(connection, process, endpoints, now, &limits).await;
    let (mut turns, mut early) = (Vec::new(), Vec::new());
    let due: Vec<(Endpoint, Vec<Read>)> = with
        .pool
        .within(next)
        .await?
        .into_iter()
        .map(|(endpoint, due)| (endpoint, due.into_iter().filter_map(|due| read(due, &mut early)).collect()))
        .collect();
    let chunks: BTreeSet<ChunkId> = due.iter().flat_map(|(_, due)| due).flat_map(Read::chunks).collect();
    let chunks: Vec<ChunkId> = chunks.into_iter().collect();
    let contents = with.pool.within(async |connection| content::read(connection, &chunks).await).await?;
    for (endpoint, due) in due {
        let batch = endpoint.batch_size > 1;
        let mut jobs = Vec::new();
        for read in due {
            let complete = read.chunks().all(|chunk| contents.chunks.contains_key(&chunk));
            if !complete && now < read.due.happened_at.plus(CONTENT_LATE_MS) {
                early.push(read.due.id);
            } else {
                jobs.extend(job(read, &contents, &with.currency, batch));
            }
        }
        if !jobs.is_empty() {
            turns.push(Turn { endpoint, jobs });
        }
    }
    if !early.is_empty() {
        let until = now.plus(AGAIN_MS);
        let put_off = async |connection: &mut PgConnection| claim::put_off(connection, &early, until).await;
        with.pool.within(put_off).await?;
    }
    Ok(turns)
}

/// What nobody can read stays where it is, and holds up nobody else.
fn read(due: Due, unreadable: &mut Vec<i64>) -> Option<Read> {
    match Event::read_all(&due.events) {
        Ok(events) => Some(Read { due, events }),
        Err(error) => {
            tracing::error!(delivery = due.id, %error, "a row of webhook_delivery cannot be read");
            unreadable.push(due.id);
            None
        }
    }
}

fn job(read: Read, contents: &Contents, currency: &str, batch: bool) -> Option<Job> {
    let Read { due, events } = read;
    let body = payload::body(&events, contents, currency, due.happened_at, batch);
    let body = body.inspect_err(|error| tracing::error!(%error, "a webhook could not be written")).ok()?;
    Some(Job {
        delivery: due.id,
        webhook_id: due.webhook_id,
        tried: due.tried,
        messages: events.len() as u64,
        body,
    })
}

impl Read {
    fn chunks(&self) -> impl Iterator<Item = ChunkId> {
        self.events.iter().map(|event| event.message.chunk())
    }
}
