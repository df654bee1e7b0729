//! Why settings cannot be used.

/// Why the settings were refused. Nothing is started with settings that were refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file (or the embedded defaults) cannot be read, or is not TOML.
    #[error("{origin}: {reason}")]
    Unreadable {
        /// The file, or "the built-in defaults".
        origin: String,
        /// What the system or the TOML reader said.
        reason: String,
    },
    /// Settings that are unknown, of a wrong type, missing, or outside their range; each "key: what was
    /// expected". The value found is not repeated: it may be a secret in the wrong place.
    #[error("{}", .0.join("\n"))]
    Refused(Vec<String>),
    /// The settings cannot be written as TOML (an integer above 2^63 − 1).
    #[error("the settings cannot be shown as TOML: {0}")]
    NotToml(String),
}

impl ConfigError {
    /// A refusal with its problems sorted by key, so that the list is the same at every run.
    pub(super) fn refused(mut problems: Vec<String>) -> Self {
        problems.sort();
        problems.dedup();
        Self::Refused(problems)
    }
}
