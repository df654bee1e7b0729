//! The loop of one worker: partitions come and go, records come in and are merged, and what
//! is due is stored. One transaction at a time.

mod alarms;
mod partitions;
mod store;
mod waiting;

use crate::flush::Means;
use crate::hand::{Bad, Bounds, Hand, Topic};
use crate::metrics::Meters;
use crate::schedule::Schedule;
use alarms::Alarms;
use domain::status::Costs;
use ledger::LedgerError;
use platform::health::{Check, Health};
use platform::kafka::budget::Budget;
use platform::kafka::consumer::{Batch, Records};
use platform::lifecycle::Stop;
use platform::ownership::{Beat, Change, Standing, clock};
use platform::postgres::{Pool, lost_a_race};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

/// The loop goes round at least so often, so that its signs of life are fresh.
const ROUND: Duration = Duration::from_millis(200);
/// The pause after a lost race, and the first one after a failure.
const PAUSE: Duration = Duration::from_millis(10);

const STOPPED: &str = "undecodable_record";
const PARKED: &str = "parked_record";
const FOREIGN: &str = "foreign_receipts";
const CANNOT_READ: &str = "dlr_reconciler_cannot_read";

/// What is done about receipts that came too early.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    /// How often they are looked through.
    pub(crate) every: Duration,
    /// How long they wait at most.
    pub(crate) keep: Duration,
}

/// What a worker is made of.
pub(crate) struct Parts {
    pub(crate) topics: Vec<Topic>,
    pub(crate) records: Records,
    pub(crate) budget: Arc<Budget>,
    pub(crate) changes: mpsc::Receiver<Change>,
    pub(crate) pool: Pool,
    pub(crate) beat: Beat,
    pub(crate) check: Check,
    pub(crate) health: Health,
    pub(crate) standing: Arc<Standing>,
    pub(crate) meters: Meters,
    pub(crate) schedule: Schedule,
    pub(crate) costs: Costs,
    pub(crate) operator_ids: Arc<BTreeSet<String>>,
    pub(crate) bounds: Bounds,
    pub(crate) retry_longest: Duration,
    /// Nothing: another worker looks after what waits.
    pub(crate) pending: Option<Pending>,
}

/// One worker.
pub(crate) struct Worker {
    with: Parts,
    hand: Hand,
    /// About what was parked or left out.
    alarms: Alarms,
    /// Partitions to give back once everything of them is stored.
    draining: Vec<(i32, oneshot::Sender<()>)>,
    failures: u32,
    not_before: Option<Instant>,
    pending_at: Option<Instant>,
    pending_after: i64,
    named_after: i64,
}

impl Worker {
    pub(crate) fn new(mut with: Parts) -> Self {
        let hand = Hand::new(std::mem::take(&mut with.topics), with.bounds);
        let pending_at = with.pending.map(|_| Instant::now());
        let alarms = Alarms::new(with.health.clone());
        Worker {
            with,
            hand,
            alarms,
            draining: Vec::new(),
            failures: 0,
            not_before: None,
            pending_at,
            pending_after: 0,
            named_after: 0,
        }
    }

    /// Goes round until asked to stop. The owner has then given back all partitions, which
    /// stored everything; where that failed, it is tried once more.
    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        loop {
            self.with.beat.tick();
            self.with.check.progress();
            self.merge();
            self.store_what_is_due().await;
            self.match_pending().await;
            self.answer_drained();
            self.alarms.end_quiet(Instant::now());
            if self.failures > 0 && self.hand.is_empty() {
                // What could not be stored is another's by now.
                self.recovered();
            }
            let wake = self.wake();
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(change) = self.with.changes.recv() => self.change(change)?,
                Some(batch) = self.with.records.next(), if self.hand.is_open() => self.receive(batch),
                () = sleep_until(wake) => {}
            }
        }
        for topic in 0..self.hand.topics.len() {
            self.store(topic).await;
        }
        Ok(())
    }

    /// A partition that cannot be read on stands still at its position; what was read of it
    /// before is merged and stored.
    fn receive(&mut self, batch: Batch) {
        self.hand.receive(batch.records);
        for one in batch.unreadable {
            if self.hand.reads((one.topic, one.partition), one.serial) {
                let subject = self.subject(one.topic, one.partition);
                self.with.health.raise_alarm(CANNOT_READ, &subject, &one.to_string());
            }
        }
    }

    fn merge(&mut self) {
        let (bad, ids_refused) = self.hand.merge(Instant::now());
        self.with.meters.ids_refused.increment(ids_refused.into());
        for bad in bad {
            self.cannot_be_understood(&bad);
        }
    }

    fn cannot_be_understood(&mut self, bad: &Bad) {
        let Bad { topic, partition, offset, why, stops } = bad;
        let subject = self.subject(*topic, *partition);
        let detail = format!("offset {offset}: {why}");
        if *stops {
            self.with.records.unassign(*topic, *partition);
            self.with.health.raise_alarm(STOPPED, &subject, &detail);
        } else {
            self.with.meters.parked.increment(1);
            self.alarms.raise(PARKED, &subject, &detail, Instant::now());
        }
    }

    fn subject(&self, topic: usize, partition: i32) -> String {
        let name = self.hand.topics.get(topic).map_or("", |topic| topic.name.as_str());
        format!("{name}/{partition}")
    }

    /// Half of the budget used up, or a partition to give back: nothing is waited for.
    fn hurries(&self) -> bool {
        !self.draining.is_empty() || !self.with.budget.is_roomy()
    }

    fn wake(&self) -> Instant {
        let now = Instant::now();
        let due = (0..self.hand.topics.len()).filter_map(|topic| self.hand.due(topic, self.hurries()));
        let due = due.chain((!self.hand.is_open()).then_some(now)).min();
        let due = due.map(|due| self.not_before.map_or(due, |not_before| due.max(not_before)));
        due.into_iter().chain(self.pending_at).fold(now + ROUND, Instant::min)
    }

    fn means(&self) -> Means<'_> {
        Means {
            costs: &self.with.costs,
            schedule: &self.with.schedule,
            now: clock::unix_now(),
            version: self.with.standing.write_version(),
            operator_ids: &self.with.operator_ids,
        }
    }

    /// Waits for the database, and shows that the loop does not stand still.
    async fn alive<T, E: Into<Failure>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Failure> {
        tokio::pin!(work);
        loop {
            if let Ok(result) = timeout(ROUND, &mut work).await {
                return result.map_err(Into::into);
            }
            self.with.beat.tick();
            self.with.check.progress();
        }
    }
}

/// Why nothing was stored.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("postgres: {0}")]
    Postgres(#[from] sqlx::Error),
}

impl Failure {
    fn is_race(&self) -> bool {
        match self {
            Failure::Ledger(error) => error.postgres().is_some_and(lost_a_race),
            Failure::Postgres(error) => lost_a_race(error),
        }
    }
}
