//! Which roles a process runs: `all`, or a list.

use platform::ownership::Role;
use std::str::FromStr;

/// The roles of one process: at least one, each once, in the order of the journey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Targets(Vec<Role>);

impl Targets {
    /// The roles.
    pub(crate) fn roles(&self) -> &[Role] {
        &self.0
    }
}

impl FromStr for Targets {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "all" {
            return Ok(Targets(Role::ALL.to_vec()));
        }
        let mut roles = text
            .split(',')
            .map(|name| Role::from_str(name.trim()).map_err(|error| format!("{error}, or all")))
            .collect::<Result<Vec<_>, _>>()?;
        roles.sort();
        roles.dedup();
        Ok(Targets(roles))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_or_a_list() {
        let of = |text: &str| Targets::from_str(text).unwrap().0;
        assert_eq!(of("all"), Role::ALL);
        assert_eq!(of("sender, ingest,sender"), [Role::Ingest, Role::Sender]);
        for wrong in ["", "ingest,", "all,ingest", "Ingest", "billing"] {
            let error = Targets::from_str(wrong).unwrap_err();
            assert!(
                error.ends_with("expected ingest, billing-consumer, sender or dlr-reconciler, or all"),
                "{error}"
            );
        }
    }
}
