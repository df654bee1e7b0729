//! `smshub config`: the settings in force.

use crate::settings::Settings;
use clap::Subcommand;
use std::io::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub --config /etc/smshub.toml config check
  SMSHUB__KAFKA__PARTITIONS=64 smshub config dump";

/// Check the settings, or show them
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check every setting, and settings against each other
    ///
    /// Says everything that is wrong, one line each on stderr, and exits with 1.
    #[command(after_help = "Example:\n  smshub --config /etc/smshub.toml config check")]
    Check,
    /// Show the settings in force as TOML; secrets are ***
    #[command(after_help = "Example:\n  smshub --config /etc/smshub.toml config dump")]
    Dump,
}

pub(crate) fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match args.verb {
        Verb::Check => {
            settings.check()?;
            writeln!(out, "the settings are right")?;
        }
        Verb::Dump => write!(out, "{}", platform::config::dump(settings)?)?,
    }
    Ok(ExitCode::SUCCESS)
}
