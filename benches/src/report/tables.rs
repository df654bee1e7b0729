//! The tables of a section.

use super::number::{Spread, float, per_second, share, thousands};
use crate::cpu::Watched;
use crate::express::Sent;
use crate::latency::Latency;
use crate::run::{BulkRun, Run};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// A group that has less than this share of all CPU time is not worth a line.
const GROUP_LEAST: f64 = 0.005;

fn one_place(number: f64) -> String {
    format!("{number:.1}")
}

fn two_places(number: f64) -> String {
    format!("{number:.2}")
}

/// Rates, times and ends.
pub(super) fn rates(out: &mut String, runs: &[Run]) {
    let _ = writeln!(out, "| | median | range |\n|---|---|---|");
    let mut row = |name: &str, spread: Spread| {
        let _ = writeln!(out, "| {name} | {spread} |");
    };
    let bulk: Vec<&BulkRun> = runs.iter().filter_map(|run| run.bulk.as_ref()).collect();
    if !bulk.is_empty() {
        let of = |figure: &dyn Fn(&BulkRun) -> f64| bulk.iter().map(|bulk| figure(bulk)).collect::<Vec<_>>();
        let end_to_end = of(&|bulk| per_second(bulk.messages, bulk.settled));
        row("**from first request to settled receipt, messages/s**", Spread::new(end_to_end, thousands));
        let submitted = of(&|bulk| per_second(bulk.messages, bulk.submitted.took));
        row("submission (202), messages/s", Spread::new(submitted, thousands));
        row("seconds to settle everything", Spread::new(of(&|bulk| bulk.settled.as_secs_f64()), one_place));
        let after = of(&|bulk| (bulk.settled.saturating_sub(bulk.submitted.took)).as_secs_f64());
        row("of these after the last 202", Spread::new(after, one_place));
        for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
            let times = of(&|bulk| bulk.submitted.latency.quantile_ms(quantile));
            row(&format!("bulk call, ms {name}"), Spread::new(times, thousands));
        }
        let segments = of(&|bulk| share(bulk.segments, bulk.messages));
        row("segments of a message", Spread::new(segments, two_places));
        row(
            "503 `overloaded`, calls tried again",
            Spread::new(of(&|bulk| float(bulk.submitted.overloaded)), thousands),
        );
        let statuses: BTreeSet<&str> =
            bulk.iter().flat_map(|bulk| bulk.ends.counts.keys().map(String::as_str)).collect();
        for status in statuses {
            let counts = of(&|bulk| float(bulk.ends.counts.get(status).copied().unwrap_or(0)));
            row(&format!("messages that ended `{status}`"), Spread::new(counts, thousands));
        }
    }
    let express: Vec<&Sent> = runs.iter().filter_map(|run| run.express.as_ref()).collect();
    if !express.is_empty() {
        express_rows(&mut row, &express);
    }
    let others = |run: &Run| {
        let known: u64 = run.processes.iter().map(|(usage, _)| usage.total_us).sum();
        run.machine.busy_us.saturating_sub(known)
    };
    let of_cpu = |part: &dyn Fn(&Run) -> u64| {
        let all = |run: &Run| run.machine.busy_us + run.machine.idle_us;
        runs.iter().map(|run| share(100 * part(run), all(run))).collect::<Vec<_>>()
    };
    row("CPUs idle, %", Spread::new(of_cpu(&|run| run.machine.idle_us), one_place));
    row("CPUs used by anything not listed below, %", Spread::new(of_cpu(&others), one_place));
    row("CPUs stolen by the hypervisor, %", Spread::new(of_cpu(&|run| run.machine.stolen_us), one_place));
}

fn express_rows(row: &mut impl FnMut(&str, Spread), express: &[&Sent]) {
    let of = |figure: &dyn Fn(&Sent) -> f64| express.iter().map(|sent| figure(sent)).collect::<Vec<_>>();
    row("express messages accepted", Spread::new(of(&|sent| float(sent.latency.count())), thousands));
    for (name, quantile) in [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("longest", 1.0)] {
        let time = |latency: &Latency| latency.quantile_ms(quantile);
        row(&format!("express 202, ms {name}"), Spread::new(of(&|sent| time(&sent.latency)), one_place));
    }
    row("express 503 `overloaded`", Spread::new(of(&|sent| float(sent.overloaded)), thousands));
    row("express not sent, too many under way", Spread::new(of(&|sent| float(sent.skipped)), thousands));
}

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
