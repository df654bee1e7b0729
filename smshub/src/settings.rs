//! All settings of a process: one section for each part of it.

mod check;
#[cfg(test)]
mod tests;

use platform::config::{ConfigError, Violations};
use platform::http::HttpLimits;
use platform::kafka::KafkaSettings;
use platform::lifecycle::Budgets;
use platform::ownership::OwnershipSettings;
use platform::postgres::PostgresSettings;
use platform::telemetry::LogSettings;
use platform::threads::ThreadSettings;
use platform::webhook::WebhookSettings;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;

/// The documented defaults: every setting stands there.
const DEFAULTS: &str = include_str!("../defaults.toml");

/// All settings. Sections are checked by the crates they belong to; how sections fit
/// together is checked here.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Settings {
    pub(crate) log: LogSettings,
    pub(crate) runtime: ThreadSettings,
    pub(crate) management: ManagementSettings,
    pub(crate) shutdown: Budgets,
    pub(crate) postgres: PostgresSettings,
    pub(crate) kafka: KafkaSettings,
    pub(crate) ownership: OwnershipSettings,
    pub(crate) webhooks: WebhookSettings,
    pub(crate) ingest: ingest::Settings,
    pub(crate) billing_consumer: billing_consumer::Settings,
    pub(crate) sender: sender::Settings,
    pub(crate) dlr_reconciler: dlr_reconciler::Settings,
}

/// The management port.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManagementSettings {
    /// Its address.
    pub(crate) listen: SocketAddr,
    /// How often the gauges of lag are brought up to date, in milliseconds.
    pub(crate) lag_every_ms: u64,
    /// What a client may ask of it.
    pub(crate) http: HttpLimits,
}

impl Settings {
    /// The defaults, overridden by `file`, overridden by the environment.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        platform::config::load(DEFAULTS, file, std::env::vars())
    }

    /// Everything that is out of range or does not fit together.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let mut violations = Violations::new();
        self.log.check("log", &mut violations);
        self.shutdown.check("shutdown", &mut violations);
        self.management.http.check("management.http", &mut violations);
        self.webhooks.check(&mut violations);
        self.ingest.check(&self.kafka, &mut violations);
        self.billing_consumer.check(&mut violations);
        self.sender.check(&mut violations);
        self.dlr_reconciler.check(&mut violations);
        check::sections(self, &mut violations);
        check::together(self, &mut violations);
        violations.into_result()
    }
}
