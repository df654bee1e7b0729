//! Lists of an account's messages, newest first: by cursor, or counted and by number of page.
//!
//! Without a recipient, reference or campaign a list follows the counters: hours in which
//! nothing fits are not looked at, and a page far back is found by adding hours up. With one of
//! them, chunks are found by their keys and filters. In both, records are read only of chunks
//! of which messages may be shown, and their number is bounded.

mod by_page;
mod chunks;
mod filter;
mod hours;
mod sought;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use by_page::{Numbered, numbered};
use domain::id::{ChunkId, MessageId};
pub(crate) use filter::{Filter, StatusSet};
use sqlx::PgConnection;

use super::messages::{MessageReport, Picked, load, reports};
use super::rows::{Loaded, snapshot};
use super::{Reader, ReportError};
use chunks::Span;

/// Chunks found at once where most of them may turn out to be of no use.
const SOUGHT_AT_ONCE: usize = 64;

/// A part of a list.
pub(crate) struct Page {
    pub(crate) messages: Vec<MessageReport>,
    /// The list goes on in front of this number; nothing where it ends here. A part may have
    /// fewer messages than were asked for and yet not be the last: much was looked at in vain.
    pub(crate) next: Option<i64>,
}

/// Up to `limit` of the messages that fit, from those with ids below `before` on.
pub(crate) async fn page(
    reader: &Reader,
    filter: &Filter,
    before: Option<i64>,
    limit: usize,
) -> Result<Page, ReportError> {
    let most = reader.chunks_max();
    reader
        .pool()
        .within(async |connection| {
            let mut snapshot = snapshot(connection).await?;
            let page = read(&mut snapshot, filter, before, limit, most).await?;
            snapshot.commit().await?;
            Ok(page)
        })
        .await
}

async fn read(
    connection: &mut PgConnection,
    filter: &Filter,
    before: Option<i64>,
    limit: usize,
    chunks_max: usize,
) -> Result<Page, ReportError> {
    let mut whole = filter.span();
    whole.to = before.map_or(whole.to, |before| whole.to.min(before));
    let mut found: Vec<Picked> = Vec::new();
    let mut looked = 0;
    for part in parts(connection, filter, whole).await? {
        let mut rest = part;
        loop {
            // One more than are shown: is there a next page?
            let wanted = (limit + 1).saturating_sub(found.len());
            let Candidates { chunks, more } = candidates(connection, filter, rest, wanted).await?;
            let loaded = load(connection, filter.account, &chunks).await?;
            for chunk in &chunks {
                found.extend(fitting(&loaded, *chunk, filter, whole.to)?);
            }
            looked += chunks.len();
            if found.len() > limit {
                found.truncate(limit);
                let next = found.last().map(|last| last.id.get());
                return Ok(Page { messages: reports(connection, found).await?, next });
            }
            let Some(last) = chunks.last().filter(|_| more) else { break };
            if looked >= chunks_max {
                return Ok(Page { messages: reports(connection, found).await?, next: Some(*last) });
            }
            rest.to = *last;
        }
    }
    Ok(Page { messages: reports(connection, found).await?, next: None })
}

/// The newest chunks that have messages that fit, from those with ids below `before` on.
pub(super) async fn newest_chunks(
    connection: &mut PgConnection,
    filter: &Filter,
    before: Option<i64>,
    most: usize,
) -> Result<Vec<i64>, sqlx::Error> {
    let mut span = filter.span();
    span.to = before.map_or(span.to, |before| span.to.min(before));
    let rows = chunks::newest(connection, filter, span, most).await?;
    Ok(rows.into_iter().map(|(chunk, _)| chunk).collect())
}

/// Where to look: all of it, or the hours in which the counters know something that fits.
async fn parts(
    connection: &mut PgConnection,
    filter: &Filter,
    whole: Span,
) -> Result<Vec<Span>, ReportError> {
    if filter.statuses.is_empty() || whole.from >= whole.to {
        return Ok(vec![]);
    }
    if filter.is_sought() || filter.statuses.is_all() && filter.lane.is_none() {
        return Ok(vec![whole]);
    }
    hours::with_any(connection, filter, whole).await
}

/// Chunks of a span in which messages may fit, newest first.
struct Candidates {
    chunks: Vec<i64>,
    /// Whether there may be further ones.
    more: bool,
}

/// The newest that have so many messages that fit, where it is known how many they have.
async fn candidates(
    connection: &mut PgConnection,
    filter: &Filter,
    span: Span,
    messages: usize,
) -> Result<Candidates, ReportError> {
    if let Some(keys) = filter.keys() {
        let chunks = sought::newest(connection, filter.account, keys, span, SOUGHT_AT_ONCE).await?;
        let more = chunks.len() == SOUGHT_AT_ONCE;
        return Ok(Candidates { chunks, more });
    }
    // The cursor may have left little of the first: then there is another round.
    let rows = chunks::newest(connection, filter, span, messages).await?;
    let (mut chunks, mut known) = (Vec::new(), 0);
    for (chunk, messages_of) in &rows {
        if known >= messages {
            break;
        }
        known += messages_of;
        chunks.push(*chunk);
    }
    let more = chunks.len() < rows.len() || rows.len() == messages;
    Ok(Candidates { chunks, more })
}

/// The messages of a chunk that fit, newest first.
fn fitting(
    loaded: &HashMap<i64, Arc<Loaded>>,
    chunk: i64,
    filter: &Filter,
    before: i64,
) -> Result<Vec<Picked>, ReportError> {
    let corrupt = |why: &str| ReportError::Corrupt { chunk, why: why.to_owned() };
    let loaded = loaded.get(&chunk).ok_or_else(|| corrupt("it is counted, and not there"))?;
    let id = ChunkId::new(chunk).ok_or_else(|| corrupt("chunk_id"))?;
    let mut picked = Vec::new();
    for index in (0..loaded.messages).rev() {
        let Ok(position) = u8::try_from(index) else { return Err(corrupt("messages")) };
        let id: MessageId = id.message(position);
        if id.get() >= before || !filter.fits(loaded, usize::from(index)) {
            continue;
        }
        let state = loaded.state(usize::from(index))?;
        if filter.statuses.contains(state.status()) {
            picked.push(Picked { id, loaded: Arc::clone(loaded), state });
        }
    }
    Ok(picked)
}
