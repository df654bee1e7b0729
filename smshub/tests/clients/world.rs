//! A gateway that serves, a customer of it, and programs of other languages.

use simulator::Settings;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use testkit::gateway::{Customer, Gateway, Process};
use tokio::process::Command;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_smshub");

/// A gateway whose operator delivers everything at once.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) process: Process,
    pub(crate) customer: Customer,
}

impl World {
    pub(crate) async fn new() -> Self {
        let operator =
            Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 0, ..Settings::default() };
        let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator).await;
        let process = gateway.start("all", "all").await;
        let customer = gateway.customer(1_000_000_000);
        World { gateway, process, customer }
    }

    /// Where the API is.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.process.api)
    }

    /// Where its description is.
    pub(crate) fn schema(&self) -> String {
        format!("{}/api/schema/", self.url())
    }

    /// What a program of the customer is told.
    pub(crate) fn customers<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("SMSHUB_URL", self.url()).env("SMSHUB_KEY", self.customer.key())
    }

    pub(crate) async fn close(self) {
        drop(self.process);
        self.gateway.close().await;
    }
}

/// A program or folder among what `make test` fetched for clients.
pub(crate) fn tool(name: &str) -> PathBuf {
    Path::new(&testkit::variable("SMSHUB_TEST_CLIENTS")).join(name)
}

/// Runs a program to its end and returns what it printed.
///
/// # Panics
/// Where it fails or takes longer than `limit`, with all it said.
pub(crate) async fn run(command: &mut Command, limit: Duration) -> String {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let done = tokio::time::timeout(limit, command.output()).await;
    let output = done.unwrap_or_else(|_| panic!("{command:?}: not done within {limit:?}"));
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}
