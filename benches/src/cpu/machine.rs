//! CPU time of the whole machine, to see what else it did.

use super::TICK_US;
use anyhow::Context;
use std::fs;

/// A reading of all CPUs together.
#[derive(Clone, Copy)]
pub(crate) struct Machine {
    /// Everything but idling and waiting for the disk, in µs.
    pub(crate) busy_us: u64,
    /// What the hypervisor gave to others, in µs; part of `busy_us`.
    pub(crate) stolen_us: u64,
    pub(crate) idle_us: u64,
}

impl Machine {
    pub(crate) fn read() -> anyhow::Result<Self> {
        Machine::parse(&fs::read_to_string("/proc/stat")?).context("/proc/stat is not as expected")
    }

    /// The first line: user, nice, system, idle, iowait, irq, softirq, steal.
    fn parse(stat: &str) -> Option<Self> {
        let fields = stat.lines().next()?.strip_prefix("cpu ")?.split_ascii_whitespace();
        let us: Vec<u64> =
            fields.map(|field| Some(field.parse::<u64>().ok()? * TICK_US)).collect::<Option<_>>()?;
        let [user, nice, system, idle, iowait, irq, softirq, stolen] = us.first_chunk::<8>()?;
        Some(Machine {
            busy_us: user + nice + system + irq + softirq + stolen,
            stolen_us: *stolen,
            idle_us: idle + iowait,
        })
    }

    /// What passed since `before`.
    pub(crate) fn since(&self, before: &Machine) -> Machine {
        Machine {
            busy_us: self.busy_us.saturating_sub(before.busy_us),
            stolen_us: self.stolen_us.saturating_sub(before.stolen_us),
            idle_us: self.idle_us.saturating_sub(before.idle_us),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_first_line_counts() {
        let stat = "cpu  1 2 3 4 5 6 7 8 9 9\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        let machine = Machine::parse(stat).unwrap();
        assert_eq!((machine.busy_us, machine.stolen_us, machine.idle_us), (270_000, 80_000, 90_000));
        assert!(Machine::parse("cpu  1 2 3\n").is_none());
    }
}
