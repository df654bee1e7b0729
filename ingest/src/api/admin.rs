//! The API of administrators: accounts, keys, the tariff, sender lines, and what was changed.
//!
//! Every change goes by the same functions as the commands' ([`ledger::admin`], [`crate::keys`]),
//! in one transaction with the row that tells of it.

pub(super) mod accounts;
pub(super) mod changes;
mod failure;
pub(super) mod keys;
pub(super) mod lines;
mod parameters;
mod preview;
pub(super) mod tariffs;

pub(super) use failure::Failure;

use axum::extract::Request;
use chrono::{DateTime, SecondsFormat, Utc};
use ledger::admin::Who;
use platform::http::problem::{Code, Problem};
use platform::postgres::Pool;
use sqlx::{Connection, PgConnection};

use super::auth::Caller;
use super::bodies::read_json;
use super::format::number;
use crate::app::App;
use crate::keys::Scope;

/// Who the rows of `change` say it was; 403 where the key is no administrator's.
fn administrator(caller: &Caller) -> Result<Who, Problem> {
    caller.require(Scope::Admin)?;
    Ok(Who::key(caller.0.key))
}

/// The body of a call.
pub(super) async fn body(app: &App, request: Request) -> Result<bytes::Bytes, Problem> {
    read_json(request, app.rules.limits.admin_body_bytes, &app.http).await
}

/// Makes a change in a transaction of its own.
pub(super) async fn change<T>(
    app: &App,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Problem> {
    let changed = app.pools.common().within(async |connection| {
        let mut transaction = connection.begin().await?;
        let done = work(&mut transaction).await?;
        transaction.commit().await?;
        Ok(done)
    });
    changed.await.map_err(|failure: Failure| failure.into_problem(OF_CHANGES))
}

/// Reads something.
async fn read<T>(
    app: &App,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Problem> {
    read_by(app.pools.common(), work).await
}

/// The same, by other connections than those of all requests.
async fn read_by<T>(
    pool: &Pool,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Problem> {
    let found = pool.within(work).await;
    found.map_err(|failure: Failure| failure.into_problem(OF_READING))
}

/// What is said where Postgres cannot be asked.
const OF_CHANGES: &str = "the outcome is unknown: look before you repeat it";
const OF_READING: &str = "this cannot be read now";

/// An account's id in a path. What cannot be one is nobody's.
pub(super) fn account_of(path: &str) -> Result<i64, Problem> {
    number(path).filter(|id| *id > 0).ok_or_else(|| Problem::new(Code::NotFound))
}

/// A key's id in a path.
fn key_of(path: &str) -> Result<uuid::Uuid, Problem> {
    path.parse().map_err(|_| Problem::new(Code::NotFound))
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// One more than asked for was read: whether there is a next page, and what it is behind.
fn next<T>(rows: &mut Vec<T>, limit: u32, cursor: impl Fn(&T) -> String) -> Option<String> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().filter(|_| more).map(cursor)
}
