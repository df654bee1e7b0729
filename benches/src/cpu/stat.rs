//! Reading `/proc/<pid>/stat` and its like.

use anyhow::Context;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// One process or thread.
pub(super) struct Stat {
    pub(super) name: String,
    parent: u32,
    /// User and system time of its own.
    pub(super) ticks: u64,
    /// That of children that ended and were waited for.
    pub(super) children_ticks: u64,
}

impl Stat {
    pub(super) fn of_process(pid: u32) -> anyhow::Result<Self> {
        Stat::read(Path::new(&format!("/proc/{pid}/stat")))
    }

    fn read(path: &Path) -> anyhow::Result<Self> {
        let line = fs::read_to_string(path)?;
        Stat::parse(&line).with_context(|| format!("{} is not as expected", path.display()))
    }

    /// The name stands in parentheses, and may hold any itself.
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        // proc(5) counts from 1; the state, which comes first here, is its third.
        let fields: Vec<&str> = after.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Stat {
            name: name.to_owned(),
            parent: u32::try_from(field(4)?).ok()?,
            ticks: field(14)? + field(15)?,
            children_ticks: field(16)? + field(17)?,
        })
    }
}

/// The threads of a process.
pub(super) fn tasks(pid: u32) -> anyhow::Result<BTreeMap<u32, Stat>> {
    all_in(Path::new(&format!("/proc/{pid}/task")), |_| true)
}

/// The living children of a process.
pub(super) fn children(pid: u32) -> anyhow::Result<BTreeMap<u32, Stat>> {
    all_in(Path::new("/proc"), |stat| stat.parent == pid)
}

/// What has a number here. What ends while we read is left out.
fn all_in(folder: &Path, wanted: impl Fn(&Stat) -> bool) -> anyhow::Result<BTreeMap<u32, Stat>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Ok(stat) = Stat::read(&entry.path().join("stat"))
            && wanted(&stat)
        {
            found.insert(id, stat);
        }
    }
    Ok(found)
}

/// What a child is for: Postgres writes it in its command line (`postgres: checkpointer`;
/// sessions begin with their user's name there, and are one group).
pub(super) fn title_group(pid: u32, name: &str) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = String::from_utf8_lossy(&line).replace('\0', " ");
    let Some((_, title)) = line.split_once(": ") else { return name.to_owned() };
    let title = title.trim();
    // A session's title: user, database, client, what it is doing.
    if title.split(' ').count() >= 4 || title.contains('(') {
        "sessions".to_owned()
    } else {
        title.to_owned()
    }
}

/// Resident memory that is not shared, in MiB; 0 where it cannot be read.
pub(super) fn resident_mib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1_024
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_is_read_whatever_the_name() {
        let line = "42 (a) b (c) S 7 42 42 0 -1 4194560 1 2 3 4 150 25 30 5 20 0 1 0 1 1 1";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent), ("a) b (c", 7));
        assert_eq!((stat.ticks, stat.children_ticks), (175, 35));
        assert!(Stat::parse("42 (a) S 7").is_none());
    }

    #[test]
    fn a_child_is_found_and_its_time_stays_when_it_ends() {
        let own = std::process::id();
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        assert!(children(own).unwrap().contains_key(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children(own).unwrap().contains_key(&child.id()));
    }
}
