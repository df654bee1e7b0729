//! The load generator of `make bench`. See `benches/README.md`.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&benches::Flags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "loadgen: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &benches::Flags) -> anyhow::Result<()> {
    // reqwest wants a choice of cryptography, though nothing here is encrypted.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // One thread: what the generator takes, the measured processes do not have.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(benches::measure(flags))?;
    Ok(std::io::stdout().write_all(report.as_bytes())?)
}
