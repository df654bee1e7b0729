//! `smshub send`: a file of recipients, through the public API, followed to the end.
//!
//! The file is streamed: a reading thread cuts it into batches, a few calls at once submit
//! them, and only what must be followed (one line a batch) is kept.

pub(super) mod call;
pub(super) mod client;
mod dry_run;
mod follow;
mod input;
mod left_out;
mod rows;
pub(super) mod show;
mod submit;
mod summary;

use crate::settings::Settings;
use anyhow::{Context, ensure};
use call::Patience;
use client::{Client, Key};
use rows::{Rows, TextFrom};
use show::Show;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use submit::Job;
use summary::Summary;

/// The environment variable that holds the key: an argument would stand in the list of
/// processes and in the shell's history.
pub(super) const KEY: &str = "SMSHUB_KEY";

const EXAMPLES: &str = "\
Examples:
  export SMSHUB_KEY=sk_…
  smshub send --file recipients.csv --text 'Dear {name}, your order {order} has left.'
  smshub send --file messages.csv                (the texts are in the column `text`)
  smshub send --file recipients.csv --text 'Hello' --dry-run

The file is CSV in UTF-8 with a header row. The number is in the column `to`, `receiver` or
`mobile`; the other columns fill the {placeholders} of the text; {{ and }} are braces.
Invalid rows are left out and counted, the first of them named. Exit code 1 means that
something was not accepted for another reason, or not final in time.";

/// Send a file of recipients through the API and follow it to the end
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// The CSV file
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// The text, with {column} where a column's value goes
    #[arg(long, value_name = "TEMPLATE", conflicts_with = "column_of_text")]
    text: Option<String>,
    /// The column that holds each row's text; without --text it is `text`
    #[arg(long, value_name = "COLUMN", num_args = 0..=1, default_missing_value = "text")]
    column_of_text: Option<String>,
    /// The lane: bulk, or standard (which is more urgent, and for smaller calls)
    #[arg(long, default_value = "bulk", value_parser = ["bulk", "standard"])]
    lane: String,
    /// The sender line; otherwise the account's default
    #[arg(long, value_name = "LINE")]
    from: Option<String>,
    /// The address of the public API
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// Messages in one call, at most 10000
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    batch: u32,
    /// Calls at the same time
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=16))]
    calls: u32,
    /// How long to wait for all messages to be final, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    deadline: u64,
    /// End when everything is submitted
    #[arg(long)]
    no_follow: bool,
    /// Read and count everything, estimate the price, send nothing
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    fn rows(&self) -> anyhow::Result<Rows> {
        let text = match (&self.text, &self.column_of_text) {
            (Some(template), _) => TextFrom::Template(template.clone()),
            (None, column) => TextFrom::Column(column.clone().unwrap_or_else(|| "text".to_owned())),
        };
        Rows::open(&self.file, &text)
    }
}

pub(crate) async fn run(args: Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let rows = args.rows()?;
    let key = std::env::var(KEY).ok().filter(|key| !key.is_empty()).map(Key::new).transpose()?;
    if args.dry_run {
        let client = key.map(|key| Client::new(&args.url, key)).transpose()?;
        return dry_run::run(rows, &args, client.as_ref(), settings).await;
    }
    let key = key.with_context(|| {
        format!("no API key: set the environment variable {KEY} (smshub key create makes one)")
    })?;
    let client = Arc::new(Client::new(&args.url, key)?);
    let balance_before = client.balance(Patience::SHORT).await?;
    let began = Instant::now();

    let show = Show::new(rows.bytes());
    let job =
        Job { batch: args.batch as usize, calls: args.calls as usize, lane: args.lane, from: args.from };
    let mut submitted = submit::run(rows, job, Arc::clone(&client), &show).await?;
    let submitting = began.elapsed();
    let batches = std::mem::take(&mut submitted.batches);
    let followed = if args.no_follow {
        None
    } else {
        let deadline = began + Duration::from_secs(args.deadline);
        Some(follow::run(batches, &client, &show, deadline).await)
    };
    let took = began.elapsed();
    // What was sent is told in any case.
    let balance_after = match client.balance(Patience::LONG).await {
        Ok(balance) => Some(balance),
        Err(error) => {
            submitted.failures.push(format!("{error:#}"));
            None
        }
    };

    let summary = Summary { submitted, followed, balance_before, balance_after, submitting, took };
    summary.print()?;
    Ok(if summary.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A client for tests and the command alike talks only to what has these forms.
fn base_url(url: &str) -> anyhow::Result<String> {
    let trimmed = url.trim_end_matches('/');
    let fits = trimmed.starts_with("http://") || trimmed.starts_with("https://");
    ensure!(fits, "--url {url}: expected an address like http://127.0.0.1:8080");
    Ok(trimmed.to_owned())
}
