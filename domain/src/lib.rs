//! The rules of smshub: what a message is, what it costs, when it is final.
//!
//! Everything here is pure. There is no clock, no randomness, no database and no queue:
//! functions take facts and return decisions, and other crates carry them out. So every
//! rule can be tested by itself, and the same function decides in production, in the
//! property tests and in `smshub audit`.

pub mod bits;
pub mod funds;
pub mod hold;
pub mod hours;
pub mod id;
pub mod invariant;
pub mod lane;
pub mod magfa;
pub mod money;
pub mod outcome;
pub mod partition;
pub mod phone;
pub mod rows;
pub mod search;
pub mod settle;
pub mod status;
pub mod tariff;
pub mod template;
pub mod text;
pub mod time;
