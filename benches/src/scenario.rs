//! A warm-up and several runs of the same load.

use crate::bodies;
use crate::client::Gateway;
use crate::cpu::Watched;
use crate::flags::Flags;
use crate::report;
use crate::run::{Plan, Run, once};
use crate::settled::progress;
use std::time::Duration;

/// Does what the flags say; returns the report, a section of Markdown.
///
/// # Errors
/// When smshub cannot be reached or refuses, when a measured process ends, when a run is not
/// settled in time, or when the reports and balances afterwards do not fit what was sent.
pub async fn measure(flags: &Flags) -> anyhow::Result<String> {
    let mut watched = flags.processes.clone();
    watched.push(Watched::own("loadgen"));
    let has_bulk = flags.messages > 0;
    let plan = Plan {
        gateway: Gateway::new(&flags.url)?,
        keys: flags.keys()?,
        bulk_bodies: if has_bulk { bodies::bulk(flags.form, flags.per_call) } else { Vec::new() },
        single_bodies: bodies::single(),
        per_call: flags.per_call,
        concurrency: flags.concurrency.into(),
        rate: flags.rate,
        express_rate: flags.express_rate,
        express_for: Duration::from_secs(flags.express_seconds.into()),
        within: Duration::from_secs(flags.within_seconds.into()),
        watched,
    };
    if flags.warm_up > 0 {
        progress(&format!("{}: warm-up", flags.title));
        once(&plan, flags.warm_up).await?;
    }
    let mut runs: Vec<Run> = Vec::new();
    for number in 1..=flags.runs {
        progress(&format!("{}: run {number} of {}", flags.title, flags.runs));
        let run = once(&plan, flags.messages).await?;
        progress(&report::line(&run));
        runs.push(run);
    }
    Ok(report::section(flags, &plan.watched, &runs))
}
