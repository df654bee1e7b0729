//! A list counted exactly, and any page of it: the old report.

use sqlx::PgConnection;

use super::chunks::{behind, newest};
use super::filter::Filter;
use super::{SOUGHT_AT_ONCE, fitting, hours, sought};
use crate::reports::messages::{MessageReport, Picked, load, reports};
use crate::reports::rows::snapshot;
use crate::reports::{Reader, ReportError};

/// A page of a counted list.
pub(crate) struct Numbered {
    /// How many messages fit, on all pages.
    pub(crate) count: u64,
    /// Newest first; none behind the last page.
    pub(crate) messages: Vec<MessageReport>,
}

/// The messages at places `offset` to `offset + limit` of those that fit, newest first, and how
/// many fit, all as of one moment.
///
/// # Errors
/// [`ReportError::TooWide`] where a recipient, reference or campaign fits more chunks than may
/// be looked into for one query.
pub(crate) async fn numbered(
    reader: &Reader,
    filter: &Filter,
    offset: u64,
    limit: usize,
) -> Result<Numbered, ReportError> {
    let most = reader.chunks_max();
    reader
        .pool()
        .within(async |connection| {
            let mut snapshot = snapshot(connection).await?;
            let (count, picked) = if filter.statuses.is_empty() || filter.from >= filter.to {
                (0, vec![])
            } else if filter.is_sought() {
                by_looking(&mut snapshot, filter, offset, limit, most).await?
            } else {
                by_counting(&mut snapshot, filter, offset, limit).await?
            };
            let messages = reports(&mut snapshot, picked).await?;
            snapshot.commit().await?;
            Ok(Numbered { count, messages })
        })
        .await
}

/// Adds parts up until the offset lies in one, then reads chunks from there on.
async fn by_counting(
    connection: &mut PgConnection,
    filter: &Filter,
    offset: u64,
    limit: usize,
) -> Result<(u64, Vec<Picked>), ReportError> {
    let whole = filter.span();
    let parts = hours::counted(connection, filter, whole).await?;
    let count = parts.iter().map(|part| part.messages.unsigned_abs()).sum();
    let mut skip = i64::try_from(offset).unwrap_or(i64::MAX);
    let (mut chunks, mut first, mut expected) = (Vec::new(), 0, 0);
    for part in parts {
        if skip >= part.messages {
            skip -= part.messages;
            continue;
        }
        for row in behind(connection, filter, part.span, skip, limit).await? {
            if chunks.is_empty() {
                first = usize::try_from(skip - row.before).unwrap_or(0);
            }
            chunks.push(row.chunk_id);
            expected += usize::try_from(row.messages).unwrap_or(0);
            if expected >= first + limit {
                break;
            }
        }
        if expected >= first + limit {
            break;
        }
        skip = 0;
    }
    let loaded = load(connection, filter.account, &chunks).await?;
    let mut picked = Vec::new();
    for chunk in chunks {
        picked.extend(fitting(&loaded, chunk, filter, whole.to)?);
    }
    Ok((count, picked.into_iter().skip(first).take(limit).collect()))
}

/// Looks into every chunk that may fit.
async fn by_looking(
    connection: &mut PgConnection,
    filter: &Filter,
    offset: u64,
    limit: usize,
    most: usize,
) -> Result<(u64, Vec<Picked>), ReportError> {
    let whole = filter.span();
    let mut chunks = match filter.keys() {
        Some(keys) => sought::newest(connection, filter.account, keys, whole, most + 1).await?,
        None => {
            let rows = newest(connection, filter, whole, most + 1).await?;
            rows.into_iter().map(|(chunk, _)| chunk).collect()
        }
    };
    if chunks.len() > most {
        return Err(ReportError::TooWide);
    }
    let (mut count, mut picked) = (0, Vec::new());
    while !chunks.is_empty() {
        let rest = chunks.split_off(chunks.len().min(SOUGHT_AT_ONCE));
        let loaded = load(connection, filter.account, &chunks).await?;
        for chunk in std::mem::replace(&mut chunks, rest) {
            for message in fitting(&loaded, chunk, filter, whole.to)? {
                if count >= offset && picked.len() < limit {
                    picked.push(message);
                }
                count += 1;
            }
        }
    }
    Ok((count, picked))
}
