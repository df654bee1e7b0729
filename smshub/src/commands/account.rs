//! `smshub account`: customers and their charges.

use crate::commands::amount;
use crate::database;
use crate::settings::Settings;
use anyhow::{Context, bail};
use clap::Subcommand;
use domain::money::Money;
use std::io::Write;
use std::process::ExitCode;

/// Characters of a name or a reference at most.
const TEXT_MAX: usize = 200;
/// Characters of a sender line at most: no operator takes longer ones.
const LINE_MAX: usize = 20;
/// Sender lines of an account at most.
const LINES_MAX: usize = 1_000;

const EXAMPLES: &str = "\
Examples:
  smshub account create --name 'Acme' --line 100002 --line 100003
  smshub account charge 7 5000000 --reference 'invoice 12'
  smshub account show 7";

/// Make accounts, charge them, show them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an account; prints its id, alone
    #[command(after_help = "Example:\n  smshub account create --name 'Acme' --line 100002")]
    Create {
        /// The name, for people
        #[arg(long, value_parser = text)]
        name: String,
        /// A sender line it may use; the first is its default
        #[arg(long = "line", required = true, value_name = "LINE", value_parser = line)]
        lines: Vec<String>,
        /// An id of your choice; otherwise the next
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        id: Option<i64>,
    },
    /// Add to an account's balance
    #[command(after_help = "Example:\n  smshub account charge 7 5000000 --reference 'invoice 12'")]
    Charge {
        /// The account
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
        /// How much, in the smallest unit (rial): a whole number, at least 1
        #[arg(value_parser = amount::parse, allow_negative_numbers = true)]
        amount: Money,
        /// What the charge belongs to, for people
        #[arg(long, value_parser = text)]
        reference: Option<String>,
    },
    /// Show an account: name, lines, balance, and what is held
    #[command(after_help = "Example:\n  smshub account show 7")]
    Show {
        /// The account
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
    },
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let mut transaction = pools.common().begin().await?;
    let mut out = std::io::stdout();
    match &args.verb {
        Verb::Create { name, lines, id } => {
            if lines.len() > LINES_MAX {
                bail!("an account has at most {LINES_MAX} lines");
            }
            let made = ledger::account::create(&mut transaction, *id, name, lines).await?;
            let made = made.with_context(|| {
                format!("there is an account {} already: choose another --id", id.unwrap_or_default())
            })?;
            transaction.commit().await?;
            writeln!(out, "{made}")?;
        }
        Verb::Charge { id, amount, reference } => {
            let charged =
                ledger::account::charge(&mut transaction, *id, *amount, reference.as_deref()).await?;
            transaction.commit().await.with_context(|| {
                format!("perhaps booked, perhaps not: see `smshub account show {id}` before you repeat it")
            })?;
            writeln!(out, "charged {amount} to account {id}: its balance is {}", charged.balance)?;
        }
        Verb::Show { id } => {
            let account = ledger::account::read(&mut transaction, *id).await?;
            transaction.rollback().await?;
            let account = account.with_context(|| format!("no account {id}"))?;
            writeln!(out, "id       {}", account.id)?;
            writeln!(out, "name     {}", account.name)?;
            writeln!(out, "lines    {}", account.lines.join(", "))?;
            writeln!(out, "balance  {}", account.balance)?;
            writeln!(out, "held     {}", account.held)?;
        }
    }
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}

fn text(text: &str) -> Result<String, String> {
    let trimmed = text.trim();
    let fits = (1..=TEXT_MAX).contains(&trimmed.chars().count()) && !trimmed.chars().any(char::is_control);
    if fits {
        Ok(trimmed.to_owned())
    } else {
        Err(format!("expected 1 to {TEXT_MAX} characters of one line"))
    }
}

fn line(text: &str) -> Result<String, String> {
    let fits = (1..=LINE_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits { Ok(text.to_owned()) } else { Err(format!("expected 1 to {LINE_MAX} letters or digits")) }
}
