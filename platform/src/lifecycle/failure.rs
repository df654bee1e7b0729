//! Why a run did not end well.

use std::fmt;

use super::Phase;

/// One component that did not do as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It ended before it was asked; the process was shut down because of it.
    Died {
        /// The component.
        name: &'static str,
        /// "returned", the error with its causes, or "panicked".
        how: String,
    },
    /// It was asked to stop, and ended with an error or a panic.
    FailedToStop {
        /// The component.
        name: &'static str,
        /// The error with its causes, or "panicked".
        how: String,
    },
    /// It was asked to stop and was still running when the budget of its phase had passed.
    Overran {
        /// The component.
        name: &'static str,
        /// The phase in which it was asked.
        phase: Phase,
        /// The budget of the phase, in milliseconds.
        budget_ms: u128,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Died { name, how } => write!(f, "{name} ended without being asked: {how}"),
            Self::FailedToStop { name, how } => write!(f, "{name} failed while stopping: {how}"),
            Self::Overran { name, phase, budget_ms } => {
                write!(f, "{name} did not stop within the {budget_ms} ms of phase {phase}")
            }
        }
    }
}

/// Everything that went wrong in a run, in the order it happened: the first is usually the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("; "))]
pub struct Failure {
    /// At least one.
    pub faults: Vec<Fault>,
}
