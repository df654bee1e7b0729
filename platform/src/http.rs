//! Serving HTTP/1.1: bounds on everything a client sends, and one form of answers.
//!
//! * [`serve`] runs a router on a listener within [`HttpLimits`]. A head that is refused gets a bare 4xx, a
//!   head that is too slow gets nothing: there is nobody to tell.
//! * [`with_conventions`] gives a router what api.md promises of every answer: `Request-Id`, problems for
//!   unknown paths, wrong methods and panics; and the access log and metrics.
//! * [`read_body`] reads a request's body within bounds of size and time.
//! * [`Problem`](problem::Problem) is every error's form.

mod access;
mod activity;
mod body;
mod connection;
mod conventions;
mod guard;
mod limits;
pub mod problem;
mod request_id;
mod serve;

pub use body::{Pieces, read_body};
pub use conventions::with_conventions;
pub use limits::HttpLimits;
pub use request_id::RequestId;
pub use serve::serve;

#[cfg(test)]
mod tests;
