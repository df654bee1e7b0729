//! `smshub key`: the keys of accounts.

use crate::database;
use crate::settings::Settings;
use clap::Subcommand;
use ingest::keys::{self, Scope};
use std::io::Write;
use std::process::ExitCode;
use uuid::Uuid;

const EXAMPLES: &str = "\
Examples:
  smshub key create --account 7 --scope send,read
  smshub key list --account 7
  smshub key revoke 01993d2c-…";

/// Make, list and revoke API keys
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
    /// List an account's keys: id, scopes, made, revoked
    #[command(after_help = "Example:\n  smshub key list --account 7")]
    List {
        /// The account
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
        account: i64,
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
    let mut connection = pools.common().acquire().await?;
    let mut out = std::io::stdout();
    match &args.verb {
        Verb::Create { account, scopes } => {
            let asked: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| scopes.contains(scope)).collect();
            let made = keys::create(&mut connection, *account, &asked).await?;
            writeln!(out, "{}", made.key.expose())?;
        }
        Verb::List { account } => {
            for key in keys::list(&mut connection, *account).await? {
                let revoked =
                    key.revoked_at.map_or_else(|| "in use".into(), |at| format!("revoked {}", day(at)));
                writeln!(
                    out,
                    "{}  {}  made {}  {revoked}",
                    key.id,
                    key.scopes.join(","),
                    day(key.created_at)
                )?;
            }
        }
        Verb::Revoke { id } => {
            keys::revoke(&mut connection, *id).await?;
            writeln!(out, "revoked {id}")?;
        }
    }
    drop(connection);
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}

fn day(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
