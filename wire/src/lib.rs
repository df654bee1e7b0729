//! The Kafka records: what roles say to each other.
//!
//! `proto/sms.proto` is the contract and `golden/` holds records of every version ever
//! written, which must stay readable. The types here are checked: what decodes has ids that
//! can be ids, lists of equal length and sizes within the bounds, so no role checks again.

pub mod attempt;
pub mod billed;
pub mod envelope;
mod erased;
pub mod receipts;
pub mod submitted;

/// The generated messages. Roles use the checked types beside this module.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub(crate) mod proto {
    include!(concat!(env!("OUT_DIR"), "/smshub.wire.v1.rs"));
}

pub use envelope::{Version, WireError};
