//! Alarms about what happened, and not about how things stand: what was parked or left out is
//! in the tables, the log and the metrics, and nothing becomes well again. So they end by
//! themselves, when nothing more of the kind came for a while. (What two workers raised ends with
//! the first of them; the next of the kind raises it anew.)

use platform::health::Health;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Nothing more came for so long: the alarm ends. Long enough that it is seen.
const QUIET: Duration = Duration::from_secs(3_600);

/// Those that are raised. As many as there are partitions, and connectors that push.
pub(super) struct Alarms {
    health: Health,
    raised: BTreeMap<(&'static str, String), Instant>,
}

impl Alarms {
    pub(super) fn new(health: Health) -> Self {
        Alarms { health, raised: BTreeMap::new() }
    }

    /// It happened at `now`, perhaps once more.
    pub(super) fn raise(&mut self, code: &'static str, subject: &str, detail: &str, now: Instant) {
        self.health.raise_alarm(code, subject, detail);
        self.raised.insert((code, subject.to_owned()), now);
    }

    /// Ends those of which nothing more came.
    pub(super) fn end_quiet(&mut self, now: Instant) {
        let health = &self.health;
        self.raised.retain(|(code, subject), last| {
            let stays = now.duration_since(*last) < QUIET;
            if !stays {
                health.clear_alarm(code, subject);
            }
            stays
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_end_when_nothing_more_comes() {
        let health = Health::new();
        let mut alarms = Alarms::new(health.clone());
        let raised = || -> Vec<String> {
            health
                .report()
                .alarms
                .into_iter()
                .map(|alarm| format!("{} {}", alarm.code, alarm.subject))
                .collect()
        };
        let start = Instant::now();
        health.raise_alarm("another", "x", "not ours to end");
        alarms.raise("parked", "a", "offset 1", start);
        alarms.raise("parked", "b", "offset 1", start);
        alarms.raise("parked", "a", "offset 2", start + QUIET / 2);
        alarms.end_quiet(start + QUIET - Duration::from_millis(1));
        assert_eq!(raised(), ["another x", "parked a", "parked b"]);
        alarms.end_quiet(start + QUIET);
        assert_eq!(raised(), ["another x", "parked a"]);
        alarms.end_quiet(start + QUIET * 3 / 2);
        assert_eq!(raised(), ["another x"]);
        alarms.raise("parked", "b", "offset 3", start + QUIET * 2);
        alarms.end_quiet(start + QUIET * 2);
        assert_eq!(raised(), ["another x", "parked b"], "it is raised anew");
    }
}
