//! Chunks of an account by id, newest first, and how many of their messages fit: from the
//! counts beside their states, open and in history alike.

use domain::lane::Lane;
use domain::status::Status;
use sqlx::{AssertSqlSafe, PgConnection};

use super::filter::{Filter, StatusSet};

/// With the parameters of [`bound`].
const MATCHES: &str = "c.account_id = $1 and c.chunk_id >= $2 and c.chunk_id < $3
    and ($4::text is null or c.lane = $4) and ($5::bigint is null or c.campaign_id = $5)";

/// Binds the parameters of [`MATCHES`].
macro_rules! bound {
    ($query:expr, $filter:expr, $span:expr) => {
        $query
            .bind($filter.account)
            .bind($span.from)
            .bind($span.to)
            .bind($filter.lane.map(Lane::as_str))
            .bind($filter.campaign)
    };
}
/// Chunks with ids from `from` to below `to`. Where `to` is a message's id, its own chunk is in
/// the span as long as messages of it come before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

/// A chunk, and how many of its messages fit.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub(super) struct Fitting {
    pub(super) chunk_id: i64,
    pub(super) messages: i64,
    /// Messages of newer chunks of the span that fit.
    pub(super) before: i64,
}

/// The newest chunks with messages that fit, by status, lane and campaign, and how many each has.
pub(super) async fn newest(
    connection: &mut PgConnection,
    filter: &Filter,
    span: Span,
    most: usize,
) -> Result<Vec<(i64, usize)>, sqlx::Error> {
    let Tables { open, history, n_open, n_history } = Tables::of(filter.statuses);
    // Each side alone reads no more than is wanted.
    let statement = format!(
        "select chunk_id, n from (
            (select c.chunk_id, {n_open} as n from {open} where {MATCHES} and {n_open} > 0
             order by c.chunk_id desc limit $6)
            union all
            (select c.chunk_id, {n_history} as n from {history} where {MATCHES} and {n_history} > 0
             order by c.chunk_id desc limit $6)
         ) u order by chunk_id desc"
    );
    let rows: Vec<(i64, i32)> = bound!(sqlx::query_as(AssertSqlSafe(statement)), filter, span)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await?;
    let of = |(chunk, messages): (i64, i32)| (chunk, usize::try_from(messages).unwrap_or(0));
    let mut chunks: Vec<(i64, usize)> = rows.into_iter().map(of).collect();
    // One that is in both is shown once; what is in history is final and the same in both.
    chunks.dedup_by_key(|(chunk, _)| *chunk);
    chunks.truncate(most);
    Ok(chunks)
}

/// How many messages of the span fit.
pub(super) async fn count(
    connection: &mut PgConnection,
    filter: &Filter,
    span: Span,
) -> Result<i64, sqlx::Error> {
    if span.from >= span.to {
        return Ok(0);
    }
    let each = each(filter.statuses);
    let statement = format!("select coalesce(sum(n), 0)::bigint from ({each}) u");
    let (count,) =
        bound!(sqlx::query_as(AssertSqlSafe(statement)), filter, span).fetch_one(connection).await?;
    Ok(count)
}

/// The chunks, newest first, from the one on in which the message at place `skip` stands among
/// those that fit.
pub(super) async fn behind(
    connection: &mut PgConnection,
    filter: &Filter,
    span: Span,
    skip: i64,
    most: usize,
) -> Result<Vec<Fitting>, sqlx::Error> {
    let each = each(filter.statuses);
    let statement = format!(
        "select chunk_id, n::bigint as messages, before from (
            select chunk_id, n,
                   sum(n) over (order by chunk_id desc rows unbounded preceding) - n as before
            from ({each}) u
         ) w where before + n > $6 order by chunk_id desc limit $7"
    );
    bound!(sqlx::query_as(AssertSqlSafe(statement)), filter, span)
        .bind(skip)
        .bind(i64::try_from(most).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
}

/// Every chunk with messages that fit, once, and how many.
fn each(statuses: StatusSet) -> String {
    let Tables { open, history, n_open, n_history } = Tables::of(statuses);
    format!(
        "select c.chunk_id, {n_open} as n from {open} where {MATCHES} and {n_open} > 0
         union all
         select c.chunk_id, {n_history} as n from {history} where {MATCHES} and {n_history} > 0
            and not exists (select from chunk_content o where o.chunk_id = c.chunk_id)"
    )
}

/// What is read, as SQL: made of names of ours and numbers.
struct Tables {
    open: &'static str,
    history: &'static str,
    n_open: String,
    n_history: String,
}

impl Tables {
    fn of(statuses: StatusSet) -> Self {
        let history = "history_chunk c";
        if statuses.is_all() {
            let messages = || "c.messages::integer".to_owned();
            return Tables { open: "chunk_content c", history, n_open: messages(), n_history: messages() };
        }
        let sum = |of: &str| {
            let counts = statuses.places().map(|(place, _)| format!("status_count({of}.counts, {place})"));
            counts.collect::<Vec<_>>().join(" + ")
        };
        // What has no state is queued.
        let stateless = if statuses.contains(Status::Queued) { "c.messages::integer" } else { "0" };
        Tables {
            open: "chunk_content c left join chunk_state s on s.chunk_id = c.chunk_id",
            history,
            n_open: format!("case when s.chunk_id is null then {stateless} else {} end", sum("s")),
            n_history: format!("({})", sum("c")),
        }
    }
}
