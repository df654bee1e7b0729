//! Joins what was written down of express messages. See `benches/README.md`.

use clap::Parser;
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&benches::HopsFlags::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "hops: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(flags: &benches::HopsFlags) -> anyhow::Result<()> {
    let report = benches::hops(flags)?;
    Ok(std::io::stdout().write_all(report.as_bytes())?)
}
