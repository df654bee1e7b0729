//! A layer of settings from TOML text that knows where it came from.

use config::{FileFormat, Format, Map, Source, Value};

use super::ConfigError;

/// The defaults, or a file that was read. (The `config` crate's own file source forgets the origin of text,
/// and looks for other files with similar names.)
#[derive(Debug, Clone)]
pub(super) struct TextLayer {
    settings: Map<String, Value>,
}

impl TextLayer {
    pub(super) fn parse(origin: &str, text: &str) -> Result<Self, ConfigError> {
        let settings = FileFormat::Toml.parse(Some(&origin.to_owned()), text).map_err(|error| {
            ConfigError::Unreadable { origin: origin.into(), reason: without_quotation(&error.to_string()) }
        })?;
        Ok(Self { settings })
    }

    /// The layer as one section.
    pub(super) fn tree(&self) -> Value {
        self.settings.clone().into()
    }
}

impl Source for TextLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.settings.clone())
    }
}

/// TOML's errors quote the line at fault (`3 | password = …`), which may hold a secret.
fn without_quotation(reason: &str) -> String {
    let lines: Vec<&str> = reason.lines().filter(|line| !line.contains('|')).map(str::trim).collect();
    lines.join(": ")
}
