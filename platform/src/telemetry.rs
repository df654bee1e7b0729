//! What the process says about itself: logs to stderr, metrics for Prometheus.

mod logs;
mod panics;
mod recorder;

pub use logs::{LogFormat, LogSettings, init_logs};
pub use panics::install_panic_hook;
pub use recorder::{install_recorder, upkeep};
