//! What a client may ask of us.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Violations;

/// The settings of an HTTP server.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpLimits {
    /// Connections open at once; further ones wait in the system's queue.
    pub max_connections: usize,
    /// A request's line and headers together, in bytes; more is answered 431.
    pub max_head_bytes: usize,
    /// Headers of a request; more is answered 431.
    pub max_headers: usize,
    /// From a head's first byte to its last, in milliseconds; then the connection is cut.
    pub head_timeout_ms: u64,
    /// From the opening or the last answer to the end of the next head, in milliseconds; then the
    /// connection is closed. Load balancers should give up idle connections earlier.
    pub idle_timeout_ms: u64,
    /// Between two pieces of an answer that the client takes, in milliseconds; then the connection is cut.
    pub write_timeout_ms: u64,
    /// A request's whole body, in milliseconds; longer is answered 408.
    pub body_timeout_ms: u64,
    /// Between two pieces of a body, in milliseconds; longer is answered 408.
    pub body_idle_ms: u64,
    /// When stopping: how long requests in flight may take, in milliseconds; then they are cut. Less than the
    /// budget of the phase in which the server stops.
    pub drain_ms: u64,
}

impl HttpLimits {
    /// Checks the ranges. `section` is the name of the section, for the messages.
    pub fn check(&self, section: &str, violations: &mut Violations) {
        let key = |name: &str| format!("{section}.{name}");
        violations.range(&key("max_connections"), self.max_connections, 1..=100_000);
        violations.range(&key("max_head_bytes"), self.max_head_bytes, 1_024..=32_768);
        violations.range(&key("max_headers"), self.max_headers, 10..=500);
        for (name, value_ms) in [
            ("head_timeout_ms", self.head_timeout_ms),
            ("idle_timeout_ms", self.idle_timeout_ms),
            ("write_timeout_ms", self.write_timeout_ms),
            ("body_timeout_ms", self.body_timeout_ms),
            ("body_idle_ms", self.body_idle_ms),
            ("drain_ms", self.drain_ms),
        ] {
            violations.range(&key(name), value_ms, 10..=600_000);
        }
        violations.require(
            self.head_timeout_ms <= self.idle_timeout_ms,
            &key("head_timeout_ms"),
            "at most idle_timeout_ms",
        );
        violations.require(
            self.body_idle_ms <= self.body_timeout_ms,
            &key("body_idle_ms"),
            "at most body_timeout_ms",
        );
    }

    /// `body_timeout_ms`, for [`read_body`](super::read_body).
    pub fn body_timeout(&self) -> Duration {
        Duration::from_millis(self.body_timeout_ms)
    }

    /// `body_idle_ms`, for [`read_body`](super::read_body).
    pub fn body_idle(&self) -> Duration {
        Duration::from_millis(self.body_idle_ms)
    }
}
