//! The order in which things stop.

use std::fmt;

/// When a component is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// No new work from outside: readiness answers 503, the public port closes, what it has accepted is
    /// finished.
    StopAccepting,
    /// Consumers take nothing more and finish what they hold.
    Drain,
    /// Producers deliver what they hold.
    Flush,
    /// Partitions, node number and heartbeat are given back.
    Release,
    /// Connections, metrics and the management port close.
    Close,
}

impl Phase {
    /// All phases, in their order.
    pub const ALL: [Self; 5] = [Self::StopAccepting, Self::Drain, Self::Flush, Self::Release, Self::Close];

    /// The name in logs and in settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::StopAccepting => "stop_accepting",
            Self::Drain => "drain",
            Self::Flush => "flush",
            Self::Release => "release",
            Self::Close => "close",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
