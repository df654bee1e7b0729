//! How smshub talks to the world: settings, lifecycle, HTTP, telemetry, Postgres, Kafka, ownership.

pub mod config;
pub mod health;
pub mod heard;
pub mod http;
pub mod install;
pub mod kafka;
pub mod lag;
pub mod lifecycle;
pub mod management;
pub mod metrics;
pub mod ownership;
pub mod postgres;
pub mod role;
pub mod telemetry;
pub mod threads;
pub mod time;
pub mod webhook;
