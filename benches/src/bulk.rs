//! Bulk calls: as many at once as are wanted, shared by the accounts.

use crate::client::{Accepted, Answer, Gateway};
use crate::latency::Latency;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use std::cell::Cell;
use std::time::Duration;
use tokio::time::Instant;

/// What is to be submitted.
pub(crate) struct Load<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) keys: &'a [String],
    pub(crate) bodies: &'a [Bytes],
    pub(crate) messages: u64,
    pub(crate) per_call: u32,
    pub(crate) concurrency: usize,
    /// Messages a second at most; 0: no limit.
    pub(crate) rate: u32,
    /// Counts the messages whose calls were answered.
    pub(crate) taken: &'a Cell<u64>,
}

/// A call that was accepted.
pub(crate) struct Batch {
    /// Whose it is: a place in the list of keys.
    pub(crate) account: usize,
    pub(crate) accepted: Accepted,
}

/// What was submitted.
pub(crate) struct Submitted {
    pub(crate) batches: Vec<Batch>,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Of the calls that were taken, without the pauses after a 503.
    pub(crate) latency: Latency,
    /// Answers of 503 `overloaded`.
    pub(crate) overloaded: u64,
}

/// Submits everything.
pub(crate) async fn submit(load: Load<'_>) -> anyhow::Result<Submitted> {
    let start = Instant::now();
    let calls = load.messages / u64::from(load.per_call);
    let (mut batches, mut latency, mut overloaded) = (Vec::new(), Latency::new()?, 0);
    let mut answers = stream::iter((0..calls).zip((0..load.bodies.len()).cycle()))
        .map(|(call, body)| one(&load, start, call, load.bodies[body].clone()))
        .buffer_unordered(load.concurrency);
    while let Some((batch, times)) = answers.try_next().await? {
        load.taken.set(load.taken.get() + batch.accepted.accepted);
        latency.record(times.last);
        overloaded += times.overloaded;
        batches.push(batch);
    }
    drop(answers);
    Ok(Submitted { batches, took: start.elapsed(), latency, overloaded })
}

/// How one call went.
struct Times {
    /// The request that was taken.
    last: Duration,
    overloaded: u64,
}

async fn one(load: &Load<'_>, start: Instant, call: u64, body: Bytes) -> anyhow::Result<(Batch, Times)> {
    if load.rate > 0 {
        let before = call.saturating_mul(load.per_call.into()).saturating_mul(1_000_000);
        tokio::time::sleep_until(start + Duration::from_micros(before / u64::from(load.rate))).await;
    }
    let account = usize::try_from(call).unwrap_or_default() % load.keys.len();
    let mut overloaded = 0;
    loop {
        let sent = Instant::now();
        match load.gateway.submit_bulk(&load.keys[account], body.clone()).await? {
            Answer::Taken(accepted) => {
                return Ok((Batch { account, accepted }, Times { last: sent.elapsed(), overloaded }));
            }
            Answer::Overloaded(pause) => {
                overloaded += 1;
                tokio::time::sleep(pause).await;
            }
        }
    }
}
