//! An operator to develop, test, demonstrate and benchmark smshub against.
//!
//! It speaks Magfa's HTTP v2 over a socket. One call's journey: [`serve`] reads it from a
//! kept-alive connection, the [`Operator`] judges each element (a pure function of the
//! settings, see [`fate`]), writes what was received to the [`journal`], takes it into a
//! compact store and answers. Nothing runs per message: when a receipt is due was decided
//! at submission and is looked at when somebody polls. Only where receipts are to be pushed
//! is there a queue of them. What goes wrong on the way is asked for by [`fault`] rules.

mod answer;
mod control;
mod date;
pub mod fate;
pub mod fault;
mod http;
pub mod journal;
mod number;
mod operator;
mod push;
mod receipt;
mod settings;
mod stats;
mod store;
mod submission;
mod text;

pub use http::serve;
pub use operator::{OpenError, Operator};
pub use settings::Settings;
pub use stats::Stats;

/// Milliseconds since 1970-01-01 UTC.
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
