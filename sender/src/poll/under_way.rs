//! Calls to the operator, and answers on their way into Kafka, beside each other: a call's
//! place is free as soon as the operator has answered.

use super::question::{Asked, records};
use crate::call::{Line, Link};
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
    calls: JoinSet<Result<Answer, Vec<Asked>>>,
    writes: JoinSet<()>,
    /// What could not be asked.
    in_vain: Vec<Asked>,
}

impl UnderWay {
    pub(super) fn new(line: Arc<Line>, calls_at_once: usize) -> Self {
        UnderWay { line, calls_at_once, calls: JoinSet::new(), writes: JoinSet::new(), in_vain: Vec::new() }
    }

    /// Whether another call may begin.
    pub(super) fn has_room(&self) -> bool {
        self.calls.len() < self.calls_at_once && self.calls.len() + self.writes.len() < ANSWERS_MAX
    }

    /// Begins a call, all of one operator. One that does not answer is probed, no more.
    pub(super) fn ask(&mut self, asked: Vec<Asked>) {
        let link = link(&self.line, &asked);
        if link.is_some_and(|link| !link.connector.admits_poll()) {
            return self.in_vain.extend(asked);
        }
        self.calls.spawn(question(Arc::clone(&self.line), asked));
    }

    /// Connectors that may be asked now.
    pub(super) fn answering(&self) -> Vec<String> {
        let links = self.line.others.values().chain([&self.line.route]);
        let answering = links.filter(|link| link.connector.would_admit_poll());
        answering.map(|link| link.connector.name.clone()).collect()
    }

    /// What could not be asked since this was called last.
    pub(super) fn take_in_vain(&mut self) -> Vec<Asked> {
        std::mem::take(&mut self.in_vain)
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

    fn answered(&mut self, answer: Result<Result<Answer, Vec<Asked>>, JoinError>) {
        match ended(answer) {
            Some(Ok(answer)) => {
                self.writes.spawn(write(Arc::clone(&self.line), answer));
            }
            Some(Err(asked)) => self.in_vain.extend(asked),
            None => {}
        }
    }
}

/// The operator that is to be asked. Nothing where there is no id to ask by, or where it is not
/// configured any more: then the sweep ends what nobody answers.
fn link<'l>(line: &'l Line, asked: &[Asked]) -> Option<&'l Link> {
    let whom = asked.first().and_then(Asked::connector)?;
    line.link(Some(whom))
}

/// Asks the operator. The questions come back where it could not be asked.
async fn question(line: Arc<Line>, asked: Vec<Asked>) -> Result<Answer, Vec<Asked>> {
    let asked_at = Instant::now();
    let Some(link) = link(&line, &asked) else {
        let whom = asked.first().and_then(Asked::connector).map(|connector| &**connector);
        let connector = whom.unwrap_or(&line.route.connector.name);
        return Ok(records(connector, clock::unix_now(), &asked, &HashMap::new()));
    };
    let ids: Vec<&str> = asked.iter().filter_map(|asked| asked.by.as_ref()).map(|(id, _)| &**id).collect();
    let polled = link.magfa.poll(&ids).await;
    link.connector.heard_poll(polled.is_some());
    let Some(polled) = polled else {
        tracing::warn!(connector = link.connector.name, "the operator could not be asked for receipts");
        return Err(asked);
    };
    line.heard.note(&link.connector.name, asked_at).await;
    Ok(records(&link.connector.name, clock::unix_now(), &asked, &polled))
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
