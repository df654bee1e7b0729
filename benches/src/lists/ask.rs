//! Lists and reports, asked for at a calm rate, each kind with a stopwatch of its own.

use super::{CAMPAIGNS_A_DAY, LARGEST, NUMBERS, campaign, number};
use crate::client::Gateway;
use crate::latency::Latency;
use anyhow::Context;
use clap::Args;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::Instant;

/// What is asked.
#[derive(Debug, Args)]
pub struct AskFlags {
    /// The address of the public API
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// File with one API key a line, of accounts 1001, 1002, …; half of the questions are asked
    /// with the first
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// The heading of the report
    #[arg(long, default_value = "Lists")]
    title: String,
    /// Questions a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// Questions
    #[arg(long, default_value_t = 1_200)]
    questions: u32,
    /// Ask no more once this file is there
    #[arg(long, value_name = "FILE")]
    until: Option<PathBuf>,
    /// Days of which messages are stored
    #[arg(long, default_value_t = 31)]
    days: i64,
    /// The seed of everything that is random
    #[arg(long, default_value_t = 2)]
    seed: u64,
}

/// Of any list, as far as it matters here.
#[derive(Deserialize)]
struct List {
    #[serde(default)]
    data: Vec<serde_json::Value>,
    #[serde(default)]
    results: Vec<serde_json::Value>,
}

/// What is asked of an account, when messages of so many days are stored: path and query.
type Ask = fn(&mut StdRng, i64, i64) -> String;

/// A kind of question.
struct Kind {
    name: &'static str,
    path: Ask,
    took: Latency,
    /// Rows that were answered.
    rows: u64,
}

const KINDS: [(&str, Ask); 13] = [
    ("newest 50", |_, _, _| "/v1/messages".into()),
    ("newest 500", |_, _, _| "/v1/messages?limit=500".into()),
    ("a day, 50", |random, _, days| format!("/v1/messages?{}", day(random, days))),
    ("status failed (2 %), a day", |random, _, days| {
        format!("/v1/messages?status=failed&{}", day(random, days))
    }),
    ("status canceled (0.1 %), a month", |_, _, days| {
        format!("/v1/messages?status=canceled&{}", month(days))
    }),
    ("status queued (none), a month", |_, _, days| format!("/v1/messages?status=queued&{}", month(days))),
    ("to a number, a month", |random, _, days| {
        format!("/v1/messages?to=%2B{}&{}", number(random.random_range(0..NUMBERS)), month(days))
    }),
    ("to a number never written to", |random, _, days| {
        format!("/v1/messages?to=%2B989{}&{}", 220_000_000 + random.random_range(0..1_000_000), month(days))
    }),
    ("a reference, a month", |random, _, days| {
        format!("/v1/messages?reference=order-{}&{}", random.random_range(0..NUMBERS), month(days))
    }),
    ("a campaign, lane bulk, status failed", |random, account, days| {
        let id = campaign(account, random.random_range(0..days), random.random_range(0..CAMPAIGNS_A_DAY));
        format!("/v1/messages?campaign_id={id}&lane=bulk&status=failed&{}", month(days))
    }),
    ("transactions", |random, _, days| format!("/v1/transactions?{}", day(random, days))),
    ("old report, any page", |random, account, _| {
        format!("/sms/v1/report?user_id={account}&page={}", random.random_range(1..400))
    }),
    ("old report, failed, from one time to another, any page", |random, account, days| {
        let (from, page) = (time(random, days), random.random_range(1..5));
        format!("/sms/v1/report?user_id={account}&status=failed&start_date={from}&page={page}")
    }),
];

/// Asks, and returns the report, a section of Markdown.
///
/// # Errors
/// When smshub cannot be reached or refuses.
pub async fn ask(flags: &AskFlags) -> anyhow::Result<String> {
    let file = std::fs::read_to_string(&flags.keys);
    let file = file.with_context(|| format!("the keys in {} cannot be read", flags.keys.display()))?;
    let keys: Vec<&str> = file.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let largest = *keys.first().context("there is no key")?;
    let gateway = Gateway::new(&flags.url)?;
    let mut random = StdRng::seed_from_u64(flags.seed);
    let mut kinds = Vec::new();
    for (name, path) in KINDS {
        kinds.push(Kind { name, path, took: Latency::new()?, rows: 0 });
    }
    // One question at a time, each when it is due, whether the ones before were quick or not.
    let (start, pause) = (Instant::now(), Duration::from_secs(1) / flags.rate);
    let mut due = start;
    let count = kinds.len();
    for question in 0..flags.questions as usize {
        if flags.until.as_ref().is_some_and(|file| file.exists()) {
            break;
        }
        tokio::time::sleep_until(due).await;
        due = (due + pause).max(Instant::now());
        let (account, key) = if random.random_bool(0.5) {
            (LARGEST, largest)
        } else {
            let place = random.random_range(0..keys.len());
            (LARGEST + i64::try_from(place)?, keys.get(place).copied().unwrap_or(largest))
        };
        let Some(kind) = kinds.get_mut(question % count) else { continue };
        let path = (kind.path)(&mut random, account, flags.days);
        let asked = Instant::now();
        let Some(list) = gateway.read::<List>(key, &path).await? else { continue };
        kind.took.record(asked.elapsed());
        kind.rows += (list.data.len() + list.results.len()) as u64;
    }
    Ok(section(flags, &kinds))
}

fn section(flags: &AskFlags, kinds: &[Kind]) -> String {
    let mut out = format!("## {}\n\n", flags.title);
    let _ = writeln!(
        out,
        "{} questions a second, one after the other; half of them are the largest account's.\n",
        flags.rate
    );
    out.push_str("| question | asked | rows | p50 ms | p99 ms | longest ms |\n|---|---|---|---|---|---|\n");
    for Kind { name, took, rows, .. } in kinds.iter().filter(|kind| kind.took.count() > 0) {
        let [p50, p99, longest] = [0.5, 0.99, 1.0].map(|share| took.quantile_ms(share));
        let _ = writeln!(out, "| {name} | {} | {rows} | {p50:.1} | {p99:.1} | {longest:.1} |", took.count());
    }
    out.push('\n');
    out
}

/// A time of the stored days, as RFC 3339.
fn time(random: &mut StdRng, days: i64) -> String {
    let at = chrono::Utc::now() - chrono::Duration::minutes(random.random_range(1_500..days.max(2) * 1_440));
    written(at)
}

/// A day of the stored ones, from any moment on.
fn day(random: &mut StdRng, days: i64) -> String {
    let from =
        chrono::Utc::now() - chrono::Duration::minutes(random.random_range(1_500..days.max(2) * 1_440));
    format!("from_time={}&to_time={}", written(from), written(from + chrono::Duration::days(1)))
}

fn month(days: i64) -> String {
    let from = chrono::Utc::now() - chrono::Duration::days(days) + chrono::Duration::seconds(60);
    format!("from_time={}", written(from))
}

fn written(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
