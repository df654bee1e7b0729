//! `smshub audit`: whether the invariants hold, on a live system.

mod answers;
mod intents;
mod outputs;
mod table;
mod topics;

use crate::settings::Settings;
use crate::{database, kafka};
use ledger::audit::Expect;
use std::process::ExitCode;
use topics::Scope;

const EXAMPLES: &str = "\
Examples:
  smshub audit
  smshub audit --quiescent     nothing is in flight any more: then more must hold
  smshub audit --json | jq .ok

Reads every row of the books, in one snapshot, and every record of the billed topics and of the
attempts, one partition after another. It changes nothing and disturbs nobody. Exit code 1:
violated.";

/// Check the invariants of books and topics (L1 to L5, O1, O2, S1, P1)
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Everything must have ended: nothing in flight, every submitted record answered
    #[arg(long)]
    quiescent: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Args {
    fn expect(&self) -> Expect {
        if self.quiescent { Expect::Quiescence } else { Expect::Traffic }
    }
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let (install, topics) = kafka::installed(&settings.kafka, pools.common()).await?;
    let mut connection = database::connect(&settings.postgres).await?;
    let expect = args.expect();
    let mut report = ledger::audit::run(&mut connection, expect).await?;
    let scope = Scope { topics, partitions: install.partitions, expect };
    let settings = settings.kafka.clone();
    let audit = move || match topics::check(&settings, &scope, &mut report) {
        Ok(()) => Ok(report),
        Err(problem) => Err(kafka::unreachable(&settings, problem)),
    };
    let report = tokio::task::spawn_blocking(audit).await??;
    pools.close().await;
    if args.json {
        table::json(&report)?
    } else {
        table::print(&report, expect)?
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
