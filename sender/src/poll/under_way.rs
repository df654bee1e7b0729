//! Calls to the operator, and answers on their way into Kafka, beside each other: a call's
//! place is free as soon as the operator has answered.

use super::question::{Asked, records};
use crate::call::Line;
use platform::ownership::clock;
use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::{JoinError, JoinSet};
use wire::receipts::Receipts;

/// Calls under way and answers that Kafka has not acknowledged yet, of one lane, together at
/// most. Each is of as many messages as one call has at most.
pub(super) const ANSWERS_MAX: usize = 256;

/// What one call brought, by partition.
type Answer = BTreeMap<i32, Receipts>;

/// What one lane's poller has begun. Dropped, it ends there: what was asked is still due.
pub(super) struct UnderWay {
    line: Arc<Line>,
    calls_at_once: usize,
    calls: JoinSet<Option<Answer>>,
    writes: JoinSet<()>,
}

impl UnderWay {
    pub(super) fn new(line: Arc<Line>, calls_at_once: usize) -> Self {
        UnderWay { line, calls_at_once, calls: JoinSet::new(), writes: JoinSet::new() }
    }

    /// Whether another call may begin.
    pub(super) fn has_room(&self) -> bool {
        self.calls.len() < self.calls_at_once && self.calls.len() + self.writes.len() < ANSWERS_MAX
    }

    /// Begins a call.
    pub(super) fn ask(&mut self, asked: Vec<Asked>) {
        self.calls.spawn(question(Arc::clone(&self.line), asked));
    }

    /// Sees to what has ended.
    pub(super) fn look_after(&mut self) {
        while let Some(answer) = self.calls.try_join_next() {
            self.answered(answer);
        }
        while let Some(written) = self.writes.try_join_next() {
            ended(written);
        }
    }

    /// Waits until something ends, and sees to it; where nothing is under way, for ever.
    pub(super) async fn next(&mut self) {
        tokio::select! {
            Some(answer) = self.calls.join_next() => self.answered(answer),
            Some(written) = self.writes.join_next() => { ended(written); }
            else => pending().await,
        }
    }

    fn answered(&mut self, answer: Result<Option<Answer>, JoinError>) {
        if let Some(answer) = ended(answer).flatten() {
            self.writes.spawn(write(Arc::clone(&self.line), answer));
        }
    }
}

/// Asks the operator. Nothing: it could not be asked.
async fn question(line: Arc<Line>, asked: Vec<Asked>) -> Option<Answer> {
    let asked_at = Instant::now();
    let ids: Vec<&str> = asked.iter().filter_map(|asked| asked.by.as_ref()).map(|(id, _)| &**id).collect();
    // Whoever is not configured any more cannot be asked: the sweep ends what nobody answers.
    let whom = asked.first().and_then(Asked::connector).map(|connector| &**connector);
    let link = line.link(whom).filter(|_| !ids.is_empty());
    let Some(link) = link else {
        let connector = whom.unwrap_or(&line.route.connector.name);
        return Some(records(connector, clock::unix_now(), &asked, &HashMap::new()));
    };
    let polled = link.magfa.poll(&ids).await;
    if polled.is_none() {
        tracing::warn!(connector = link.connector.name, "the operator could not be asked for receipts");
    }
    let polled = polled?;
    line.heard.note(&link.connector.name, asked_at).await;
    Some(records(&link.connector.name, clock::unix_now(), &asked, &polled))
}

/// Hands an answer over to Kafka, of all partitions together, and waits until it is
/// acknowledged.
async fn write(line: Arc<Line>, answer: Answer) {
    let mut writes = JoinSet::new();
    for (partition, receipts) in answer {
        let line = Arc::clone(&line);
        writes.spawn(async move {
            if let Err(error) = line.writer.receipts(partition, &receipts).await {
                tracing::warn!(partition, %error, "receipts were not written; they will be asked for again");
            }
        });
    }
    while let Some(written) = writes.join_next().await {
        ended(written);
    }
}

/// What a task brought; nothing where it died.
fn ended<T>(task: Result<T, JoinError>) -> Option<T> {
    task.inspect_err(|error| tracing::error!(%error, "a poll died")).ok()
}
