//! The command line.

use crate::commands::{
    account, audit, campaign, config, connector, dead, key, line, opt_out, run, send, tariff, topics, trace,
};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  smshub --config /etc/smshub.toml config check
  smshub migrate && smshub topics create
  smshub run --target all
  SMSHUB_KEY=sk_… smshub send --file recipients.csv --text 'Dear {name}, …'
  SMSHUB_KEY=sk_… smshub campaign send --file millions.csv --text 'Dear {name}, …'
  smshub audit

Settings: the documented defaults (smshub/defaults.toml), overridden by --config FILE,
overridden by environment variables such as SMSHUB__KAFKA__BOOTSTRAP=host:9092.

Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage.";

/// An SMS gateway for businesses
#[derive(Debug, Parser)]
#[command(name = "smshub", version, after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Settings that override the defaults (TOML)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Run(run::Args),
    /// Make or update the tables, and the ledger's ranges of days
    ///
    /// May be repeated at any time, also while smshub runs.
    #[command(after_help = "Example:\n  smshub --config /etc/smshub.toml migrate")]
    Migrate,
    Topics(topics::Args),
    Config(config::Args),
    Account(account::Args),
    Key(key::Args),
    Tariff(tariff::Args),
    Line(line::Args),
    OptOut(opt_out::Args),
    Send(send::Args),
    Campaign(campaign::Args),
    Dead(dead::Args),
    Connector(connector::Args),
    Audit(audit::Args),
    Trace(trace::Args),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    /// Who asks a command for help finds what it does, and an example.
    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "{path} has no about");
            assert!(command.get_after_help().is_some(), "{path} has no example");
            for argument in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let id = argument.get_id().as_str();
                assert!(
                    matches!(id, "help" | "version") || argument.get_help().is_some(),
                    "{path} {id}: no help"
                );
            }
            command.get_subcommands().for_each(|verb| check(verb, &path));
        }
        check(&Cli::command(), "");
    }
}
