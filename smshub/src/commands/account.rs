//! `smshub account`: customers, and what people decide about them.

mod change;
mod list;
mod show;

use crate::commands::amount;
use crate::commands::confirm::Meant;
use crate::database;
use crate::settings::Settings;
use clap::{ArgGroup, Subcommand};
use domain::money::Money;
use ledger::admin::fields;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub account create --name 'Acme' --line 100002 --line 100003
  smshub account charge 7 5000000 --reference 'invoice 12'
  smshub account show 7
  smshub account suspend 7 --dry-run

Every change leaves a row that says who, when, and what it was before and after.";

const LIMIT_EXAMPLES: &str = "\
Examples:
  smshub account set-limit 7 --standard 5000 --express 600
  smshub account set-limit 7 --standard default";

/// Make accounts, charge them, show them, suspend them, set their limits and lines
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
        #[arg(long, value_parser = fields::text)]
        name: String,
        /// A sender line it may use; the first is its default
        #[arg(long = "line", required = true, value_name = "LINE", value_parser = fields::line)]
        lines: Vec<String>,
        /// An id of your choice; otherwise the next
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        id: Option<i64>,
    },
    /// One line an account, the newest first: id, balance, held, state, name
    #[command(after_help = "Example:\n  smshub account list --limit 20 --below 1000")]
    List {
        /// Accounts shown at most
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        /// Only accounts with lower ids: the next page
        #[arg(long, value_name = "ID")]
        below: Option<i64>,
    },
    /// Show an account: lines, limits, balance, what is held and under way, the last changes
    #[command(after_help = "Example:\n  smshub account show 7")]
    Show {
        /// The account
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
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
        #[arg(long, value_parser = fields::text)]
        reference: Option<String>,
    },
    /// Let an account send no more; it may still read, and what was accepted goes on
    #[command(after_help = "Examples:\n  smshub account suspend 7\n  smshub account suspend 7 --yes")]
    Suspend {
        /// The account
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
        #[command(flatten)]
        meant: Meant,
    },
    /// Let a suspended account send again
    #[command(after_help = "Example:\n  smshub account resume 7")]
    Resume {
        /// The account
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
    },
    /// Set how many segments an account may send a minute
    #[command(after_help = LIMIT_EXAMPLES,
              group = ArgGroup::new("which").required(true).multiple(true).args(["standard", "express"]))]
    SetLimit {
        /// The account
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
        /// In lane standard: a number, or `default` for that of the settings
        #[arg(long, value_name = "SEGMENTS", value_parser = change::limit)]
        standard: Option<change::Limit>,
        /// In lane express: the same
        #[arg(long, value_name = "SEGMENTS", value_parser = change::limit)]
        express: Option<change::Limit>,
    },
    /// Set the sender lines an account may use, all of them
    #[command(after_help = "Example:\n  smshub account set-line 7 --line 100002 --line 3000")]
    SetLine {
        /// The account
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        id: i64,
        /// A line; the first is its default
        #[arg(long = "line", required = true, value_name = "LINE", value_parser = fields::line)]
        lines: Vec<String>,
    },
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let pool = pools.common();
    match &args.verb {
        Verb::Create { name, lines, id } => change::create(pool, name, lines, *id).await?,
        Verb::List { limit, below } => list::list(pool, *limit, *below).await?,
        Verb::Show { id } => show::show(pool, *id).await?,
        Verb::Charge { id, amount, reference } => {
            change::charge(pool, *id, *amount, reference.as_deref()).await?;
        }
        Verb::Suspend { id, meant } => change::suspend(pool, *id, meant).await?,
        Verb::Resume { id } => change::resume(pool, *id).await?,
        Verb::SetLimit { id, standard, express } => {
            change::set_limit(pool, *id, *standard, *express).await?;
        }
        Verb::SetLine { id, lines } => change::set_line(pool, *id, lines).await?,
    }
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}
