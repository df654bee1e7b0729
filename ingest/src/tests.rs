//! The role as a whole, on real Postgres and Kafka. Answers are held against snapshots in
//! which ids and times are replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod admin;
mod bad_input;
mod docs;
mod funds;
mod gateway;
mod idempotency;
mod keys;
mod legacy;
mod lists;
mod opt_outs;
mod rates;
mod receipts;
mod reports;
mod scarcity;
mod sending;
mod server;
pub(crate) mod settings;
mod webhooks;
