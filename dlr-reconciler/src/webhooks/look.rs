//! Which endpoints have something to be told now.

use crate::holding;
use domain::time::UnixMillis;
use sqlx::PgConnection;
use sqlx::types::Uuid;

/// What to look for.
pub(super) struct Look<'a> {
    pub(super) process: Uuid,
    pub(super) now: UnixMillis,
    /// Endpoints that are called now.
    pub(super) busy: &'a [i64],
    /// The page begins behind this one.
    pub(super) after: i64,
    /// Endpoints looked at.
    pub(super) page: i64,
    /// A call that took so long is a slow one, in milliseconds.
    pub(super) slow_ms: i64,
}

/// An endpoint that has something to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) endpoint: i64,
    /// Its last call failed, or took long.
    pub(super) slow: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    slow: bool,
    waits: bool,
}

/// Of the next page of endpoints of the partitions that `process` holds, those that may be called
/// and have something to be told; and where to go on, nothing at the end.
pub(super) async fn page(
    connection: &mut PgConnection,
    look: &Look<'_>,
) -> Result<(Vec<Waiting>, Option<i64>), sqlx::Error> {
    let partitions = holding::all(connection, look.process).await?;
    // Not `exists`: with much waiting the planner would read all of it, and hash it, for each page.
    let rows: Vec<Row> = sqlx::query_as(
        "select e.id, e.failures > 0 or e.last_ms >= $6 as slow,
                e.disabled_at is null and e.deleted_at is null and e.id <> all($4)
                and e.not_before <= to_timestamp($5 / 1000.0)
                and ((select v.id from webhook_event v where v.endpoint_id = e.id
                      order by v.id limit 1) is not null
                     or (select d.due from webhook_delivery d where d.endpoint_id = e.id and d.due is not null
                         order by d.due limit 1) <= to_timestamp($5 / 1000.0)) is true as waits
         from webhook_endpoint e where e.partition = any($1) and e.id > $2 order by e.id limit $3",
    )
    .bind(partitions)
    .bind(look.after)
    .bind(look.page)
    .bind(look.busy)
    .bind(look.now.0)
    .bind(look.slow_ms)
    .fetch_all(connection)
    .await?;
    let full = i64::try_from(rows.len()).unwrap_or(i64::MAX) == look.page;
    let next = rows.last().filter(|_| full).map(|row| row.id);
    let waiting = rows.into_iter().filter(|row| row.waits);
    Ok((waiting.map(|row| Waiting { endpoint: row.id, slow: row.slow }).collect(), next))
}
