//! What kind of value a setting has in the defaults, and holding the layers above to it.
//!
//! The `config` crate converts freely (1.5 becomes 2, "yes" becomes 1). Where the defaults hold the setting,
//! we know better.

use config::{Value, ValueKind};

/// The kind of a value, as far as a setting can differ in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Integer,
    Float,
    String,
    List,
    Section,
}

impl Kind {
    pub(super) fn of(value: &Value) -> Option<Self> {
        Some(match value.kind {
            ValueKind::Nil => return None,
            ValueKind::Boolean(_) => Self::Boolean,
            ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => Self::Integer,
            ValueKind::Float(_) => Self::Float,
            ValueKind::String(_) => Self::String,
            ValueKind::Array(_) => Self::List,
            ValueKind::Table(_) => Self::Section,
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Integer => "an integer",
            Self::Float => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Section => "a section",
        }
    }

    fn takes(self, given: Self) -> bool {
        self == given || (self == Self::Float && given == Self::Integer)
    }
}

/// The value at a path of keys, if there is one.
pub(super) fn find<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, key| match &value.kind {
        ValueKind::Table(table) => table.get(key),
        _ => None,
    })
}

/// One problem for each setting of `layer` that is of another kind than in `defaults`. Settings that the
/// defaults do not hold are left to the type that is read into.
pub(super) fn mismatches(defaults: &Value, layer: &Value, origin: &str) -> Vec<String> {
    let mut problems = Vec::new();
    compare(defaults, layer, "", origin, &mut problems);
    problems
}

fn compare(defaults: &Value, layer: &Value, key: &str, origin: &str, problems: &mut Vec<String>) {
    if let (ValueKind::Table(defaults), ValueKind::Table(layer)) = (&defaults.kind, &layer.kind) {
        for (name, value) in layer {
            let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            if let Some(default) = defaults.get(name) {
                compare(default, value, &key, origin, problems);
            }
        }
        return;
    }
    if let (Some(expected), Some(given)) = (Kind::of(defaults), Kind::of(layer))
        && !expected.takes(given)
    {
        problems.push(format!("{key}: expected {}, found {} (in {origin})", expected.name(), given.name()));
    }
}
