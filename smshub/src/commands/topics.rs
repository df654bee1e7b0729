//! `smshub topics`: Kafka's side of the installation.

use crate::settings::Settings;
use crate::{database, kafka};
use clap::Subcommand;
use std::io::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub topics create
  smshub topics check";

/// Make the topics, or check that they are those of the installation
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the topics that are missing, and remember which they are
    ///
    /// May be repeated: the first time, and again after a part of it failed. A topic that was
    /// made anew by somebody else is refused: what was in it is gone.
    #[command(after_help = "Example:\n  smshub topics create")]
    Create,
    /// Compare partitions, hash and topic ids with what was installed
    #[command(after_help = "Example:\n  smshub topics check")]
    Check,
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let mut out = std::io::stdout();
    match args.verb {
        Verb::Create => {
            let made = kafka::create(&settings.kafka, pools.common()).await?;
            for name in &made {
                writeln!(out, "made {name}")?;
            }
            if made.is_empty() {
                writeln!(out, "all topics are there")?;
            }
        }
        Verb::Check => {
            let install = kafka::check(&settings.kafka, pools.common()).await?;
            writeln!(
                out,
                "as installed: generation {}, {} partitions",
                install.generation, install.partitions
            )?;
        }
    }
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}
