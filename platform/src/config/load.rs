//! Laying the three sources over one another.

use std::path::Path;

use config::{Config, Value};
use serde::de::DeserializeOwned;

use super::ConfigError;
use super::environment::EnvironmentLayer;
use super::kinds::mismatches;
use super::text::TextLayer;

const DEFAULTS: &str = "the built-in defaults";

/// Reads the settings: `defaults_toml`, overridden by `file`, overridden by `environment` (usually
/// [`std::env::vars`]). See the module for the rules.
///
/// A list can be given in the environment only if the defaults hold it (it may be empty there).
///
/// # Errors
/// [`ConfigError::Unreadable`] when a source is no TOML; [`ConfigError::Refused`] with every unknown key and
/// every value of a wrong kind.
pub fn load<T: DeserializeOwned>(
    defaults_toml: &str,
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let default_layer = TextLayer::parse(DEFAULTS, defaults_toml)?;
    let defaults = default_layer.tree();
    let mut builder = Config::builder().add_source(default_layer);
    let mut problems = Vec::new();

    if let Some(path) = file {
        let origin = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable { origin: origin.clone(), reason: error.to_string() })?;
        let layer = TextLayer::parse(&origin, &text)?;
        problems.extend(mismatches(&defaults, &layer.tree(), &origin));
        builder = builder.add_source(layer);
    }
    match EnvironmentLayer::read(&defaults, environment) {
        Ok(layer) => builder = builder.add_source(layer),
        Err(found) => problems.extend(found),
    }

    let merged = builder.build().map_err(|error| ConfigError::refused(vec![error.to_string()]))?.cache;
    let settings = convert(merged, &mut problems);
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => Err(ConfigError::refused(problems)),
    }
}

/// Reads the tree into `T`; unknown keys and the first wrong value become problems.
fn convert<T: DeserializeOwned>(merged: Value, problems: &mut Vec<String>) -> Option<T> {
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(merged, &mut track);
    let mut unknown = Vec::new();
    let converted = serde_ignored::deserialize(deserializer, |path| {
        // An optional section shows as `?` in the path.
        unknown.push(path.to_string().replace(".?", ""));
    });
    problems.extend(unknown.into_iter().map(|key| format!("{key}: unknown key")));
    match converted {
        Ok(settings) => Some(settings),
        Err(error) => {
            problems.push(describe(&track.path().to_string(), &error));
            None
        }
    }
}

fn describe(path: &str, error: &config::ConfigError) -> String {
    use config::ConfigError::{At, NotFound, Type};
    match error {
        Type { origin, expected, .. } => match origin {
            Some(origin) => format!("{path}: expected {expected} (in {origin})"),
            None => format!("{path}: expected {expected}"),
        },
        At { error, .. } => describe(path, error),
        NotFound(key) => format!("{key}: missing"),
        other => format!("{path}: {other}"),
    }
}
