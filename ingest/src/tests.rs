//! The role as a whole, on real Postgres and Kafka. Answers are held against snapshots in
//! which ids and times are replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
pub(crate) mod billing;
mod campaigns;
mod docs;
pub(crate) mod gateway;
mod keys;
mod receipts;
mod reports;
mod scarcity;
mod sending;
mod server;
pub(crate) mod settings;
