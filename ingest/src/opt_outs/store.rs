//! The tables `opt_out`, and `opt_out_change`, by which senders hear of what changed.

use chrono::{DateTime, Utc};
use domain::phone::Msisdn;
use sqlx::PgConnection;
use std::collections::HashSet;

/// A recipient that opted out.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct OptOut {
    /// The place of the entry in the list: the newer, the higher.
    pub id: i64,
    /// E.164 digits.
    pub number: i64,
    /// The sender line; empty: of all lines of the account.
    pub line: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// One that is added or removed: number and line, empty for all lines.
pub type Change = (Msisdn, String);

/// Adds what is not there yet, and returns how many that were. What is committed is heard of by
/// senders within a second.
///
/// # Errors
/// Postgres, also where there is no such account.
pub async fn add(connection: &mut PgConnection, account: i64, rows: &[Change]) -> Result<u64, sqlx::Error> {
    let (numbers, lines) = columns(rows);
    // In one order, so that two imports do not wait for each other in a circle. The change gets
    // its id when its row is locked: of two changes of one row the later has the higher.
    let added: i64 = sqlx::query_scalar(
        "with added as (
             insert into opt_out (account_id, number, line)
             select distinct $1, number, line from unnest($2::bigint[], $3::text[]) as n (number, line)
             order by number, line
             on conflict do nothing returning number, line
         ), noted as (
             insert into opt_out_change (account_id, number, line, removed)
             select $1, number, line, false from added
         )
         select count(*) from added",
    )
    .bind(account)
    .bind(numbers)
    .bind(lines)
    .fetch_one(connection)
    .await?;
    Ok(added.unsigned_abs())
}

/// Removes what is there, and returns how many that were.
///
/// # Errors
/// Postgres.
pub async fn remove(
    connection: &mut PgConnection,
    account: i64,
    rows: &[Change],
) -> Result<u64, sqlx::Error> {
    let (numbers, lines) = columns(rows);
    let removed: i64 = sqlx::query_scalar(
        "with removed as (
             delete from opt_out o using unnest($2::bigint[], $3::text[]) as n (number, line)
             where o.account_id = $1 and o.number = n.number and o.line = n.line
             returning o.number, o.line
         ), noted as (
             insert into opt_out_change (account_id, number, line, removed)
             select $1, number, line, true from removed
         )
         select count(*) from removed",
    )
    .bind(account)
    .bind(numbers)
    .bind(lines)
    .fetch_one(connection)
    .await?;
    Ok(removed.unsigned_abs())
}

/// An account's opt-outs, the newest first, at most `most`: those before an entry in the list, and
/// those of one number.
///
/// # Errors
/// Postgres.
pub async fn list(
    connection: &mut PgConnection,
    account: i64,
    number: Option<Msisdn>,
    before: Option<i64>,
    most: usize,
) -> Result<Vec<OptOut>, sqlx::Error> {
    sqlx::query_as(
        "select id, number, line, created_at from opt_out
         where account_id = $1 and ($2::bigint is null or number = $2) and ($3::bigint is null or id < $3)
         order by id desc limit $4",
    )
    .bind(account)
    .bind(number.map(stored))
    .bind(before)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_all(connection)
    .await
}

/// Those of these recipients that opted out of this line or of all, and whether the account has
/// any opt-out.
pub(super) async fn blocked(
    connection: &mut PgConnection,
    account: i64,
    line: &str,
    recipients: &[Msisdn],
) -> Result<(HashSet<Msisdn>, bool), sqlx::Error> {
    let numbers: Vec<i64> = recipients.iter().copied().map(stored).collect();
    let (any, found): (bool, Vec<i64>) = sqlx::query_as(
        "select exists (select from opt_out where account_id = $1),
                array(select number from opt_out
                      where account_id = $1 and number = any($2) and line in ('', $3))",
    )
    .bind(account)
    .bind(numbers)
    .bind(line)
    .fetch_one(connection)
    .await?;
    let number = |number: i64| Msisdn::from_canonical(number.unsigned_abs()).ok();
    Ok((found.into_iter().filter_map(number).collect(), any))
}

fn columns(rows: &[Change]) -> (Vec<i64>, Vec<&str>) {
    rows.iter().map(|(number, line)| (stored(*number), line.as_str())).unzip()
}

/// At most 15 digits: it always fits.
fn stored(number: Msisdn) -> i64 {
    number.get().cast_signed()
}
