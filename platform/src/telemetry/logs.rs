//! Log lines. They carry message, chunk and request ids, never numbers or texts of customers.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::config::{Violation, Violations};

/// The settings of the log.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// Which lines are written, as `tracing` understands it: `info`, `info,platform::kafka=debug`.
    pub filter: String,
    /// How a line is written.
    pub format: LogFormat,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// For a person at a terminal.
    Text,
}

impl LogSettings {
    /// The filter must be one. `section` is the name of the section, for the message.
    pub fn check(&self, section: &str, violations: &mut Violations) {
        let filter = EnvFilter::try_new(&self.filter);
        let violation = |error| Violation::new(format!("{section}.filter"), format!("a log filter: {error}"));
        violations.check(filter.map(drop).map_err(violation));
    }
}

/// Starts the log of this process, to stderr. Once, before everything else.
///
/// # Errors
/// When the filter is not one, or a log was started already.
pub fn init_logs(settings: &LogSettings) -> anyhow::Result<()> {
    let subscriber = subscriber(settings, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).context("a log was started already")
}

fn subscriber<W>(
    settings: &LogSettings,
    writer: W,
) -> anyhow::Result<Box<dyn tracing::Subscriber + Send + Sync>>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(&settings.filter).context("log.filter")?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    Ok(match settings.format {
        // Fields of the event at the top, those of the innermost span (request_id) under `span`.
        LogFormat::Json => Box::new(
            builder.json().flatten_event(true).with_current_span(true).with_span_list(false).finish(),
        ),
        LogFormat::Text => Box::new(builder.with_ansi(false).finish()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn log(format: LogFormat, filter: &str) -> String {
        let written = Written::default();
        let writer = written.clone();
        let settings = LogSettings { filter: filter.to_owned(), format };
        let subscriber = subscriber(&settings, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let _entered = tracing::info_span!("request", request_id = "r-1").entered();
            tracing::info!(chunk = 7, "billed");
            tracing::debug!("not shown");
        });
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn json_lines_hold_the_fields_of_event_and_span() {
        let text = log(LogFormat::Json, "info");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["message"], "billed");
        assert_eq!(line["chunk"], 7);
        assert_eq!(line["level"], "INFO");
        assert_eq!(line["span"]["request_id"], "r-1");
        assert!(line["timestamp"].as_str().unwrap().ends_with('Z'));
    }

    #[test]
    fn the_filter_decides_what_is_written() {
        assert!(log(LogFormat::Text, "debug").contains("not shown"));
        assert!(log(LogFormat::Text, "error").is_empty());
    }

    #[test]
    fn a_filter_that_is_none_is_a_violation() {
        let mut violations = Violations::new();
        let settings = LogSettings { filter: "platform=loud".to_owned(), format: LogFormat::Json };
        settings.check("log", &mut violations);
        let refused = violations.into_result().unwrap_err().to_string();
        assert!(refused.starts_with("log.filter: expected a log filter: "), "{refused}");
    }
}
