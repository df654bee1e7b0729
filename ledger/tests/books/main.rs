//! The books on real Postgres, each test in a schema of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod admin;
mod audit;
mod finals;
mod funds;
mod holds;
mod immutable;
mod limits;
mod model;
mod races;
mod ranges;
mod support;
