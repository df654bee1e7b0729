//! The consumer loop, the producer, reading by hand, topics and the installation, on real
//! Kafka.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod assignments;
mod install;
mod lag;
mod probe;
mod producer;
mod reader;
mod schedules;
mod shared;
mod tail;
mod tails;
mod topics;
mod unreadable;
