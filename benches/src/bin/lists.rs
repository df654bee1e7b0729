//! Many stored messages, and questions about them. See `benches/README.md`.

use clap::{Parser, Subcommand};
use std::io::{BufWriter, Write};
use std::process::ExitCode;

/// Stores messages of a month, and measures lists and reports of them.
#[derive(Debug, Parser)]
#[command(name = "lists")]
struct Flags {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the messages, as SQL for psql, to stdout
    Store(benches::StoreFlags),
    /// Ask, and write the report as Markdown to stdout
    Ask(benches::AskFlags),
}

fn main() -> ExitCode {
    match run(&Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "lists: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &Flags) -> anyhow::Result<()> {
    match &flags.command {
        Command::Store(flags) => {
            let mut out = BufWriter::with_capacity(1 << 20, std::io::stdout().lock());
            benches::store(flags, &mut out)?;
            Ok(out.flush()?)
        }
        Command::Ask(flags) => {
            // reqwest wants a choice of cryptography, though nothing here is encrypted.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let report = runtime.block_on(benches::ask(flags))?;
            Ok(std::io::stdout().write_all(report.as_bytes())?)
        }
    }
}
