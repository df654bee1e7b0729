//! What operators say of messages afterwards, or do not say, through the whole binary: real
//! processes, real Kafka and Postgres, an operator over a socket. Each case ends in clean books,
//! an operator that took no message twice, and for every message the status and the money that
//! the policy demands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod absent;
mod contradicting;
mod ends;
mod forged;
mod frozen;
mod killed;
mod pushed;
mod traffic;
mod world;
