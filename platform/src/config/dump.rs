//! Showing the settings in force.

use serde::Serialize;

use super::ConfigError;

/// The settings as TOML; every [`Secret`](super::Secret) is `***`.
///
/// # Errors
/// [`ConfigError::NotToml`] for what TOML cannot hold: an integer above 2^63 − 1.
pub fn dump<T: Serialize>(settings: &T) -> Result<String, ConfigError> {
    toml::to_string_pretty(settings).map_err(|error| ConfigError::NotToml(error.to_string()))
}
