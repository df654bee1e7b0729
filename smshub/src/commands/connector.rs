//! `smshub connector`: how links to operators stand, and resuming a stopped one.

use crate::database;
use crate::settings::Settings;
use anyhow::bail;
use clap::Subcommand;
use sender::connectors::{Link, links, resume};
use std::io::Write;
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  smshub connector status
  smshub connector resume magfa";

/// Show the links to operators, and resume a stopped one
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// How each link stands: stopped or not, reachable or not, how fast, how much waits
    #[command(after_help = "Example:\n  smshub connector status")]
    Status,
    /// Use a link again that was stopped because the operator refused our configuration
    #[command(after_help = "Example:\n  smshub connector resume magfa")]
    Resume {
        /// Its name in the settings
        name: String,
    },
}

pub(crate) async fn run(args: &Args, settings: &Settings) -> anyhow::Result<ExitCode> {
    let pools = database::open(&settings.postgres).await?;
    let mut transaction = pools.common().begin().await?;
    let mut out = std::io::stdout();
    match &args.verb {
        Verb::Status => {
            let links = links(&mut transaction).await?;
            if links.is_empty() {
                writeln!(out, "no connector was used yet")?;
            }
            for link in &links {
                writeln!(out, "{}", line(link))?;
            }
        }
        Verb::Resume { name } => match resume(&mut transaction, name).await? {
            Some(true) => writeln!(out, "{name} is used again within two seconds")?,
            Some(false) => writeln!(out, "{name} was not stopped")?,
            None => bail!("no connector {name} was used yet: see `smshub connector status`"),
        },
    }
    transaction.commit().await?;
    pools.close().await;
    Ok(ExitCode::SUCCESS)
}

fn line(link: &Link) -> String {
    let mut words = vec![link.connector.clone()];
    if let (Some(code), Some(at)) = (link.stopped_code, link.stopped_at) {
        words.push(format!("STOPPED since {} (the operator's code {code})", at.format("%F %T UTC")));
    }
    let Some(process) = link.process else {
        words.push("used by no process now".into());
        return words.join(", ");
    };
    words.push(match link.breaker.as_deref() {
        Some("closed") => "reachable".into(),
        Some("half_open") => "unreachable, a probe is on its way".into(),
        _ => "UNREACHABLE".into(),
    });
    match (link.granted, link.slowed_to) {
        (_, Some(slowed)) => words.push(format!("slowed by the operator to {slowed:.0} messages/s")),
        (Some(granted), None) => words.push(format!("{granted:.0} messages/s at most")),
        (None, None) => {}
    }
    for (state, what) in [(&link.look_ups, "look-ups"), (&link.polls, "questions for receipts")] {
        if state.as_deref() != Some("closed") {
            words.push(format!("{what} HAVE NO ANSWER"));
        }
    }
    words.push(format!("{} messages ready", link.backlog.unwrap_or_default()));
    words.push(format!("process {process}"));
    words.join(", ")
}
