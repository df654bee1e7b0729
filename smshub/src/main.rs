//! The one binary of smshub: every role, and every command of the people who run it.

mod cli;
mod commands;
mod compose;
mod database;
mod failure;
mod kafka;
mod person;
mod settings;
mod target;

use clap::Parser;
use std::process::ExitCode;

// Many threads that allocate short-lived buffers of all sizes: the system's allocator would
// keep several times as much memory.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Wrong usage ends here, with code 2.
    let cli = cli::Cli::parse();
    commands::execute(cli).unwrap_or_else(|error| failure::report(&error))
}
