//! `smshub run`: the process itself.

use crate::compose;
use crate::settings::Settings;
use crate::target::Targets;
use platform::telemetry::{init_logs, install_panic_hook};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub run --target all                       everything in one process
  smshub run --target ingest                    only the HTTP API
  smshub run --target billing-consumer,sender   two roles

The log goes to stderr. SIGTERM or Ctrl-C stops in order, a second one at once.";

/// Run roles: the HTTP API, billing, sending, receipts
///
/// Runs until SIGTERM or SIGINT. Needs `smshub migrate` and `smshub topics create` before the first time.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// all, or a comma list of ingest, billing-consumer, sender, dlr-reconciler
    #[arg(long, value_name = "ROLES")]
    target: Targets,
}

pub(crate) async fn run(args: &Args, settings: Settings) -> anyhow::Result<ExitCode> {
    init_logs(&settings.log)?;
    install_panic_hook();
    compose::run(settings, &args.target).await?;
    Ok(ExitCode::SUCCESS)
}
