//! Who holds which partition, and who mints under which number: several "processes" (a data
//! folder, a heartbeat and an owner each, on a thread of their own) over one schema.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ids;
mod nodes;
mod process;
mod shares;
mod takeover;
mod vanished;
mod watchdog;
mod world;
