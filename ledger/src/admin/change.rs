//! The table `change`: who changed what, when, from what to what. Rows are only added.

use super::Who;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;

/// What was done, to what, and how that stood before and stands after. Never a secret.
#[derive(Clone, Debug, PartialEq)]
pub struct NewChange {
    /// Such as `account.suspend`.
    pub what: &'static str,
    /// Such as `account 7`.
    pub subject: String,
    /// Nothing where it did not exist.
    pub before: Option<Value>,
    /// Nothing where it does not exist any more.
    pub after: Option<Value>,
}

/// A row of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its number; later changes have higher ones.
    pub id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// `key <id>` or `cli <user>@<host>`.
    pub who: String,
    /// Such as `account.suspend`.
    pub what: String,
    /// Such as `account 7`.
    pub subject: String,
    /// How it stood before.
    pub before: Option<Value>,
    /// How it stands after.
    pub after: Option<Value>,
}

/// Adds a row.
pub async fn note(connection: &mut PgConnection, who: &Who, change: NewChange) -> Result<(), sqlx::Error> {
    let text = |value: Option<Value>| value.map(|value| value.to_string());
    sqlx::query(
        "insert into change (who, what, subject, before, after)
         values ($1, $2, $3, $4::text::jsonb, $5::text::jsonb)",
    )
    .bind(who.to_string())
    .bind(change.what)
    .bind(change.subject)
    .bind(text(change.before))
    .bind(text(change.after))
    .execute(connection)
    .await?;
    Ok(())
}

type Row = (i64, DateTime<Utc>, String, String, String, Option<String>, Option<String>);

/// The newest changes below an id, at most so many; of one subject, where it is named.
pub async fn list(
    connection: &mut PgConnection,
    subject: Option<&str>,
    below: Option<i64>,
    limit: u32,
) -> Result<Vec<Change>, sqlx::Error> {
    // Two statements: each has its own index to go by.
    let of_one = "select id, at, who, what, subject, before::text, after::text from change
                  where subject = $1 and id < $2 order by id desc limit $3";
    let of_all = "select id, at, who, what, subject, before::text, after::text from change
                  where $1::text is null and id < $2 order by id desc limit $3";
    let rows: Vec<Row> = sqlx::query_as(if subject.is_some() { of_one } else { of_all })
        .bind(subject)
        .bind(below.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(connection)
        .await?;
    // Postgres wrote it: it is JSON.
    let value = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let change = |(id, at, who, what, subject, before, after): Row| Change {
        id,
        at,
        who,
        what,
        subject,
        before: value(before),
        after: value(after),
    };
    Ok(rows.into_iter().map(change).collect())
}
