//! The topmost layer: `SMSHUB__SECTION__KEY=value`.

use config::{Map, Source, Value, ValueKind};

use super::kinds::{Kind, find};

const PREFIX: &str = "SMSHUB__";
const LEVEL: &str = "__";

/// The settings found in the environment, as a layer for the `config` crate.
#[derive(Debug, Clone, Default)]
pub(super) struct EnvironmentLayer {
    settings: Map<String, Value>,
}

impl EnvironmentLayer {
    /// Reads the variables that are ours. A value becomes what the setting is in the defaults; a setting
    /// without a default stays text, for the type that is read into.
    pub(super) fn read(
        defaults: &Value,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Vec<String>> {
        let mut layer = Self::default();
        let mut problems = Vec::new();
        for (name, value) in environment {
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            match key_path(rest) {
                None => problems.push(format!(
                    "{name}: expected capitals, digits and underscores, with two underscores between levels"
                )),
                Some(path) => match convert(find(defaults, &path), &value) {
                    Ok(kind) => {
                        let origin = format!("environment variable {name}");
                        layer.settings.insert(path.join("."), Value::new(Some(&origin), kind));
                    }
                    Err(expected) => {
                        problems.push(format!("{}: expected {expected} (in {name})", path.join(".")));
                    }
                },
            }
        }
        if problems.is_empty() { Ok(layer) } else { Err(problems) }
    }
}

impl Source for EnvironmentLayer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.settings.clone())
    }
}

fn key_path(rest: &str) -> Option<Vec<String>> {
    let allowed = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    let path: Vec<String> = rest.split(LEVEL).map(str::to_ascii_lowercase).collect();
    let well_formed = rest.chars().all(allowed) && path.iter().all(|key| !key.is_empty());
    well_formed.then_some(path)
}

/// The value as the kind that the default has; else the name of what was expected.
fn convert(default: Option<&Value>, text: &str) -> Result<ValueKind, &'static str> {
    let Some(kind) = default.and_then(Kind::of) else { return Ok(ValueKind::String(text.into())) };
    let trimmed = text.trim();
    let converted = match kind {
        Kind::Boolean => trimmed.parse().ok().map(ValueKind::Boolean),
        Kind::Integer => trimmed.parse().ok().map(ValueKind::I64),
        Kind::Float => trimmed.parse().ok().filter(|n: &f64| n.is_finite()).map(ValueKind::Float),
        Kind::String => Some(ValueKind::String(text.into())),
        Kind::List => Some(ValueKind::Array(list(trimmed))),
        Kind::Section => None,
    };
    converted.ok_or(if kind == Kind::Section { "a key inside this section" } else { kind.name() })
}

fn list(text: &str) -> Vec<Value> {
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| Value::new(None, ValueKind::String(item.trim().into()))).collect()
}
