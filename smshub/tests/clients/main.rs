//! What customers build on: the description of the API, the clients made from it, and the
//! samples of the guide; and what was built on the old gateway. All against the real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod described;
mod generated;
mod old;
mod samples;
mod world;
