//! The command line of the load generator.

use crate::bodies::Form;
use crate::cpu::Watched;
use anyhow::{Context, ensure};
use clap::Parser;
use std::path::PathBuf;

/// Sends synthetic messages through smshub's public API and reports rates, latencies and
/// CPU time for each message, as Markdown on stdout.
#[derive(Debug, Parser)]
#[command(name = "loadgen")]
pub struct Flags {
    /// The address of the public API
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// File with one API key a line, each of another account; they share the bulk calls.
    /// With --express-rate the last one is that of the single messages alone
    #[arg(long, value_name = "FILE")]
    pub(crate) keys: PathBuf,
    /// The heading of the report
    #[arg(long, default_value = "Load")]
    pub(crate) title: String,
    /// Messages of a run, in bulk calls; a multiple of --per-call, 0 for none
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) messages: u64,
    /// Messages of one bulk call
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) per_call: u32,
    /// What bulk calls look like
    #[arg(long, value_enum, default_value_t = Form::Messages)]
    pub(crate) form: Form,
    /// Bulk calls under way at once
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) concurrency: u16,
    /// Submit no more messages a second than this, in bulk calls; 0: as fast as they are taken
    #[arg(long, default_value_t = 0)]
    pub(crate) rate: u32,
    /// Single express messages a second beside the bulk calls, at a fixed rate; 0: none
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=50_000))]
    pub(crate) express_rate: u32,
    /// How long single messages are sent where there are no bulk calls, in seconds; where there
    /// are, until those are settled
    #[arg(long, default_value_t = 20)]
    pub(crate) express_seconds: u32,
    /// Messages of the run before the measured ones, which is not reported; of --per-call each
    #[arg(long, default_value_t = 0)]
    pub(crate) warm_up: u64,
    /// Measured runs, one after the other
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=20))]
    pub(crate) runs: u8,
    /// A process whose CPU time is measured, its children included; may be repeated
    #[arg(long = "process", value_name = "NAME=PID")]
    pub(crate) processes: Vec<Watched>,
    /// Where it is written when each express message of the measured runs was due and answered
    #[arg(long, value_name = "FILE")]
    pub(crate) answers: Option<PathBuf>,
    /// The address of the simulated operator, whose counters go into the report
    #[arg(long, value_name = "URL")]
    pub(crate) operator: Option<String>,
    /// Fault rules that the operator has during the measured runs, as a JSON array
    #[arg(long, value_name = "JSON", requires = "operator")]
    pub(crate) faults: Option<String>,
    /// Where the median rates are written, for --compare
    #[arg(long, value_name = "FILE")]
    pub(crate) save_rates: Option<PathBuf>,
    /// The rates of another scenario, to which those of this one are compared
    #[arg(long, value_name = "FILE")]
    pub(crate) compare: Option<PathBuf>,
    /// A run that is not settled so many seconds after its first request has failed
    #[arg(long, default_value_t = 900)]
    pub(crate) within_seconds: u32,
}

/// The keys of a file, as they were given.
pub(crate) struct Keys {
    pub(crate) bulk: Vec<String>,
    pub(crate) express: Option<String>,
}

impl Flags {
    /// Reads the keys, and checks what clap cannot.
    pub(crate) fn keys(&self) -> anyhow::Result<Keys> {
        let whole = self.messages.is_multiple_of(self.per_call.into())
            && self.warm_up.is_multiple_of(self.per_call.into());
        ensure!(whole, "--messages and --warm-up must be multiples of --per-call");
        ensure!(
            self.messages > 0 || self.express_rate > 0,
            "nothing to send: --messages and --express-rate are 0"
        );
        let file = std::fs::read_to_string(&self.keys)
            .with_context(|| format!("the keys in {} cannot be read", self.keys.display()))?;
        let mut bulk: Vec<String> =
            file.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        let express = if self.express_rate > 0 { bulk.pop() } else { None };
        ensure!(self.express_rate == 0 || express.is_some(), "{} has no key", self.keys.display());
        ensure!(self.messages == 0 || !bulk.is_empty(), "{} has no key for bulk calls", self.keys.display());
        Ok(Keys { bulk, express })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Flags::command().debug_assert();
    }
}
