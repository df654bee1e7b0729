//! Settings: embedded documented defaults, under a file, under the environment.
//!
//! * Every setting stands, with its meaning and unit, in the defaults (TOML, embedded by the binary).
//! * A file given on the command line overrides some of them.
//! * `SMSHUB__SECTION__KEY=value` overrides both; two underscores separate the levels, the name is written
//!   in capitals. A setting that is a list in the defaults is given separated by commas.
//!
//! Units are in the name of a setting (`_ms`, `_bytes`, `_percent`), so that settings stay plain integers.
//! [`load`] refuses unknown keys and wrong types and names all it found. What a type cannot say (ranges,
//! settings that depend on each other) each section checks into one [`Violations`], so that
//! `smshub config check` lists everything at once.

mod dump;
mod environment;
mod error;
mod kinds;
mod load;
mod secret;
mod text;
mod violations;

pub use dump::dump;
pub use error::ConfigError;
pub use load::load;
pub use secret::Secret;
pub use violations::{Violation, Violations, check_range};

#[cfg(test)]
mod tests;
