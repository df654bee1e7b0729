//! How the process lives and ends.
//!
//! Everything that runs for as long as the process is a *component*: a task or an OS thread with a name and
//! the [`Phase`] in which it is asked to stop. On a signal the phases follow one another: the components of a
//! phase are asked, and waited for up to the phase's budget, before those of the next phase are asked. So a
//! producer outlives the consumers that feed it, and a partition is given back only when nobody works on it.
//!
//! A component that ends before it was asked is the death of the process: the same ordered shutdown begins
//! at once, and [`Lifecycle::run`] returns an error that names the component. Nothing is restarted in place;
//! what restarts processes starts a new one from the last committed positions.

mod budgets;
mod failure;
mod phase;
mod run;
mod signal;
mod spawn;
mod stop;

pub use budgets::Budgets;
pub use failure::{Failure, Fault};
pub use phase::Phase;
pub use signal::termination;
pub use spawn::Lifecycle;
pub use stop::Stop;

#[cfg(test)]
mod tests;
