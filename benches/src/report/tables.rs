//! The tables of CPU time.

use super::number::{Spread, share, two_places};
use crate::cpu::Watched;
use crate::run::Run;
use std::collections::BTreeMap;
use std::fmt::Write;

/// A group that has less than this share of all CPU time is not worth a line.
const GROUP_LEAST: f64 = 0.005;

/// One line a process, and their sum.
pub(super) fn processes(out: &mut String, watched: &[Watched], runs: &[Run]) {
    let _ = writeln!(out, "| process | µs a message | range | own memory, MiB |\n|---|---|---|---|");
    for (place, process) in watched.iter().enumerate() {
        let used = |run: &Run| run.processes.get(place).map_or(0, |(usage, _)| usage.total_us);
        let each = runs.iter().map(|run| share(used(run), run.messages)).collect();
        let memory = runs.iter().filter_map(|run| Some(run.processes.get(place)?.1)).max().unwrap_or(0);
        let _ = writeln!(out, "| {} | {} | {memory} |", process.name, Spread::new(each, two_places));
    }
    let _ = writeln!(out, "| **all** | {} | |", all(runs));
}

/// Of all processes together, in µs a message.
fn all(runs: &[Run]) -> Spread {
    let sum = |run: &Run| run.processes.iter().map(|(usage, _)| usage.total_us).sum();
    Spread::new(runs.iter().map(|run| share(sum(run), run.messages)).collect(), two_places)
}

/// One line a group of threads, the largest of each process first.
pub(super) fn groups(out: &mut String, watched: &[Watched], runs: &[Run]) {
    let _ = writeln!(out, "| process | group | µs a message | range |\n|---|---|---|---|");
    let least = GROUP_LEAST * all(runs).median();
    for (place, process) in watched.iter().enumerate() {
        let mut groups: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for run in runs {
            for (group, used) in run.processes.get(place).iter().flat_map(|(usage, _)| &usage.groups_us) {
                groups.entry(group).or_default().push(share(*used, run.messages));
            }
        }
        let mut groups: Vec<(&str, Spread)> =
            groups.into_iter().map(|(group, each)| (group, Spread::new(each, two_places))).collect();
        groups.retain(|(_, spread)| spread.median() >= least);
        groups.sort_unstable_by(|a, b| b.1.median().total_cmp(&a.1.median()));
        for (group, spread) in groups {
            let _ = writeln!(out, "| {} | {group} | {spread} |", process.name);
        }
    }
}
