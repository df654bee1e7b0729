//! Showing prices.

use super::input::COLUMNS;
use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use domain::tariff::Tariff;
use ledger::admin::tariff::versions;
use platform::postgres::Pool;
use std::io::Write;

/// Versions shown at most.
const VERSIONS: u32 = 20;

pub(super) async fn show(pool: &Pool, version: Option<i32>, csv: bool) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let tariff = match version {
        Some(version) => ledger::tariff::version(&mut connection, version.unsigned_abs())
            .await?
            .with_context(|| format!("there is no version {version} of the tariff"))?,
        None => ledger::tariff::current(&mut connection).await?,
    };
    if csv {
        return as_csv(&tariff);
    }
    let versions = versions(&mut connection, None, VERSIONS).await?;
    if versions.is_empty() {
        bail!("there is no tariff");
    }
    let mut out = std::io::stdout().lock();
    for version in versions {
        let state = match version.state.as_str() {
            "in_force" => "HOLDS NOW",
            "scheduled" => "comes",
            _ => "past",
        };
        let since =
            version.effective_at.map_or("from the beginning on".into(), |at| format!("from {} on", day(at)));
        writeln!(out, "version {:<5} {state:<10} {since}", version.version)?;
    }
    writeln!(out, "prices of version {}, a segment:", tariff.version())?;
    for row in tariff.rows() {
        let prefix = row.prefix.to_string();
        let prefix = if prefix.is_empty() { "any" } else { &prefix };
        let encoding = row.encoding.map_or("any", |encoding| encoding.as_str());
        writeln!(out, "{:<9} {prefix:<15} {encoding:<8} {:>13}", row.lane.as_str(), row.price.get())?;
    }
    Ok(())
}

fn as_csv(tariff: &Tariff) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    writer.write_record(COLUMNS)?;
    for row in tariff.rows() {
        let encoding = row.encoding.map_or("", |encoding| encoding.as_str());
        let (prefix, price) = (row.prefix.to_string(), row.price.to_string());
        writer.write_record([row.lane.as_str(), encoding, &prefix, &price])?;
    }
    writer.flush()?;
    Ok(())
}

pub(super) fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
