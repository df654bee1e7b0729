//! The role as a whole, on real Postgres and Kafka. Answers are held against snapshots in
//! which ids and times are replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod docs;
mod gateway;
mod keys;
mod lists;
mod opt_outs;
mod receipts;
mod reports;
mod scarcity;
mod sending;
mod server;
mod settings;
