//! The command line, as people and scripts use it: the real binary.
#![allow(unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;
mod admin;
mod audit;
mod config;
mod dead;
mod records;
mod send;
mod support;
mod trace;
mod usage;
