//! `smshub key`: the keys of accounts.

use crate::database;
use crate::person::who;
use crate::settings::Settings;
use anyhow::Context;
use chrono::{DateTime, Utc};
use clap::Subcommand;
use ingest::keys::{self, GRACE_MAX, Listed, Scope};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use uuid::Uuid;

/// Keys listed at most: an account has a handful.
const LISTED_MAX: u32 = 10_000;
/// Seconds of each unit in which a time may be given.
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400)];

const EXAMPLES: &str = "\
Examples:
  smshub key create --account 7 --scope send,read
  smshub key list --account 7
  smshub key rotate 01993d2c-… --grace 24h
  smshub key revoke 01993d2c-…

Every change leaves a row that says who, when, and what it was before and after.";

const ROTATE_EXAMPLES: &str = "\
Examples:
  smshub key rotate 01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e
  smshub key rotate 01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e --grace 7d";

/// Make, list, replace and revoke API keys
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a key; prints it, alone. It is shown this once and never again
    #[command(after_help = "Example:\n  SMSHUB_KEY=$(smshub key create --account 7 --scope send,read)")]
    Create {
        /// The account it speaks for
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        account: i64,
        /// What it may do: send, read, charge, admin
        #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', default_value = "send,read")]
        scopes: Vec<Scope>,
    },
    /// List an account's keys, the newest first: id, scopes, made, last used, state
    #[command(after_help = "Example:\n  smshub key list --account 7")]
    List {
        /// The account
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        account: i64,
    },
    /// Make a key that takes the place of another; prints it, alone
    ///
    /// It may do the same. The old one goes on for the grace time, so that a customer can change
    /// over without an outage; then it opens nothing.
    #[command(after_help = ROTATE_EXAMPLES)]
    Rotate {
        /// The old key's id, as listed
        id: Uuid,
        /// How long the old one goes on: 30m, 24h, 7d; at most 30d
        #[arg(long, default_value = "24h", value_parser = duration)]
        grace: Duration,
    },
    /// Revoke a key: from a few seconds on it opens nothing
    #[command(after_help = "Example:\n  smshub key revoke 01993d2c-6f0b-7c3e-9d4e-3b1f0a2c4d5e")]
    Revoke {
        /// The key's id, as listed
        id: Uuid,
    },
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let mut transaction = pools.common().begin().await?;
    let unknown = "perhaps done, perhaps not: see `smshub key list` before you repeat it";
    let mut out = std::io::stdout();
    match &args.verb {
        Verb::Create { account, scopes } => {
            let made = keys::issue(&mut transaction, &who(), *account, scopes).await?;
            transaction.commit().await.context(unknown)?;
            writeln!(out, "{}", made.key.expose())?;
        }
        Verb::List { account } => {
            for key in keys::list(&mut transaction, *account, None, LISTED_MAX).await? {
                writeln!(out, "{}", line(&key))?;
            }
            transaction.rollback().await?;
        }
        Verb::Rotate { id, grace } => {
            let made = keys::rotate(&mut transaction, &who(), *id, *grace).await?;
            transaction.commit().await.context(unknown)?;
            writeln!(out, "{}", made.new.key.expose())?;
        }
        Verb::Revoke { id } => {
            keys::revoke(&mut transaction, &who(), *id).await?;
            transaction.commit().await.context(unknown)?;
            writeln!(out, "revoked {id}")?;
        }
    }
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}

fn line(key: &Listed) -> String {
    let state = match (key.revoked_at, key.expires_at) {
        (Some(at), _) => format!("revoked {}", day(at)),
        (None, Some(at)) if key.in_use => format!("in use until {}", day(at)),
        (None, Some(at)) => format!("ended {}", day(at)),
        (None, None) => "in use".into(),
    };
    let used = key.last_used_at.map_or("never used".into(), |at| format!("last used {}", day(at)));
    format!("{}  {}  made {}  {used}  {state}", key.id, key.scopes.join(","), day(key.created_at))
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time such as `24h`.
fn duration(text: &str) -> Result<Duration, String> {
    let of = |(unit, seconds): (char, u64)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(seconds).map(Duration::from_secs)
    };
    let time = UNITS.into_iter().find_map(of).filter(|time| *time <= GRACE_MAX);
    time.ok_or_else(|| "expected a number with a unit, such as 30m, 24h or 7d, of at most 30d".into())
}
