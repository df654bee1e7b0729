//! What must not grow: what waits for an endpoint, what is left of endpoints that are told
//! nothing any more, and logs. Each statement looks up the rows of one endpoint after the other in
//! an index, whatever the planner thinks: these tables may hold millions of rows, and their
//! statistics are old as soon as they are made. None of it needs a fence: it is right whoever does it, and
//! however often.

use crate::holding;
use sqlx::PgConnection;
use sqlx::types::Uuid;

/// Rows taken away of one table at a time.
const ROWS_MAX: i64 = 5_000;
/// A deleted endpoint's own row goes so long after: transactions that still knew it are over.
const GONE_AFTER_S: f64 = 3_600.0;

/// The bounds.
pub(super) struct Bounds {
    /// Rows that may wait for an endpoint.
    pub(super) backlog_rows: i64,
    /// Finished deliveries that an endpoint's log holds.
    pub(super) log_rows: i64,
    /// Endpoints whose logs are looked at together.
    pub(super) page: i64,
}

/// How things stand.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tidied {
    /// Rows of events that wait.
    pub(crate) waiting: i64,
    /// The age of the oldest, in seconds.
    pub(crate) oldest_s: f64,
    /// Endpoints that are disabled.
    pub(crate) disabled: i64,
    /// Those disabled now, because too much waited for them.
    pub(crate) overflowed: Vec<i64>,
    /// Events that will not be told.
    pub(crate) dropped: i64,
    /// Where the next page of logs begins.
    pub(crate) next: i64,
}

/// Looks after the endpoints of the partitions that `process` holds.
pub(super) async fn tidy(
    connection: &mut PgConnection,
    process: Uuid,
    bounds: &Bounds,
    after: i64,
) -> Result<Tidied, sqlx::Error> {
    let partitions = holding::all(connection, process).await?;
    let mut tidied = backlog(connection, &partitions, bounds).await?;
    tidied.dropped =
        drop_events(connection, &partitions).await? + drop_deliveries(connection, &partitions).await?;
    tidied.next = shorten_logs(connection, &partitions, bounds, after).await?;
    forget_deleted(connection, &partitions).await?;
    let disabled = "select count(*) from webhook_endpoint
                    where partition = any($1) and disabled_at is not null and deleted_at is null";
    (tidied.disabled,) = sqlx::query_as(disabled).bind(&partitions).fetch_one(connection).await?;
    Ok(tidied)
}

#[derive(sqlx::FromRow)]
struct Backlog {
    id: i64,
    rows: i64,
    oldest_s: Option<f64>,
}

/// Counts what waits, and disables those for whom too much does.
async fn backlog(
    connection: &mut PgConnection,
    partitions: &[i32],
    bounds: &Bounds,
) -> Result<Tidied, sqlx::Error> {
    let rows: Vec<Backlog> = sqlx::query_as(
        "select e.id, w.rows,
                extract(epoch from clock_timestamp()
                        - (select v.at from webhook_event v where v.endpoint_id = e.id
                           order by v.id limit 1))::double precision as oldest_s
         from webhook_endpoint e cross join lateral
              (select count(*) as rows from (select from webhook_event v where v.endpoint_id = e.id limit $2) c) w
         where e.partition = any($1) and e.disabled_at is null and e.deleted_at is null and w.rows > 0",
    )
    .bind(partitions)
    .bind(bounds.backlog_rows.saturating_add(1))
    .fetch_all(&mut *connection)
    .await?;
    let overflowed: Vec<i64> =
        rows.iter().filter(|row| row.rows > bounds.backlog_rows).map(|row| row.id).collect();
    if !overflowed.is_empty() {
        sqlx::query(
            "update webhook_endpoint set disabled_at = clock_timestamp(), disabled_reason = 'backlog'
             where id = any($1) and disabled_at is null",
        )
        .bind(&overflowed)
        .execute(connection)
        .await?;
    }
    Ok(Tidied {
        waiting: rows.iter().map(|row| row.rows).sum(),
        oldest_s: rows.iter().filter_map(|row| row.oldest_s).fold(0.0, f64::max),
        overflowed,
        ..Tidied::default()
    })
}

/// Takes away events of endpoints that are told nothing any more. Counted, and shown to the
/// customer with the endpoint.
async fn drop_events(connection: &mut PgConnection, partitions: &[i32]) -> Result<i64, sqlx::Error> {
    let (dropped,): (i64,) = sqlx::query_as(
        "with doomed as (
             select v.endpoint_id, v.id from webhook_endpoint e
             cross join lateral (select * from webhook_event o where o.endpoint_id = e.id
                                 order by o.id limit $2) v
             where e.partition = any($1) and (e.disabled_at is not null or e.deleted_at is not null)
             limit $2),
         gone as (
             delete from webhook_event v using doomed d
             where v.endpoint_id = d.endpoint_id and v.id = d.id returning v.endpoint_id, v.messages),
         counted as (select endpoint_id, sum(messages) as messages from gone group by 1),
         noted as (
             update webhook_endpoint e set dropped = e.dropped + c.messages
             from counted c where e.id = c.endpoint_id)
         select coalesce(sum(messages), 0)::bigint from counted",
    )
    .bind(partitions)
    .bind(ROWS_MAX)
    .fetch_one(connection)
    .await?;
    Ok(dropped)
}

/// The same for deliveries that are not over.
async fn drop_deliveries(connection: &mut PgConnection, partitions: &[i32]) -> Result<i64, sqlx::Error> {
    let (dropped,): (i64,) = sqlx::query_as(
        "with doomed as (
             select d.id from webhook_endpoint e
             cross join lateral (select w.id from webhook_delivery w
                                 where w.endpoint_id = e.id and w.due is not null order by w.due limit $2) d
             where e.partition = any($1) and (e.disabled_at is not null or e.deleted_at is not null)
             limit $2),
         gone as (
             update webhook_delivery w set due = null, events = null, outcome = 'dropped'
             from doomed d where w.id = d.id returning w.endpoint_id, w.messages),
         counted as (select endpoint_id, sum(messages) as messages from gone group by 1),
         noted as (
             update webhook_endpoint e set dropped = e.dropped + c.messages
             from counted c where e.id = c.endpoint_id)
         select coalesce(sum(messages), 0)::bigint from counted",
    )
    .bind(partitions)
    .bind(ROWS_MAX)
    .fetch_one(connection)
    .await?;
    Ok(dropped)
}

/// Keeps the newest of each log. Returns where the next page begins.
async fn shorten_logs(
    connection: &mut PgConnection,
    partitions: &[i32],
    bounds: &Bounds,
    after: i64,
) -> Result<i64, sqlx::Error> {
    let page: Vec<(i64,)> = sqlx::query_as(
        "select id from webhook_endpoint where partition = any($1) and id > $2 order by id limit $3",
    )
    .bind(partitions)
    .bind(after)
    .bind(bounds.page)
    .fetch_all(&mut *connection)
    .await?;
    let page: Vec<i64> = page.into_iter().map(|(id,)| id).collect();
    sqlx::query(
        "delete from webhook_delivery where id in (
             select d.id from webhook_endpoint e
             cross join lateral (select l.id from webhook_delivery l where l.endpoint_id = e.id and l.due is null
                                 order by l.id desc offset $2 limit 1) as last
             cross join lateral (select w.id from webhook_delivery w
                                 where w.endpoint_id = e.id and w.id <= last.id and w.due is null
                                 order by w.id limit $3) d
             where e.id = any($1) limit $3)",
    )
    .bind(&page)
    .bind(bounds.log_rows)
    .bind(ROWS_MAX)
    .execute(connection)
    .await?;
    let full = i64::try_from(page.len()).unwrap_or(i64::MAX) == bounds.page;
    Ok(page.last().copied().filter(|_| full).unwrap_or(0))
}

/// What is left of endpoints that were deleted.
async fn forget_deleted(connection: &mut PgConnection, partitions: &[i32]) -> Result<(), sqlx::Error> {
    sqlx::query(
        "delete from webhook_delivery where id in (
             select d.id from webhook_endpoint e
             cross join lateral (select w.id from webhook_delivery w where w.endpoint_id = e.id
                                 order by w.id limit $2) d
             where e.partition = any($1) and e.deleted_at is not null limit $2)",
    )
    .bind(partitions)
    .bind(ROWS_MAX)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "delete from webhook_endpoint e
         where e.partition = any($1) and e.deleted_at < clock_timestamp() - make_interval(secs => $2)
           and (select v.id from webhook_event v where v.endpoint_id = e.id order by v.id limit 1) is null
           and (select d.id from webhook_delivery d where d.endpoint_id = e.id order by d.id limit 1) is null",
    )
    .bind(partitions)
    .bind(GONE_AFTER_S)
    .execute(connection)
    .await?;
    Ok(())
}
