//! The report of a scenario, as Markdown.

mod compared;
mod number;
mod rates;
mod tables;

pub(crate) use compared::Rates;

use crate::cpu::Watched;
use crate::flags::Flags;
use crate::run::Run;
use number::{per_second, share, thousands};
use std::fmt::Write;

/// One run in one line, for who waits.
pub(crate) fn line(run: &Run) -> String {
    let used: u64 = run.processes.iter().map(|(usage, _)| usage.total_us).sum();
    let each = share(used, run.messages);
    match &run.bulk {
        Some(bulk) => format!(
            "submitted {}/s, settled {}/s, {each:.1} µs of CPU a message",
            thousands(per_second(bulk.messages, bulk.submitted.took)),
            thousands(per_second(bulk.messages, bulk.settled)),
        ),
        None => format!("{} messages, {each:.1} µs of CPU each", run.messages),
    }
}

/// A section: what was sent, rates and latencies, CPU time by process and thread group.
pub(crate) fn section(flags: &Flags, watched: &[Watched], runs: &[Run], compared: Option<&Rates>) -> String {
    let mut out = format!("## {}\n\n{}\n\n", flags.title, load(flags));
    rates::table(&mut out, runs, compared);
    let _ = writeln!(out, "\nCPU time for each message, in µs:\n");
    tables::processes(&mut out, watched, runs);
    let _ = writeln!(
        out,
        "\nWhere it goes (groups of threads, of Postgres of its processes, from half a percent of the sum):\n"
    );
    tables::groups(&mut out, watched, runs);
    out.push('\n');
    out
}

/// What was sent, in a sentence.
fn load(flags: &Flags) -> String {
    let mut parts = Vec::new();
    if flags.messages > 0 {
        let rate = match flags.rate {
            0 => "as fast as they are taken".to_owned(),
            rate => format!("at most {} messages a second", thousands(rate.into())),
        };
        parts.push(format!(
            "{} messages in bulk calls of {}, {}, {} calls at once, {rate}",
            thousands(number::float(flags.messages)),
            thousands(flags.per_call.into()),
            flags.form,
            flags.concurrency,
        ));
    }
    if flags.express_rate > 0 {
        let until = if flags.messages > 0 { "until those are settled" } else { "alone" };
        parts.push(format!("{} single express messages a second, {until}", flags.express_rate));
    }
    if let Some(faults) = &flags.faults {
        parts.push(format!("the operator has the faults `{faults}`"));
    }
    let runs = match flags.runs {
        1 => "One run.".to_owned(),
        runs => format!("{runs} runs; medians, and the lowest and highest."),
    };
    format!("{}. {runs}", parts.join("; "))
}
