//! The counters (`account_hour`): in which hours messages fit, and how many.

use domain::id::ChunkId;
use domain::lane::Lane;
use domain::status::{Status, StatusCounts};
use domain::time::UnixMillis;
use sqlx::PgConnection;
use std::collections::BTreeMap;

use super::chunks::{Span, count};
use super::filter::{Filter, StatusSet};
use crate::reports::ReportError;

const HOUR_MS: i64 = 3_600_000;

/// Chunks of which states came before their content, of one account: normally none. More than
/// so many, and the reconciler is reading up on what it missed.
const UNRECORDED_MAX: i64 = 10_000;

/// A part of a list's time, and how many messages of it fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) span: Span,
    pub(super) messages: i64,
}

/// Every part of `whole` in which messages fit, newest first. Whole hours are counted by the
/// counters, the ends that cut one by the chunks in them.
pub(super) async fn counted(
    connection: &mut PgConnection,
    filter: &Filter,
    whole: Span,
) -> Result<Vec<Part>, ReportError> {
    let (newest, hours, oldest) = cut(whole);
    let mut parts = vec![Part { span: newest, messages: count(connection, filter, newest).await? }];
    if let Some((first, end)) = hours {
        parts.extend(of_hours(connection, filter, first, end).await?);
    }
    parts.push(Part { span: oldest, messages: count(connection, filter, oldest).await? });
    parts.retain(|part| part.messages > 0);
    Ok(parts)
}

/// The spans of `whole` outside of which nothing fits, newest first; hours beside each other
/// are one.
pub(super) async fn with_any(
    connection: &mut PgConnection,
    filter: &Filter,
    whole: Span,
) -> Result<Vec<Span>, ReportError> {
    let (newest, hours, oldest) = cut(whole);
    let mut spans = vec![newest];
    if let Some((first, end)) = hours {
        let parts = of_hours(connection, filter, first, end).await?;
        spans.extend(parts.into_iter().filter(|part| part.messages > 0).map(|part| part.span));
    }
    spans.push(oldest);
    let mut joined: Vec<Span> = Vec::new();
    for span in spans.into_iter().filter(|span| span.from < span.to) {
        match joined.last_mut() {
            Some(newer) if newer.from == span.to => newer.from = span.from,
            _ => joined.push(span),
        }
    }
    Ok(joined)
}

/// Newest end, whole hours (the first, and the one behind the last), oldest end.
fn cut(whole: Span) -> (Span, Option<(i64, i64)>, Span) {
    let none = Span { from: whole.from, to: whole.from };
    let first = hour_of(whole.from) + i64::from(start_of(hour_of(whole.from)) < whole.from);
    let end = hour_of(whole.to);
    if first >= end || whole.from >= whole.to {
        return (whole, None, none);
    }
    let newest = Span { from: start_of(end), to: whole.to };
    (newest, Some((first, end)), Span { from: whole.from, to: start_of(first) })
}

/// The hour, counted from 1970, in which a chunk with this id was minted.
fn hour_of(chunk: i64) -> i64 {
    minted(chunk).0.div_euclid(HOUR_MS)
}

/// The lowest chunk id of an hour.
fn start_of(hour: i64) -> i64 {
    ChunkId::floor(UnixMillis(hour.saturating_mul(HOUR_MS)))
}

/// Also of the ends of spans, which need not be ids.
fn minted(chunk: i64) -> UnixMillis {
    ChunkId::new(chunk & !0xFF).map_or(domain::id::EPOCH, ChunkId::minted_at)
}

async fn of_hours(
    connection: &mut PgConnection,
    filter: &Filter,
    first: i64,
    end: i64,
) -> Result<Vec<Part>, ReportError> {
    let (plus, minus) = terms(filter.statuses);
    let rows: Vec<(i64, i64)> = sqlx::query_as(
        "select (extract(epoch from hour) / 3600)::bigint,
                sum(case when status = any($4) then messages
                         when status = any($5) then -messages else 0 end)::bigint
         from account_hour
         where account_id = $1 and hour >= to_timestamp($2) and hour < to_timestamp($3)
           and ($6::text is null or lane = $6)
         group by hour",
    )
    .bind(filter.account)
    .bind(first.saturating_mul(3_600))
    .bind(end.saturating_mul(3_600))
    .bind(plus)
    .bind(words(minus))
    .bind(filter.lane.map(Lane::as_str))
    .fetch_all(&mut *connection)
    .await?;
    let mut hours: BTreeMap<i64, i64> = rows.into_iter().collect();
    let span = Span { from: start_of(first), to: start_of(end) };
    for (chunk, more) in unrecorded(connection, filter, span).await? {
        *hours.entry(hour_of(chunk)).or_default() -= more;
    }
    let part = |(hour, messages)| {
        let span = Span { from: start_of(hour), to: start_of(hour + 1) };
        Part { span, messages }
    };
    Ok(hours.into_iter().rev().map(part).collect())
}

/// The words whose counters are added, and the statuses whose are taken off: `queued` has none,
/// it is what remains of all.
fn terms(statuses: StatusSet) -> (Vec<&'static str>, StatusSet) {
    if statuses.contains(Status::Queued) {
        (vec!["submitted"], statuses.others())
    } else {
        (words(statuses), StatusSet::of([]))
    }
}

fn words(statuses: StatusSet) -> Vec<&'static str> {
    statuses.places().map(|(_, status)| status.as_str()).collect()
}

/// What the counters count of chunks whose content is not stored yet, and which are therefore
/// not shown.
async fn unrecorded(
    connection: &mut PgConnection,
    filter: &Filter,
    span: Span,
) -> Result<Vec<(i64, i64)>, ReportError> {
    if filter.statuses.is_all() {
        return Ok(vec![]); // they are not among those submitted
    }
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select chunk_id, counts from chunk_state s
         where account_id = $1 and not recorded and chunk_id >= $2 and chunk_id < $3
           and ($4::text is null or lane = $4)
           and not exists (select from chunk_content c where c.chunk_id = s.chunk_id)
         limit $5",
    )
    .bind(filter.account)
    .bind(span.from)
    .bind(span.to)
    .bind(filter.lane.map(Lane::as_str))
    .bind(UNRECORDED_MAX)
    .fetch_all(connection)
    .await?;
    if rows.len() as i64 == UNRECORDED_MAX {
        return Err(ReportError::CatchingUp);
    }
    let (_, minus) = terms(filter.statuses);
    let of = |(chunk, counts): (i64, Vec<u8>)| {
        let counts = StatusCounts::from_bytes(&counts)
            .map_err(|error| ReportError::Corrupt { chunk, why: error.to_string() })?;
        let sum = |set: StatusSet| -> i64 {
            set.places().map(|(_, status)| i64::from(counts.of_status(status))).sum()
        };
        let queued = filter.statuses.contains(Status::Queued);
        Ok((chunk, if queued { -sum(minus) } else { sum(filter.statuses) }))
    };
    rows.into_iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The three cover all of it, once, and the middle is whole hours.
        #[test]
        fn a_span_is_cut_at_hours(from in 0..100_i64 << 44, length in 0..30_i64 << 44) {
            let whole = Span { from, to: from + length };
            let (newest, hours, oldest) = cut(whole);
            prop_assert_eq!((oldest.from, newest.to), (whole.from, whole.to));
            match hours {
                Some((first, end)) => {
                    prop_assert!(first < end);
                    prop_assert_eq!((oldest.to, newest.from), (start_of(first), start_of(end)));
                }
                None => prop_assert_eq!((oldest.to, newest.from), (whole.from, whole.from)),
            }
            prop_assert!(oldest.from <= oldest.to && newest.from <= newest.to);
        }
    }
}
