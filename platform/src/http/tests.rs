#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bodies;
mod conventions;
mod heads;
mod server;
mod stopping;
