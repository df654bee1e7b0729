//! `smshub opt-out`: recipients who do not want to be written to.

use crate::database;
use crate::settings::Settings;
use anyhow::{Context, bail};
use clap::Subcommand;
use domain::phone::{Msisdn, Served};
use ingest::opt_outs::{self, Import};
use sqlx::PgConnection;
use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Rows in one transaction at most, and of one page of a list.
const BATCH: usize = 1_000;
/// Octets of a file read at once.
const PIECE: usize = 64 * 1024;
/// Rows that were left out and are told of at most.
const TOLD_MAX: usize = 10;

const EXAMPLES: &str = "\
Examples:
  smshub opt-out add --account 7 09123456789
  smshub opt-out import --account 7 --line 100002 blocked.csv
  smshub opt-out list --account 7
  smshub opt-out remove --account 7 09123456789";

/// Add, import, list and remove recipients who opted out
///
/// Of one sender line of an account, or (without --line) of all. They are refused where messages
/// are accepted, and again before a message is handed to an operator.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

/// Whose list, and of which line.
#[derive(Debug, clap::Args)]
struct Of {
    /// The account
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    account: i64,
    /// A sender line of the account; all of them where not given
    #[arg(long)]
    line: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Add numbers; prints how many were new
    #[command(after_help = "Example:\n  smshub opt-out add --account 7 09123456789 +989351234567")]
    Add {
        #[command(flatten)]
        of: Of,
        /// Mobile numbers, written as those of recipients
        #[arg(required = true)]
        numbers: Vec<String>,
    },
    /// Import a file: a number a line, or number and line with a comma between them
    ///
    /// Rows that are not right are left out and told of. The file may be imported again: what is
    /// there stays as it is.
    #[command(after_help = "Example:\n  smshub opt-out import --account 7 blocked.csv")]
    Import {
        #[command(flatten)]
        of: Of,
        /// The file; - for what comes on stdin
        file: PathBuf,
    },
    /// List them: number, line (* for all), since when; the newest first
    #[command(after_help = "Example:\n  smshub opt-out list --account 7 > opted-out.txt")]
    List {
        /// The account
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        account: i64,
    },
    /// Remove numbers: they may be written to again; prints how many were there
    #[command(after_help = "Example:\n  smshub opt-out remove --account 7 09123456789")]
    Remove {
        #[command(flatten)]
        of: Of,
        /// Mobile numbers, written as those of recipients
        #[arg(required = true)]
        numbers: Vec<String>,
    },
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let served = Served::new(&settings.ingest.countries)?;
    let pools = database::open(&settings.postgres).await?;
    let mut connection = pools.common().acquire().await?;
    match &args.verb {
        Verb::Add { of, numbers } => {
            lines(&mut connection, of).await?;
            let rows = rows(numbers, of, &served)?;
            let added = opt_outs::add(&mut connection, of.account, &rows).await?;
            writeln!(io::stdout(), "{added} added")?;
        }
        Verb::Remove { of, numbers } => {
            let rows = rows(numbers, of, &served)?;
            let removed = opt_outs::remove(&mut connection, of.account, &rows).await?;
            writeln!(io::stdout(), "{removed} removed")?;
        }
        Verb::Import { of, file } => {
            let lines = lines(&mut connection, of).await?;
            let line = of.line.clone().unwrap_or_default();
            let import = Import::new(&served, &lines, line);
            if file.as_os_str() == "-" {
                store(&mut connection, of.account, import, io::stdin().lock()).await?;
            } else {
                let opened =
                    File::open(file).with_context(|| format!("{} cannot be read", file.display()))?;
                store(&mut connection, of.account, import, opened).await?;
            }
        }
        Verb::List { account } => list(&mut connection, *account).await?,
    }
    drop(connection);
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}

/// The lines of the account, of which the one that is asked for must be one.
async fn lines(connection: &mut PgConnection, of: &Of) -> anyhow::Result<Vec<String>> {
    let account = ledger::account::read(connection, of.account).await?;
    let lines = account.with_context(|| format!("no account {}", of.account))?.lines;
    match &of.line {
        Some(line) if !lines.contains(line) => bail!("account {} does not have the line {line}", of.account),
        _ => Ok(lines),
    }
}

fn rows(numbers: &[String], of: &Of, served: &Served) -> anyhow::Result<Vec<opt_outs::Change>> {
    let line = of.line.clone().unwrap_or_default();
    let row = |(place, number): (usize, &String)| {
        let number = Msisdn::parse(number, served).with_context(|| format!("number {}", place + 1))?;
        Ok((number, line.clone()))
    };
    numbers.iter().enumerate().map(row).collect()
}

async fn store(
    connection: &mut PgConnection,
    account: i64,
    mut import: Import<'_>,
    mut file: impl Read,
) -> anyhow::Result<()> {
    let (mut piece, mut added) = (vec![0; PIECE], 0);
    loop {
        let read = file.read(&mut piece).context("the file cannot be read on")?;
        let Some(read) = piece.get(..read).filter(|read| !read.is_empty()) else { break };
        for batch in import.take(read, BATCH) {
            added += opt_outs::add(connection, account, &batch).await?;
        }
    }
    let (rest, report) = import.end(BATCH);
    for batch in rest {
        added += opt_outs::add(connection, account, &batch).await?;
    }
    let (rows, invalid) = (report.rows, report.invalid);
    writeln!(io::stdout(), "{rows} rows, {added} added, {invalid} left out")?;
    for faulty in report.faulty.iter().take(TOLD_MAX) {
        writeln!(io::stderr(), "row {}: {:?}", faulty.row, faulty.code)?;
    }
    Ok(())
}

async fn list(connection: &mut PgConnection, account: i64) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout());
    let mut before = None;
    loop {
        let page = opt_outs::list(connection, account, None, before, BATCH).await?;
        for one in &page {
            let line = if one.line.is_empty() { "*" } else { &one.line };
            let since = one.created_at.format("%Y-%m-%d %H:%M:%S UTC");
            writeln!(out, "+{}  {line}  since {since}", one.number)?;
        }
        let Some(last) = page.last().filter(|_| page.len() == BATCH) else { return Ok(out.flush()?) };
        before = Some(last.id);
    }
}
