//! Webhooks: telling customers' endpoints what became of messages.
//!
//! Flushes note what endpoints are to be told (`flush::webhook_event`), in the transaction in
//! which it happens. From there on: endpoints that have something to be told are found, page by
//! page ([`look`]); what they are told next is cut into deliveries and stored ([`claim`],
//! [`cut`]), made into bodies ([`prepare`]), and said, one call after the other ([`turn`]); what
//! came of it is judged ([`rules`]) and stored ([`mark`]). Between the two transactions nothing
//! is held: whoever dies there has said something, and the next holder of the partition says it
//! again, under the same id.
//!
//! An endpoint is called by the holder of its account's partition, once at a time. Those that
//! fail or are slow have slots of their own, and take none from those that are quick.

mod claim;
mod content;
mod cut;
mod event;
mod look;
mod mark;
mod payload;
mod prepare;
mod rules;
#[cfg(test)]
pub(crate) mod tests;
mod tidy;
mod turn;

pub(crate) use event::{EVENT_BYTES, Wanted};
pub(crate) use mark::Marked;
pub(crate) use tidy::Tidied;

use crate::config::WebhookDelivery;
use crate::metrics::WebhookMeters;
use domain::time::UnixMillis;
use ledger::LedgerError;
use look::Look;
use platform::lifecycle::Stop;
use platform::ownership::{Standing, clock};
use platform::postgres::{Pool, lost_a_race};
use platform::webhook::Caller;
use rules::Rules;
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use turn::{Done, Turn};

/// When stopping, calls under way are waited for so long; what they said is said again later.
const FINISH: Duration = Duration::from_secs(2);

/// What the deliverer is made of.
pub(crate) struct Parts {
    pub(crate) pool: Pool,
    pub(crate) caller: Arc<Caller>,
    pub(crate) currency: String,
    pub(crate) settings: WebhookDelivery,
    pub(crate) meters: WebhookMeters,
}

/// Tells the endpoints of the partitions that this process holds.
pub(crate) struct Deliverer {
    with: Parts,
    rules: Rules,
    calls: JoinSet<Done>,
    /// Made, and not stored yet.
    done: Vec<Done>,
    /// Endpoints that are called, or whose calls are not stored yet, and whether they have a slot
    /// of the slow ones.
    busy: BTreeMap<i64, bool>,
    /// Where the next page of endpoints begins, and the next page of logs.
    after: (i64, i64),
    tidy_at: Instant,
}

impl Deliverer {
    pub(crate) fn new(with: Parts) -> Self {
        Deliverer {
            rules: Rules::new(&with.settings),
            calls: JoinSet::new(),
            done: Vec::new(),
            busy: BTreeMap::new(),
            after: (0, 0),
            tidy_at: Instant::now(),
            with,
        }
    }

    /// Goes round until asked to stop: at once when a call has ended, else every now and then. A
    /// round that fails is tried again.
    ///
    /// # Errors
    /// Where a call panicked.
    pub(crate) async fn run(mut self, standing: Arc<Standing>, stop: Stop) -> anyhow::Result<()> {
        let every = Duration::from_millis(self.with.settings.every_ms);
        loop {
            if let Err(error) = self.round(standing.process(), clock::unix_now()).await {
                self.failed(&error);
            }
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(done) = self.calls.join_next() => self.done.push(done?),
                () = tokio::time::sleep(every) => {}
            }
            self.take_ended()?;
        }
        self.finish(standing.process()).await;
        Ok(())
    }

    /// Stores what is done, waits a moment for what is under way, and stores that, too.
    async fn finish(&mut self, process: Uuid) {
        let stored = self.store(process).await;
        let calls = async {
            while let Some(Ok(done)) = self.calls.join_next().await {
                self.done.push(done);
            }
        };
        let _ = tokio::time::timeout(FINISH, calls).await;
        if let Err(error) = stored.and(self.store(process).await) {
            self.failed(&error);
        }
    }

    /// One look, as `process`.
    async fn round(&mut self, process: Uuid, now: UnixMillis) -> Result<(), LedgerError> {
        self.store(process).await?;
        for turn in self.pick(process, now).await? {
            let (caller, longest) = (Arc::clone(&self.with.caller), self.longest());
            self.calls.spawn(async move { turn.make(&caller, now, longest).await });
        }
        if self.tidy_at <= Instant::now() {
            self.tidy_at = Instant::now() + Duration::from_millis(self.with.settings.tidy_every_ms);
            self.tidy(process).await?;
        }
        Ok(())
    }

    /// Calls that have ended besides the one that was waited for.
    fn take_ended(&mut self) -> Result<(), JoinError> {
        while let Some(done) = self.calls.try_join_next() {
            self.done.push(done?);
        }
        Ok(())
    }

    /// Stores what came of calls. Where that fails it is kept, and their endpoints wait.
    async fn store(&mut self, process: Uuid) -> Result<(), LedgerError> {
        if self.done.is_empty() {
            return Ok(());
        }
        let (done, rules) = (&self.done, &self.rules);
        let store = async |connection: &mut PgConnection| mark::store(connection, process, done, rules).await;
        let marked = self.with.pool.within(store).await?;
        for (endpoint, reason) in &marked.disabled {
            tracing::warn!(endpoint, reason = reason.as_str(), "a webhook endpoint is disabled");
        }
        self.with.meters.marked(&marked);
        for done in self.done.drain(..) {
            done.made.iter().for_each(|made| self.with.meters.called(&made.called));
            self.busy.remove(&done.endpoint.id);
        }
        Ok(())
    }

    /// What is told next, to as many as there are slots for. From then on they are busy.
    async fn pick(&mut self, process: Uuid, now: UnixMillis) -> Result<Vec<Turn>, LedgerError> {
        let settings = &self.with.settings;
        let taken = |slow: bool| self.busy.values().filter(|busy| **busy == slow).count();
        let mut slots = [
            settings.calls_at_once.saturating_sub(taken(false)),
            settings.slow_calls_at_once.saturating_sub(taken(true)),
        ];
        if slots == [0, 0] {
            return Ok(vec![]);
        }
        let busy: Vec<i64> = self.busy.keys().copied().collect();
        let look = Look {
            process,
            now,
            busy: &busy,
            after: self.after.0,
            page: settings.look_endpoints.into(),
            slow_ms: settings.slow_ms.into(),
        };
        let page = self.with.pool.within(async |connection| look::page(connection, &look).await);
        let (waiting, next) = page.await?;
        let mut chosen = BTreeMap::new();
        for one in &waiting {
            let slots = &mut slots[usize::from(one.slow)];
            if *slots > 0 {
                *slots -= 1;
                chosen.insert(one.endpoint, one.slow);
            }
        }
        // Whoever found no slot comes before those that did, the next time round.
        let last = chosen.keys().next_back().copied().filter(|_| chosen.len() < waiting.len());
        self.after.0 = last.or(next).unwrap_or(0);
        if chosen.is_empty() {
            return Ok(vec![]);
        }
        let turns =
            prepare::turns(&self.with, process, &chosen.keys().copied().collect::<Vec<_>>(), now).await?;
        for turn in &turns {
            self.busy.insert(turn.endpoint.id, chosen.get(&turn.endpoint.id).is_some_and(|slow| *slow));
        }
        Ok(turns)
    }

    async fn tidy(&mut self, process: Uuid) -> Result<(), LedgerError> {
        let after = self.after.1;
        let bounds = tidy::Bounds {
            backlog_rows: self.with.settings.backlog_rows.into(),
            log_rows: self.with.settings.log_rows.into(),
            page: self.with.settings.look_endpoints.into(),
        };
        let tidy =
            async |connection: &mut PgConnection| tidy::tidy(connection, process, &bounds, after).await;
        let tidied = self.with.pool.within(tidy).await?;
        for endpoint in &tidied.overflowed {
            tracing::warn!(endpoint, reason = "backlog", "a webhook endpoint is disabled");
        }
        self.after.1 = tidied.next;
        self.with.meters.tidied(&tidied);
        Ok(())
    }

    /// How long a turn may take before what was said is stored.
    fn longest(&self) -> Duration {
        Duration::from_millis(self.with.settings.turn_ms)
    }

    fn failed(&self, error: &LedgerError) {
        self.with.meters.failed.increment(1);
        if error.postgres().is_some_and(lost_a_race) {
            tracing::debug!(%error, "webhooks lost a race");
        } else {
            tracing::warn!(%error, "webhooks could not be delivered now");
        }
    }
}
