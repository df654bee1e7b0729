//! Single messages at a fixed rate, whether the ones before are answered or not: a slow
//! server must not slow down the customers it is measured with.

use crate::answers::Answered;
use crate::client::{Answer, Gateway};
use crate::latency::Latency;
use anyhow::Context;
use bytes::Bytes;
use domain::id::MessageId;
use std::cell::Cell;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Requests under way at once at most; what would go beyond is counted and not sent.
const UNDER_WAY_MAX: usize = 2_000;

/// What is to be sent.
pub(crate) struct Load<'a> {
    pub(crate) gateway: &'a Gateway,
    pub(crate) key: &'a str,
    pub(crate) bodies: &'a [Bytes],
    /// Messages a second.
    pub(crate) rate: u32,
    /// Sending ends when this is set.
    pub(crate) stop: &'a Cell<bool>,
}

/// What became of it.
pub(crate) struct Sent {
    /// From the moment a message was due to its 202.
    pub(crate) latency: Latency,
    /// The same of each accepted message by itself.
    pub(crate) answered: Vec<Answered>,
    /// What the accepted ones cost.
    pub(crate) price: i64,
    /// Answers of 503 `overloaded`.
    pub(crate) overloaded: u64,
    /// Not sent, because too many were under way.
    pub(crate) skipped: u64,
}

/// Sends until it is told to stop, and waits for the answers.
pub(crate) async fn send(load: Load<'_>) -> anyhow::Result<Sent> {
    let mut sent =
        Sent { latency: Latency::new()?, answered: Vec::new(), price: 0, overloaded: 0, skipped: 0 };
    let mut under_way = JoinSet::new();
    let mut due = interval(Duration::from_nanos(1_000_000_000 / u64::from(load.rate.max(1))));
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut bodies = load.bodies.iter().cycle();
    while !load.stop.get() {
        tokio::select! {
            due = due.tick() => {
                let Some(body) = bodies.next() else { break };
                if under_way.len() < UNDER_WAY_MAX {
                    under_way.spawn(one(load.gateway.clone(), load.key.to_owned(), body.clone(), due));
                } else {
                    sent.skipped += 1;
                }
            }
            Some(answer) = under_way.join_next() => sent.count(answer??),
        }
    }
    while let Some(answer) = under_way.join_next().await {
        sent.count(answer??);
    }
    Ok(sent)
}

/// The price and the times of one message; nothing where there was no room.
type Outcome = Option<(i64, Duration, Answered)>;

async fn one(gateway: Gateway, key: String, body: Bytes, due: Instant) -> anyhow::Result<Outcome> {
    match gateway.submit_one(&key, body).await? {
        Answer::Taken(accepted) => {
            let since_due = due.elapsed();
            let id = accepted.id.parse().ok().and_then(MessageId::new);
            let id = id.with_context(|| format!("{:?} is not the id of a message", accepted.id))?;
            Ok(Some((accepted.price, since_due, Answered::now(id, since_due))))
        }
        Answer::Overloaded(_) => Ok(None),
    }
}

impl Sent {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Some((price, time, answered)) => {
                self.price += price;
                self.latency.record(time);
                self.answered.push(answered);
            }
            None => self.overloaded += 1,
        }
    }
}
