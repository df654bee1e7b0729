//! `smshub line`: sender lines.

use crate::commands::confirm::Meant;
use crate::database;
use crate::person::who;
use crate::settings::Settings;
use anyhow::Context;
use clap::{ArgGroup, Subcommand};
use ledger::admin::{account, fields, line};
use platform::postgres::Pool;
use std::io::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub line list
  smshub line assign 3000 --account 7
  smshub line set 3000 --advertising true --note 'of the shop'

Every change leaves a row that says who, when, and what it was before and after.";

const SET_EXAMPLES: &str = "\
Examples:
  smshub line set 3000 --advertising true --dry-run
  smshub line set 3000 --advertising false --yes
  smshub line set 3000 --note 'of the shop' --yes";

/// List sender lines, give them to accounts, mark them as lines of advertising
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// One line a line, by their names: what it is, who may use it
    #[command(after_help = "Example:\n  smshub line list --limit 20 --after 3000")]
    List {
        /// Lines shown at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only lines behind this one: the next page
        #[arg(long, value_name = "LINE", value_parser = fields::line)]
        after: Option<String>,
    },
    /// Let an account use a line, beside those it has (`account set-line` sets them all)
    #[command(after_help = "Example:\n  smshub line assign 3000 --account 7 --default")]
    Assign {
        /// The line
        #[arg(value_parser = fields::line)]
        line: String,
        /// The account
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        account: i64,
        /// As its default line
        #[arg(long)]
        default: bool,
    },
    /// Say what a line is: over one of advertising nothing is sent at night
    #[command(after_help = SET_EXAMPLES,
              group = ArgGroup::new("what").required(true).multiple(true).args(["advertising", "note"]))]
    Set {
        /// The line
        #[arg(value_parser = fields::line)]
        line: String,
        /// Whether it is for advertising
        #[arg(long, value_name = "true|false")]
        advertising: Option<bool>,
        /// A note for people
        #[arg(long, value_parser = fields::note)]
        note: Option<String>,
        #[command(flatten)]
        meant: Meant,
    },
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let pool = pools.common();
    match &args.verb {
        Verb::List { limit, after } => list(pool, *limit, after.as_deref()).await?,
        Verb::Assign { line, account, default } => assign(pool, line, *account, *default).await?,
        Verb::Set { line, advertising, note, meant } => {
            set(pool, line, *advertising, note.as_deref(), meant).await?;
        }
    }
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn list(pool: &Pool, limit: u32, after: Option<&str>) -> anyhow::Result<()> {
    let mut connection = pool.acquire().await?;
    let mut lines = line::list(&mut connection, after, limit + 1).await?;
    let more = lines.len() > usize::try_from(limit)?;
    lines.truncate(usize::try_from(limit)?);
    let mut out = std::io::stdout().lock();
    for line in &lines {
        writeln!(out, "{}", described(line))?;
    }
    if let Some(last) = lines.last().filter(|_| more) {
        let last = &last.line;
        writeln!(std::io::stderr(), "{limit} lines are shown, and there are more: --after {last}")?;
    }
    Ok(())
}

async fn assign(pool: &Pool, line: &str, id: i64, default: bool) -> anyhow::Result<()> {
    let mut transaction = pool.begin().await?;
    let account = account::assign(&mut transaction, &who(), id, line, default).await?;
    transaction.commit().await.with_context(|| {
        format!("perhaps changed, perhaps not: see `smshub account show {id}` before you repeat it")
    })?;
    writeln!(std::io::stdout(), "account {id} may use {}", account.terms.lines.join(", "))?;
    Ok(())
}

async fn set(
    pool: &Pool,
    name: &str,
    advertising: Option<bool>,
    note: Option<&str>,
    meant: &Meant,
) -> anyhow::Result<()> {
    let mut out = std::io::stdout();
    let mut connection = pool.acquire().await?;
    let now = line::read(&mut connection, name).await?;
    // Nothing is held while somebody thinks.
    drop(connection);
    match &now {
        Some(line) => writeln!(out, "now: {}", described(line))?,
        None => writeln!(out, "now: {name} is not known, and so an ordinary line that nobody may use")?,
    }
    if advertising == Some(true) {
        writeln!(out, "what these accounts send over it will wait at night, login codes too")?;
    }
    if !meant.go(&format!("Change line {name}?"))? {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    let line = line::set(&mut transaction, &who(), name, advertising, note).await?;
    transaction.commit().await.context("perhaps changed, perhaps not: see `smshub line list`")?;
    writeln!(out, "set: {}", described(&line))?;
    Ok(())
}

fn described(line: &line::Line) -> String {
    let kind = if line.advertising { "ADVERTISING" } else { "ordinary" };
    let mut accounts: Vec<String> = line.first_accounts.iter().map(ToString::to_string).collect();
    if usize::try_from(line.accounts).is_ok_and(|all| all > accounts.len()) {
        accounts.push("…".into());
    }
    let named = if accounts.is_empty() { String::new() } else { format!(" ({})", accounts.join(", ")) };
    let note = if line.note.is_empty() { String::new() } else { format!("  {}", line.note) };
    format!("{}  {kind}  {} accounts{named}{note}", line.line, line.accounts)
}
