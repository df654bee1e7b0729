//! A warm-up and several runs of the same load.

use crate::answers;
use crate::bodies;
use crate::client::Gateway;
use crate::cpu::Watched;
use crate::flags::Flags;
use crate::operator::Operator;
use crate::report::{self, Rates};
use crate::run::{Plan, Run, once};
use crate::settled::progress;
use std::time::Duration;

/// The rules of an operator that makes no faults.
const NO_FAULTS: &str = "[]";

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
        operator: flags.operator.as_deref().map(Operator::new).transpose()?,
        watched,
    };
    if flags.warm_up > 0 {
        progress(&format!("{}: warm-up", flags.title));
        once(&plan, flags.warm_up).await?;
    }
    // Read before anything is measured: a wrong path costs no run.
    let compared = flags.compare.as_deref().map(Rates::read).transpose()?;
    set_faults(&plan, flags.faults.as_deref()).await?;
    let mut runs: Vec<Run> = Vec::new();
    for number in 1..=flags.runs {
        progress(&format!("{}: run {number} of {}", flags.title, flags.runs));
        let run = once(&plan, flags.messages).await?;
        progress(&report::line(&run));
        runs.push(run);
    }
    set_faults(&plan, flags.faults.as_ref().map(|_| NO_FAULTS)).await?;
    if let Some(file) = &flags.answers {
        answers::write(
            file,
            runs.iter().filter_map(|run| run.express.as_ref()).flat_map(|sent| &sent.answered),
        )?;
    }
    if let Some(file) = &flags.save_rates {
        Rates::of(&flags.title, &runs).write(file)?;
    }
    Ok(report::section(flags, &plan.watched, &runs, compared.as_ref()))
}

async fn set_faults(plan: &Plan, rules: Option<&str>) -> anyhow::Result<()> {
    match plan.operator.as_ref().zip(rules) {
        Some((operator, rules)) => operator.set_faults(rules).await,
        None => Ok(()),
    }
}
