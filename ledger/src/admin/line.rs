//! The table `line`: what is known of sender lines.

use super::Who;
use super::change::{NewChange, note};
use serde_json::json;
use sqlx::PgConnection;

/// A sender line.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Line {
    /// The line.
    pub line: String,
    /// Whether what goes over it is only sent in the hours in which advertising is allowed.
    pub advertising: bool,
    /// For people.
    pub note: String,
    /// How many accounts may use it.
    pub accounts: i64,
    /// The first of them, at most [`NAMED_MAX`].
    pub first_accounts: Vec<i64>,
}

/// Accounts of a line that are named at most.
pub const NAMED_MAX: usize = 20;

/// The lines behind one, in the order of their names.
pub async fn list(
    connection: &mut PgConnection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Line>, sqlx::Error> {
    read_some(connection, "", after.unwrap_or_default(), limit).await
}

/// One line, where anything is known of it.
pub async fn read(connection: &mut PgConnection, line: &str) -> Result<Option<Line>, sqlx::Error> {
    Ok(read_some(connection, line, "", 1).await?.pop())
}

async fn read_some(
    connection: &mut PgConnection,
    only: &str,
    after: &str,
    limit: u32,
) -> Result<Vec<Line>, sqlx::Error> {
    // By the bytes of the names, whatever the database's language: pages must not overlap.
    sqlx::query_as(
        r#"select l.line, l.advertising, l.note, count(a.id) as accounts,
                  coalesce((array_agg(a.id order by a.id) filter (where a.id is not null))[:$4], '{}') as first_accounts
           from (select * from line
                 where ($1 = '' or line = $1) and line > $2 collate "C" order by line collate "C" limit $3) as l
           left join account a on a.lines @> array[l.line]
           group by l.line, l.advertising, l.note order by l.line collate "C""#,
    )
    .bind(only)
    .bind(after)
    .bind(i64::from(limit))
    .bind(i32::try_from(NAMED_MAX).unwrap_or(i32::MAX))
    .fetch_all(connection)
    .await
}

/// Makes lines known, as ordinary ones, that are not yet.
pub(crate) async fn known(connection: &mut PgConnection, lines: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query("insert into line (line) select distinct n from unnest($1::text[]) as n order by n on conflict do nothing")
        .bind(lines)
        .execute(connection)
        .await?;
    Ok(())
}

/// Says what a line is; what is not given stays as it was. A line that was not known is made.
pub async fn set(
    connection: &mut PgConnection,
    who: &Who,
    line: &str,
    advertising: Option<bool>,
    text: Option<&str>,
) -> Result<Line, sqlx::Error> {
    known(&mut *connection, &[line.to_owned()]).await?;
    let (was_advertising, was_text): (bool, String) =
        sqlx::query_as("select advertising, note from line where line = $1 for update")
            .bind(line)
            .fetch_one(&mut *connection)
            .await?;
    let advertising = advertising.unwrap_or(was_advertising);
    let text = text.unwrap_or(&was_text);
    if (advertising, text) != (was_advertising, was_text.as_str()) {
        sqlx::query("update line set advertising = $2, note = $3 where line = $1")
            .bind(line)
            .bind(advertising)
            .bind(text)
            .execute(&mut *connection)
            .await?;
        let change = NewChange {
            what: "line.set",
            subject: format!("line {line}"),
            before: Some(json!({ "advertising": was_advertising, "note": was_text })),
            after: Some(json!({ "advertising": advertising, "note": text })),
        };
        note(&mut *connection, who, change).await?;
    }
    read(connection, line).await?.ok_or(sqlx::Error::RowNotFound)
}
