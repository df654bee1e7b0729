//! One run: everything is sent, everything is settled, and what it took.

use crate::bulk::{self, Batch, Submitted};
use crate::client::Gateway;
use crate::cpu::{Machine, Reading, Usage, Watched};
use crate::express::{self, Sent};
use crate::flags::Keys;
use crate::operator::{Operator, Seen};
use crate::settled::{self, Settled, progress};
use crate::verify::{self, Ends};
use anyhow::{Context, ensure};
use bytes::Bytes;
use std::cell::Cell;
use std::slice;
use std::time::Duration;
use tokio::time::Instant;

/// How often a line of progress comes while calls are submitted.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Percent of what was paid: when so much is settled is told beside the end, which a few
/// messages may hold up.
pub(crate) const MOST_PERCENT: i64 = 98;

/// What every run of a scenario has in common.
pub(crate) struct Plan {
    pub(crate) gateway: Gateway,
    pub(crate) keys: Keys,
    pub(crate) bulk_bodies: Vec<Bytes>,
    pub(crate) single_bodies: Vec<Bytes>,
    pub(crate) per_call: u32,
    pub(crate) concurrency: usize,
    pub(crate) rate: u32,
    pub(crate) express_rate: u32,
    pub(crate) express_for: Duration,
    pub(crate) within: Duration,
    /// Whose counters are read, where it is a simulated one.
    pub(crate) operator: Option<Operator>,
    /// The measured processes, the generator among them.
    pub(crate) watched: Vec<Watched>,
}

/// What one run took.
pub(crate) struct Run {
    /// Messages accepted, of both kinds.
    pub(crate) messages: u64,
    pub(crate) bulk: Option<BulkRun>,
    pub(crate) express: Option<Sent>,
    /// Of each watched process, in their order: CPU time and memory in MiB.
    pub(crate) processes: Vec<(Usage, u64)>,
    pub(crate) machine: Machine,
    /// What the operator saw of it.
    pub(crate) operator: Option<Seen>,
}

/// The bulk calls of one run.
pub(crate) struct BulkRun {
    pub(crate) messages: u64,
    pub(crate) segments: u64,
    pub(crate) submitted: Submitted,
    /// From the first request until all of them were settled.
    pub(crate) settled: Duration,
    /// Until [`MOST_PERCENT`] of them were.
    pub(crate) most_settled: Duration,
    pub(crate) ends: Ends,
}

/// Sends so many messages in bulk calls, and single ones beside them where they are wanted.
pub(crate) async fn once(plan: &Plan, messages: u64) -> anyhow::Result<Run> {
    let before = settled::balances(&plan.gateway, &plan.keys.bulk).await?;
    ensure!(before.iter().all(|balance| balance.held == 0), "messages of before are not settled yet");
    let seen = seen(plan).await?;
    let (readings, machine, start) = (read_all(&plan.watched)?, Machine::read()?, Instant::now());

    let stop = Cell::new(false);
    let bulk = async {
        let done = if messages > 0 {
            Some(send_bulk(plan, messages, start).await?)
        } else {
            tokio::time::sleep(plan.express_for).await;
            None
        };
        stop.set(true);
        anyhow::Ok(done)
    };
    let (bulk, express) = tokio::try_join!(bulk, send_express(plan, &stop))?;
    if let Some(key) = &plan.keys.express {
        settled::wait(&plan.gateway, slice::from_ref(key), &[], start, plan.within).await?;
    }

    let machine = Machine::read()?.since(&machine);
    let after = read_all(&plan.watched)?;
    let processes =
        after.iter().zip(&readings).map(|(after, before)| (after.since(before), after.resident_mib));
    let processes = processes.collect();
    let bulk = match bulk {
        Some((submitted, settled)) => {
            let had = before.iter().map(|balance| balance.balance).sum();
            let most_settled = settled.percent_at(MOST_PERCENT, had) - start;
            let settled = settled.at - start;
            let ends = verify::ends(&plan.gateway, &plan.keys.bulk, &submitted.batches).await?;
            ends.check_paid(&before, &settled::balances(&plan.gateway, &plan.keys.bulk).await?)?;
            let sum = |of: fn(&Batch) -> u64| submitted.batches.iter().map(of).sum();
            let messages = sum(|batch| batch.accepted.accepted);
            let segments = sum(|batch| batch.accepted.segments);
            Some(BulkRun { messages, segments, settled, most_settled, submitted, ends })
        }
        None => None,
    };
    let accepted = bulk.as_ref().map_or(0, |bulk| bulk.messages)
        + express.as_ref().map_or(0, |express| express.latency.count());
    let operator = self::seen(plan).await?.zip(seen).map(|(after, before)| after.since(&before));
    Ok(Run { messages: accepted, bulk, express, processes, machine, operator })
}

async fn seen(plan: &Plan) -> anyhow::Result<Option<Seen>> {
    match &plan.operator {
        Some(operator) => Ok(Some(operator.seen().await?)),
        None => Ok(None),
    }
}

fn read_all(watched: &[Watched]) -> anyhow::Result<Vec<Reading>> {
    watched.iter().map(Watched::read).collect()
}

/// Submits, and waits until all of it is settled.
async fn send_bulk(plan: &Plan, messages: u64, start: Instant) -> anyhow::Result<(Submitted, Settled)> {
    let taken = Cell::new(0);
    let load = bulk::Load {
        gateway: &plan.gateway,
        keys: &plan.keys.bulk,
        bodies: &plan.bulk_bodies,
        messages,
        per_call: plan.per_call,
        concurrency: plan.concurrency,
        rate: plan.rate,
        taken: &taken,
    };
    let lines = async {
        loop {
            tokio::time::sleep(PROGRESS_EVERY).await;
            progress(&format!("{} s: {} messages submitted", start.elapsed().as_secs(), taken.get()));
        }
    };
    let submitted = tokio::select! {
        submitted = bulk::submit(load) => submitted?,
        () = lines => anyhow::bail!("never"),
    };
    let settled =
        settled::wait(&plan.gateway, &plan.keys.bulk, &submitted.batches, start, plan.within).await?;
    Ok((submitted, settled))
}

async fn send_express(plan: &Plan, stop: &Cell<bool>) -> anyhow::Result<Option<Sent>> {
    if plan.express_rate == 0 {
        return Ok(None);
    }
    let key = plan.keys.express.as_deref().context("single messages have no key")?;
    let (gateway, bodies) = (&plan.gateway, plan.single_bodies.as_slice());
    let load = express::Load { gateway, key, bodies, rate: plan.express_rate, stop };
    Ok(Some(express::send(load).await?))
}
