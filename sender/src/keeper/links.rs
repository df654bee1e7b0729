//! Links to operators, for people: how they stand in each process, and resuming one.

use sqlx::PgConnection;
use sqlx::types::chrono::{DateTime, Utc};

/// A link, as one process has it; or as the table knows it, where no process has it now.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Link {
    /// Its name.
    pub connector: String,
    /// The operator's code for which it is stopped, and since when.
    pub stopped_code: Option<i16>,
    /// Since when.
    pub stopped_at: Option<DateTime<Utc>>,
    /// The process.
    pub process: Option<uuid::Uuid>,
    /// Whether it takes messages: `closed` (it does), `open` or `half_open`.
    pub breaker: Option<String>,
    /// Whether it answers what became of messages of unknown outcome, in the same words.
    pub look_ups: Option<String>,
    /// Whether it answers with receipts.
    pub polls: Option<String>,
    /// The process's part of the rate, in messages a second; nothing: as many as it takes.
    pub granted: Option<f64>,
    /// Slowed down by the operator's "too much" to so many messages a second.
    pub slowed_to: Option<f64>,
    /// Messages that are ready to be sent.
    pub backlog: Option<i64>,
}

/// All links.
///
/// # Errors
/// When the database cannot be asked.
pub async fn links(connection: &mut PgConnection) -> Result<Vec<Link>, sqlx::Error> {
    sqlx::query_as(
        "select c.name as connector, c.stopped_code, c.stopped_at, p.process, p.breaker, p.look_ups, p.polls,
                p.granted, p.slowed_to, p.backlog
         from connector c
         left join connector_process p on p.connector = c.name and p.lapses_at > clock_timestamp()
         order by c.name, p.process",
    )
    .fetch_all(connection)
    .await
}

/// Lets a stopped link be used again. Nothing: there is no such link; false: it was not stopped.
///
/// # Errors
/// When the database cannot be asked.
pub async fn resume(connection: &mut PgConnection, name: &str) -> Result<Option<bool>, sqlx::Error> {
    let before: Option<(Option<i16>,)> =
        sqlx::query_as("select stopped_code from connector where name = $1 for update")
            .bind(name)
            .fetch_optional(&mut *connection)
            .await?;
    let Some((stopped,)) = before else { return Ok(None) };
    sqlx::query("update connector set stopped_code = null, stopped_at = null where name = $1")
        .bind(name)
        .execute(connection)
        .await?;
    Ok(Some(stopped.is_some()))
}
