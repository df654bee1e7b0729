//! Recipients that opted out, of one sender line of an account or of all: listed, changed, and
//! asked for before a call is taken.
//!
//! The door asks one query a call. Most accounts have no opt-outs at all; that is remembered for
//! a moment, and believed for longer where Postgres does not answer: the sender knows by itself
//! what changed in the last days, and asks it again before each message.

mod check;
mod import;
mod store;

pub(crate) use check::OptOuts;
pub use import::{Faulty, Import, Report};
pub use store::{Change, OptOut, add, list, remove};
