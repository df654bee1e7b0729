//! The simulator as a process.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use simulator::{Operator, Settings};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// A simulated SMS operator that speaks Magfa's HTTP v2 under /api/http/sms/v2.
///
/// Everything under "Behaviour" can also be changed at run time: see /control/settings, and
/// /control/faults for the fault rules.
/// It has no TLS and its control endpoint no password: keep it on loopback.
#[derive(Parser)]
#[command(name = "smshub-simulator", version)]
struct Flags {
    /// Address to listen on; port 0 takes a free one. The first line on stdout names it.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Folder of the journal (made if missing), from which a restart takes up what was sent.
    #[arg(long, required_unless_present = "no_journal")]
    data: Option<PathBuf>,
    /// Keep the journal in memory only; a restart forgets everything.
    #[arg(long, conflicts_with = "data")]
    no_journal: bool,
    /// Limit of the journal in MiB: on the disk for each of two files, the older of which is
    /// dropped; in memory (--no-journal) for all, the oldest calls being dropped.
    /// [default: 1024 on the disk, 64 in memory]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_048_576))]
    journal_mib: Option<u64>,
    /// Elements remembered, 24 octets each and 4 to 8 for the index; the oldest are
    /// forgotten and answered with -1.
    #[arg(long, default_value_t = 20_000_000, value_parser = clap::value_parser!(u64).range(1..=1_073_741_824))]
    max_messages: u64,
    /// Worker threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: u16,
    /// File with fault rules, a JSON array as for PUT /control/faults: see the README.
    #[arg(long)]
    faults: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Behaviour")]
    settings: Settings,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(io::stderr).init();
    match run(flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "smshub-simulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: Flags) -> anyhow::Result<()> {
    runtime(flags.threads)?.block_on(async {
        let shutdown = CancellationToken::new();
        cancel_on_signals(shutdown.clone())?;
        // The port first: a second simulator should say so, not speak of the journal.
        let listener = TcpListener::bind(flags.listen)
            .await
            .with_context(|| format!("cannot listen on {}", flags.listen))?;
        let operator = Arc::new(operator(&flags)?);
        let mut stdout = io::stdout();
        writeln!(stdout, "listening on {}", listener.local_addr()?)?;
        stdout.flush()?;
        simulator::serve(listener, operator, shutdown).await.context("journal")
    })
}

fn runtime(threads: u16) -> io::Result<Runtime> {
    // One thread alone needs no work stealing, and wakes no other.
    let mut builder = if threads == 1 { Builder::new_current_thread() } else { Builder::new_multi_thread() };
    builder.worker_threads(threads.into()).enable_all().build()
}

fn operator(flags: &Flags) -> anyhow::Result<Operator> {
    let settings = flags.settings.clone();
    let octets = |mib: u64| mib << 20;
    let opened = match &flags.data {
        Some(folder) => {
            Operator::open(settings, flags.max_messages, folder, octets(flags.journal_mib.unwrap_or(1024)))
        }
        None => {
            let limit = usize::try_from(octets(flags.journal_mib.unwrap_or(64)))?;
            Operator::in_memory(settings, flags.max_messages, limit)
        }
    };
    let operator = opened?;
    if let Some(file) = &flags.faults {
        let said = || file.display().to_string();
        let json = std::fs::read(file).with_context(said)?;
        operator.set_faults_json(&json).map_err(anyhow::Error::msg).with_context(said)?;
    }
    Ok(operator)
}

/// Both signals mean: stop cleanly.
fn cancel_on_signals(shutdown: CancellationToken) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_consistent() {
        <Flags as clap::CommandFactory>::command().debug_assert();
    }
}
