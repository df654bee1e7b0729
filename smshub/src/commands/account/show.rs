//! Showing an account.

use anyhow::Context;
use chrono::{DateTime, Utc};
use ledger::admin::account::{self, Customer};
use ledger::admin::{change, subject_of_account};
use platform::postgres::Pool;
use std::io::Write;

/// Changes that are shown.
const CHANGES: u32 = 10;

pub(super) async fn show(pool: &Pool, id: i64) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let account = account::read(&mut connection, id).await?.with_context(|| format!("no account {id}"))?;
    let keys = ingest::keys::in_use(&mut connection, id).await?;
    let in_flight = ingest::admin::in_flight(&mut connection, id).await?;
    let changes = change::list(&mut connection, Some(&subject_of_account(id)), None, CHANGES).await?;

    let mut out = std::io::stdout().lock();
    writeln!(out, "id         {}", account.id)?;
    writeln!(out, "name       {}", account.terms.name)?;
    writeln!(out, "lines      {}", account.terms.lines.join(", "))?;
    writeln!(out, "balance    {}", account.balance)?;
    writeln!(out, "held       {}", account.held)?;
    writeln!(out, "in flight  {in_flight} messages")?;
    writeln!(out, "limits     {}", limits(&account))?;
    let state = account.suspended_at.map_or_else(
        || "active".to_owned(),
        |since| format!("SUSPENDED since {}: it may read, and not send", day(since)),
    );
    writeln!(out, "state      {state}")?;
    writeln!(out, "keys       {keys} in use")?;
    writeln!(out, "made       {}", day(account.created_at))?;
    if !changes.is_empty() {
        writeln!(out, "changes, the last first:")?;
    }
    for change in changes {
        let value = |value: Option<serde_json::Value>| value.map_or("-".into(), |value| value.to_string());
        let (before, after) = (value(change.before), value(change.after));
        writeln!(out, "  {}  {}  {}  {before} -> {after}", day(change.at), change.who, change.what)?;
    }
    Ok(())
}

/// The limits in words.
pub(super) fn limits(account: &Customer) -> String {
    let words = |limit: Option<i32>| limit.map_or("as the settings say".into(), |limit| limit.to_string());
    let (standard, express) = (words(account.terms.rate_limit), words(account.terms.express_rate_limit));
    format!("segments a minute: standard {standard}, express {express}")
}

pub(super) fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
