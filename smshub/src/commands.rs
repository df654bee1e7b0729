//! One file a command. Each prints what it was asked for on stdout, and nothing else there.

pub(crate) mod account;
mod amount;
pub(crate) mod audit;
pub(crate) mod campaign;
pub(crate) mod config;
mod confirm;
pub(crate) mod connector;
pub(crate) mod dead;
pub(crate) mod key;
pub(crate) mod line;
mod message;
mod migrate;
pub(crate) mod opt_out;
pub(crate) mod run;
pub(crate) mod send;
pub(crate) mod tariff;
pub(crate) mod topics;
pub(crate) mod trace;

use crate::cli::{Cli, Command};
use crate::settings::Settings;
use anyhow::Context;
use std::process::ExitCode;
use std::time::Duration;

/// How long threads that cannot be ended may go on after a command is done.
const LINGER: Duration = Duration::from_millis(200);

/// Does what the command line says.
pub(crate) fn execute(cli: Cli) -> anyhow::Result<ExitCode> {
    let settings = Settings::load(cli.config.as_deref())?;
    if let Command::Config(args) = &cli.command {
        return config::run(args, &settings);
    }
    settings.check()?;
    // reqwest takes the process's choice of cryptography; a second choice is no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = settings.runtime.runtime().context("the system gives no threads")?;
    let code = runtime.block_on(dispatch(cli.command, settings));
    runtime.shutdown_timeout(LINGER);
    code
}

async fn dispatch(command: Command, settings: Settings) -> anyhow::Result<ExitCode> {
    match command {
        Command::Run(args) => Box::pin(run::run(&args, settings)).await,
        Command::Migrate => migrate::run(&settings).await,
        Command::Topics(args) => topics::run(&args, &settings).await,
        Command::Config(args) => config::run(&args, &settings),
        Command::Account(args) => account::run(&args, &settings).await,
        Command::Key(args) => key::run(&args, &settings).await,
        Command::Tariff(args) => Box::pin(tariff::run(&args, &settings)).await,
        Command::Line(args) => line::run(&args, &settings).await,
        Command::OptOut(args) => opt_out::run(&args, &settings).await,
        Command::Send(args) => Box::pin(send::run(args, &settings)).await,
        Command::Campaign(args) => Box::pin(campaign::run(args)).await,
        Command::Dead(args) => dead::run(&args, &settings).await,
        Command::Connector(args) => connector::run(&args, &settings).await,
        Command::Audit(args) => audit::run(&args, &settings).await,
        Command::Trace(args) => trace::run(&args, &settings).await,
    }
}
