//! Setting prices: first what it would mean, then, if it is meant, the new version.

use crate::commands::confirm::Meant;
use crate::person::who;
use anyhow::Context;
use chrono::{DateTime, Utc};
use domain::money::Money;
use domain::tariff::Row;
use ingest::admin::{DAYS, Effect, effect};
use ledger::admin::tariff::{self, NewVersion};
use platform::postgres::Pool;
use std::io::Write;

pub(super) async fn set(
    pool: &Pool,
    rows: Vec<Row>,
    effective_at: Option<DateTime<Utc>>,
    meant: &Meant,
) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let effect = effect(&mut connection, &rows, effective_at).await?;
    // Nothing is held while somebody thinks.
    drop(connection);
    show(&effect)?;
    let since = effective_at.map_or("from now on".into(), |at| format!("from {} on", super::show::day(at)));
    if !meant.go(&format!("Make these the prices {since}?"))? {
        return Ok(());
    }
    let new = NewVersion { rows, effective_at, newest: Some(effect.newest) };
    let mut transaction = pool.begin().await?;
    let made = tariff::set(&mut transaction, &who(), &new).await?;
    transaction.commit().await.context("perhaps made, perhaps not: see `smshub tariff show`")?;
    writeln!(std::io::stdout(), "version {} holds {since}", made.version)?;
    Ok(())
}

fn show(effect: &Effect) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "a segment, by version {} and by the new one:", effect.replaces)?;
    writeln!(out, "{:<9} {:<15} {:<8} {:>13} {:>13}", "lane", "prefix", "encoding", "old", "new")?;
    for price in &effect.prices {
        let prefix = price.prefix.to_string();
        let prefix = if prefix.is_empty() { "any" } else { &prefix };
        let encoding = price.encoding.map_or("any", |encoding| encoding.as_str());
        let (lane, old, new) = (price.lane.as_str(), price.old, price.new);
        let change = change(old, new);
        writeln!(out, "{lane:<9} {prefix:<15} {encoding:<8} {:>13} {:>13}{change}", old.get(), new.get())?;
    }
    writeln!(out, "the messages of the last {DAYS} days would have cost:")?;
    writeln!(out, "{:<9} {:>12} {:>17} {:>17}", "lane", "messages", "old", "new")?;
    for lane in &effect.traffic {
        let (name, messages) = (lane.lane.as_str(), lane.messages);
        let (Some(old), Some(new)) = (lane.old, lane.new) else {
            writeln!(out, "{name:<9} {messages:>12}  (none of them can be read any more)")?;
            continue;
        };
        let change = change(old, new);
        let estimate = if lane.looked_at < messages {
            format!("  (an estimate from {} of them)", lane.looked_at)
        } else {
            String::new()
        };
        writeln!(out, "{name:<9} {messages:>12} {:>17} {:>17}{change}{estimate}", old.get(), new.get())?;
    }
    Ok(())
}

/// How much more or less, where it is not the same.
fn change(old: Money, new: Money) -> String {
    let (old, new) = (i128::from(old.get()), i128::from(new.get()));
    if old == new {
        return String::new();
    }
    if old == 0 {
        return "  (was free)".into();
    }
    let tenths = (new - old) * 1_000 / old;
    let sign = if new < old { '-' } else { '+' };
    let tenths = tenths.unsigned_abs();
    format!("  {sign}{}.{} %", tenths / 10, tenths % 10)
}
