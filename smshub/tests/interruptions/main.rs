//! Killing and freezing processes in mid-traffic: nothing lost, nothing billed twice, one output
//! for each input, no message sent twice. The points are seeded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod freeze;
mod kill;
mod traffic;

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
