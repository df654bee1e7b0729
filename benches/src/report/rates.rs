//! The first table of a section: rates, times and ends.

use super::compared::Rates;
use super::number::{Spread, float, one_place, per_second, share, thousands, two_places};
use crate::express::Sent;
use crate::latency::Latency;
use crate::operator::Seen;
use crate::run::{BulkRun, MOST_PERCENT, Run};
use std::collections::BTreeSet;
use std::fmt::Write;

/// What the first table shows of these runs.
pub(super) fn table(out: &mut String, runs: &[Run], compared: Option<&Rates>) {
    let _ = writeln!(out, "| | median | range |\n|---|---|---|");
    let mut row = |name: &str, spread: Spread| {
        let _ = writeln!(out, "| {name} | {spread} |");
    };
    let bulk: Vec<&BulkRun> = runs.iter().filter_map(|run| run.bulk.as_ref()).collect();
    if !bulk.is_empty() {
        bulk_rows(&mut row, &bulk, compared);
    }
    let express: Vec<&Sent> = runs.iter().filter_map(|run| run.express.as_ref()).collect();
    if !express.is_empty() {
        express_rows(&mut row, &express);
    }
    let operator: Vec<&Seen> = runs.iter().filter_map(|run| run.operator.as_ref()).collect();
    if !operator.is_empty() {
        operator_rows(&mut row, &operator);
    }
    machine_rows(&mut row, runs);
}

fn bulk_rows(row: &mut impl FnMut(&str, Spread), bulk: &[&BulkRun], compared: Option<&Rates>) {
    let of = |figure: &dyn Fn(&BulkRun) -> f64| bulk.iter().map(|bulk| figure(bulk)).collect::<Vec<_>>();
    let end_to_end = of(&BulkRun::settled_per_second);
    let most = of(&BulkRun::most_settled_per_second);
    row("**from first request to settled receipt, messages/s**", Spread::new(end_to_end.clone(), thousands));
    row(&format!("the same of the first {MOST_PERCENT} %, messages/s"), Spread::new(most.clone(), thousands));
    if let Some(other) = compared {
        let ratio = |rates: Vec<f64>, to: f64| {
            Spread::new(rates.into_iter().map(|rate| rate / to.max(1e-9)).collect(), two_places)
        };
        let title = &other.title;
        row(&format!("**settled receipts, of the median of “{title}”**"), ratio(end_to_end, other.settled));
        row(
            &format!("of the first {MOST_PERCENT} %, of the median of “{title}”"),
            ratio(most, other.most_settled),
        );
    }
    let submitted = of(&|bulk| per_second(bulk.messages, bulk.submitted.took));
    row("submission (202), messages/s", Spread::new(submitted, thousands));
    row("seconds to settle everything", Spread::new(of(&|bulk| bulk.settled.as_secs_f64()), one_place));
    let after = of(&|bulk| (bulk.settled.saturating_sub(bulk.submitted.took)).as_secs_f64());
    row("of these after the last 202", Spread::new(after, one_place));
    let tail = of(&|bulk| (bulk.settled.saturating_sub(bulk.most_settled)).as_secs_f64());
    row(&format!("of these after the first {MOST_PERCENT} %"), Spread::new(tail, one_place));
    for (name, quantile) in [("p50", 0.5), ("p99", 0.99)] {
        let times = of(&|bulk| bulk.submitted.latency.quantile_ms(quantile));
        row(&format!("bulk call, ms {name}"), Spread::new(times, thousands));
    }
    let segments = of(&|bulk| share(bulk.segments, bulk.messages));
    row("segments of a message", Spread::new(segments, two_places));
    let overloaded = of(&|bulk| float(bulk.submitted.overloaded));
    row("503 `overloaded`, calls tried again", Spread::new(overloaded, thousands));
    let statuses: BTreeSet<&str> =
        bulk.iter().flat_map(|bulk| bulk.ends.counts.keys().map(String::as_str)).collect();
    for status in statuses {
        let counts = of(&|bulk| float(bulk.ends.counts.get(status).copied().unwrap_or(0)));
        row(&format!("messages that ended `{status}`"), Spread::new(counts, thousands));
    }
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

/// What the operator counted: its word, not ours.
fn operator_rows(row: &mut impl FnMut(&str, Spread), seen: &[&Seen]) {
    let mut count = |name: &str, figure: fn(&Seen) -> u64| {
        let counts = seen.iter().map(|seen| float(figure(seen))).collect();
        row(&format!("operator: {name}"), Spread::new(counts, thousands));
    };
    count("calls that met the fault", Seen::faulted);
    count("messages looked up", |seen| seen.mid_calls);
    count("of these, never seen", |seen| seen.mids_unknown);
    count("**messages given to it again**", |seen| seen.repeated_uids);
}

fn machine_rows(row: &mut impl FnMut(&str, Spread), runs: &[Run]) {
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
