//! CPU time of processes, by thread or by child, from /proc.

mod machine;
mod stat;

pub(crate) use machine::Machine;

use anyhow::{Context, bail};
use stat::{Stat, tasks};
use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

/// The kernel counts in hundredths of a second for /proc, whatever its own clock.
const TICK_US: u64 = 10_000;
/// What ended between two readings.
const ENDED: &str = "(ended)";

/// A process to be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Watched {
    pub(crate) name: String,
    pid: u32,
}

impl FromStr for Watched {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('=').and_then(|(name, pid)| Some((name, pid.parse().ok()?)));
        match parts {
            Some((name, pid)) if !name.is_empty() => Ok(Watched { name: name.to_owned(), pid }),
            _ => bail!("expected NAME=PID"),
        }
    }
}

/// What one process has used so far.
pub(crate) struct Reading {
    /// Itself and all its children, those that ended included.
    ticks: u64,
    /// Each thread; or, of a process that works in children, each child. With their group.
    parts: HashMap<u32, (String, u64)>,
    /// Memory of its own in MiB, resident now.
    pub(crate) resident_mib: u64,
}

/// What one process used between two readings, in µs.
#[derive(Clone, Debug)]
pub(crate) struct Usage {
    pub(crate) total_us: u64,
    pub(crate) groups_us: BTreeMap<String, u64>,
}

impl Watched {
    /// This process.
    pub(crate) fn own(name: &str) -> Self {
        Watched { name: name.to_owned(), pid: std::process::id() }
    }

    pub(crate) fn read(&self) -> anyhow::Result<Reading> {
        let gone = || format!("process {} ({}) cannot be read: has it ended?", self.pid, self.name);
        let own = Stat::of_process(self.pid).with_context(gone)?;
        let children = stat::children(self.pid)?;
        let mut ticks = own.ticks + own.children_ticks;
        let mut parts = HashMap::new();
        for (pid, child) in &children {
            ticks += child.ticks + child.children_ticks;
            parts.insert(*pid, (stat::title_group(*pid, &child.name), child.ticks + child.children_ticks));
        }
        if children.is_empty() {
            for (id, thread) in tasks(self.pid).with_context(gone)? {
                parts.insert(id, (thread_group(&thread.name), thread.ticks));
            }
        } else {
            parts.insert(self.pid, ("main".to_owned(), own.ticks));
        }
        Ok(Reading { ticks, parts, resident_mib: stat::resident_mib(self.pid) })
    }
}

impl Reading {
    /// What was used since `before`. Parts that ended in between are one group together.
    pub(crate) fn since(&self, before: &Reading) -> Usage {
        let mut groups_us: BTreeMap<String, u64> = BTreeMap::new();
        for (id, (group, ticks)) in &self.parts {
            let earlier = before.parts.get(id).map_or(0, |(_, ticks)| *ticks);
            *groups_us.entry(group.clone()).or_default() += ticks.saturating_sub(earlier) * TICK_US;
        }
        let total_us = self.ticks.saturating_sub(before.ticks) * TICK_US;
        let ended = total_us.saturating_sub(groups_us.values().sum());
        if ended > 0 {
            groups_us.insert(ENDED.to_owned(), ended);
        }
        Usage { total_us, groups_us }
    }
}

/// The name without the number at its end: `rdk:broker1` and `rdk:broker2` do the same work.
fn thread_group(name: &str) -> String {
    let group = name.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '#' | ' ' | '_'));
    if group.is_empty() { name.to_owned() } else { group.to_owned() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn names_and_pids() {
        let watched: Watched = "smshub=12".parse().unwrap();
        assert_eq!(watched, Watched { name: "smshub".into(), pid: 12 });
        for bad in ["smshub", "=1", "a=b", "a=-1"] {
            assert!(bad.parse::<Watched>().is_err(), "{bad}");
        }
    }

    #[test]
    fn threads_of_one_kind_are_one_group() {
        for (name, group) in
            [("rdk:broker-1", "rdk:broker"), ("C2 CompilerThre", "C2 CompilerThre"), ("7", "7")]
        {
            assert_eq!(thread_group(name), group);
        }
    }

    /// Burns CPU in a thread of its own name and finds it in that group and in the total.
    #[test]
    fn what_a_thread_uses_is_found_under_its_name() {
        let own = Watched::own("test");
        let before = own.read().unwrap();
        let (done, wait) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::Builder::new().name("burner-1".into());
        let (ready, burnt) = std::sync::mpsc::channel();
        let thread = thread.spawn(move || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(200) {
                std::hint::black_box(0);
            }
            ready.send(()).unwrap();
            let _ = wait.recv();
        });
        burnt.recv().unwrap();
        let usage = own.read().unwrap().since(&before);
        assert!(usage.groups_us["burner"] >= 20_000, "{usage:?}");
        assert!(usage.total_us >= usage.groups_us["burner"], "{usage:?}");
        drop(done);
        thread.unwrap().join().unwrap();
        // Now it is among those that ended.
        let usage = own.read().unwrap().since(&before);
        assert!(usage.groups_us[ENDED] >= 20_000, "{usage:?}");
    }
}
