//! The tables that say what may be sent, as the sender reads them. Of `opt_out_change` it also
//! deletes what is too old to matter.

use super::known::Change;
use crate::desk::Leaving;
use sqlx::PgConnection;
use std::collections::HashSet;

/// No message lives longer than 72 hours: a campaign that was cancelled, and a recipient that
/// opted out, before so many hours has none under way. The door refuses new ones.
const MATTERS_HOURS: i32 = 74;
/// Old changes deleted at once at most.
const DELETED_MAX: i64 = 10_000;

/// Where reading goes on: behind the change with this transaction and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) changed_by: String,
    pub(super) id: i64,
}

impl Place {
    /// Before all changes.
    pub(super) fn first() -> Self {
        Place::before("0".into())
    }

    /// Before all changes of this transaction.
    pub(super) fn before(changed_by: String) -> Self {
        Place { changed_by, id: 0 }
    }
}

/// The first transaction that may still be running: what all before it changed can be read.
pub(super) async fn first_running(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text").fetch_one(connection).await
}

#[derive(sqlx::FromRow)]
struct Read {
    changed_by: String,
    #[sqlx(flatten)]
    change: Change,
}

/// Changes behind `place`, at most `most`, and the place behind the last of them.
pub(super) async fn changes(
    connection: &mut PgConnection,
    place: Place,
    most: usize,
) -> Result<(Vec<Change>, Place), sqlx::Error> {
    let rows: Vec<Read> = sqlx::query_as(
        "select changed_by::text as changed_by, id, account_id, number, line, removed
         from opt_out_change where (changed_by, id) > ($1::text::xid8, $2)
         order by opt_out_change.changed_by, id limit $3",
    )
    .bind(&place.changed_by)
    .bind(place.id)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    let last = rows.last().map(|last| Place { changed_by: last.changed_by.clone(), id: last.change.id });
    Ok((rows.into_iter().map(|read| read.change).collect(), last.unwrap_or(place)))
}

/// Whether there are at most so many changes.
pub(super) async fn are_at_most(connection: &mut PgConnection, most: usize) -> Result<bool, sqlx::Error> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let count = "select count(*) from (select from opt_out_change limit $1) as counted";
    let counted: i64 = sqlx::query_scalar(count).bind(most.saturating_add(1)).fetch_one(connection).await?;
    Ok(counted <= most)
}

/// Deletes changes that do not matter any more. Returns the oldest that is left, and whether there
/// are more to delete.
pub(super) async fn delete_old(connection: &mut PgConnection) -> Result<(Option<i64>, bool), sqlx::Error> {
    let deleted = sqlx::query(
        "delete from opt_out_change where id in
             (select id from opt_out_change where at < clock_timestamp() - $1 * interval '1 hour'
              order by at limit $2 for update skip locked)",
    )
    .bind(MATTERS_HOURS)
    .bind(DELETED_MAX)
    .execute(&mut *connection)
    .await?;
    let oldest = sqlx::query_scalar("select min(id) from opt_out_change").fetch_one(connection).await?;
    Ok((oldest, i64::try_from(deleted.rows_affected()).is_ok_and(|deleted| deleted >= DELETED_MAX)))
}

/// The campaigns that were cancelled of late, at most `most`.
pub(super) async fn canceled(
    connection: &mut PgConnection,
    most: usize,
) -> Result<HashSet<i64>, sqlx::Error> {
    let ids: Vec<i64> = sqlx::query_scalar(
        "select id from campaign where canceled_at > clock_timestamp() - $1 * interval '1 hour'
         order by canceled_at desc limit $2",
    )
    .bind(MATTERS_HOURS)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await?;
    Ok(ids.into_iter().collect())
}

/// The lines of which messages are advertising.
pub(super) async fn advertising(connection: &mut PgConnection) -> Result<HashSet<String>, sqlx::Error> {
    let lines: Vec<String> =
        sqlx::query_scalar("select line from line where advertising").fetch_all(connection).await?;
    Ok(lines.into_iter().collect())
}

/// A recipient that opted out.
#[derive(sqlx::FromRow)]
pub(super) struct OptedOut {
    #[sqlx(rename = "account_id")]
    pub(super) account: i64,
    #[sqlx(try_from = "i64")]
    pub(super) number: u64,
    pub(super) line: String,
}

/// What is cancelled of the campaigns of these messages, and which of their recipients opted
/// out, of whatever line.
pub(super) async fn ask(
    connection: &mut PgConnection,
    messages: &[Leaving],
) -> Result<(HashSet<i64>, Vec<OptedOut>), sqlx::Error> {
    let campaigns: Vec<i64> = messages.iter().map(|message| message.chunk.campaign).collect();
    let canceled: Vec<i64> =
        sqlx::query_scalar("select id from campaign where id = any($1) and canceled_at is not null")
            .bind(campaigns)
            .fetch_all(&mut *connection)
            .await?;
    let accounts: Vec<i64> = messages.iter().map(|message| message.chunk.account).collect();
    let number = |message: &Leaving| {
        let recipient = message.chunk.recipients.get(usize::from(message.position));
        recipient.and_then(|recipient| i64::try_from(recipient.get()).ok()).unwrap_or(0)
    };
    let opted_out = sqlx::query_as(
        "select account_id, number, line from opt_out
         where (account_id, number) in (select * from unnest($1::bigint[], $2::bigint[]))",
    )
    .bind(accounts)
    .bind(messages.iter().map(number).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok((canceled.into_iter().collect(), opted_out))
}
