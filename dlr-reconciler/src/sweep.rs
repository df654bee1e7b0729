//! The sweep: what no operator answers in its time ends as `undelivered`, `unconfirmed`.
//!
//! An outage of ours must not refund what was delivered. So a chunk's messages end only when
//! everything is stored that came until its `send_by` and the operator's window were over
//! ([`seen`]), and the operator was heard of later than that; or at the hard cap ([`rules`]).
//! Chunks that await receipts are looked through by their ids, which are times, a page each
//! round, from the oldest to the first that is too young, and over again ([`rows`]).

mod rows;
mod rules;
mod seen;
#[cfg(test)]
mod tests;

pub(crate) use rules::Rules;
pub(crate) use seen::Topics;

use crate::config::SweepSettings;
use crate::flush::{Means, Stored, Unanswered, end_unanswered};
use crate::metrics::SweepMeters;
use crate::schedule::Schedule;
use domain::status::Costs;
use domain::time::UnixMillis;
use ledger::LedgerError;
use platform::health::Health;
use platform::kafka::probe::Probe;
use platform::lifecycle::Stop;
use platform::ownership::Standing;
use platform::postgres::Pool;
use rows::Page;
use rules::{Candidate, Verdict};
use seen::{Key, Seen};
use sqlx::PgConnection;
use sqlx::types::Uuid;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Alarm: what was written to a topic is not taken in, so nothing is swept.
const STANDS_STILL: &str = "sweep_stands_still";
/// It is raised when the least that is seen is so old, in milliseconds.
const STANDS_STILL_MS: i64 = 3_600_000;

/// What the sweep is made of.
pub(crate) struct Parts {
    pub(crate) pool: Pool,
    pub(crate) probe: Arc<Probe>,
    pub(crate) standing: Arc<Standing>,
    pub(crate) health: Health,
    pub(crate) meters: SweepMeters,
    pub(crate) topics: Topics,
    pub(crate) rules: Rules,
    pub(crate) schedule: Schedule,
    pub(crate) costs: Costs,
    pub(crate) operator_ids: Arc<BTreeSet<String>>,
    pub(crate) settings: SweepSettings,
    /// Chunks in one transaction at most.
    pub(crate) chunks: usize,
}

/// The sweep of the partitions that this process holds.
pub(crate) struct Sweep {
    with: Parts,
    seen: Seen,
    /// Where the next page begins.
    after: i64,
    /// Since when it runs, by the database's clock.
    since: Option<UnixMillis>,
    alarmed: Option<String>,
}

/// What one page brought.
#[derive(Debug, Default)]
pub(crate) struct Swept {
    /// Ended because nobody answered.
    pub(crate) unanswered: Stored,
    /// Ended at the hard cap.
    pub(crate) hard_cap: Stored,
    /// Chunks asked about once more.
    pub(crate) asked: u64,
}

impl Sweep {
    pub(crate) fn new(with: Parts) -> Self {
        Sweep { with, seen: Seen::default(), after: 0, since: None, alarmed: None }
    }

    /// Goes round until asked to stop. A round that fails is tried again.
    ///
    /// # Errors
    /// None; the type is that of every component.
    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let every = Duration::from_millis(self.with.settings.every_ms);
        loop {
            tokio::select! {
                biased;
                () = stop.requested() => return Ok(()),
                () = tokio::time::sleep(every) => {}
            }
            if let Err(error) = self.round().await {
                self.with.meters.failed.increment(1);
                tracing::warn!(error = format!("{error:#}"), "nothing could be swept now");
            }
        }
    }

    /// One look at what is seen, and one page.
    pub(crate) async fn round(&mut self) -> anyhow::Result<()> {
        let (now, held) = self.look().await?;
        let (held, seen) = self.held_and_seen(&held);
        let Some(latest) = seen.iter().max().map(|seen| self.with.rules.latest(*seen)) else { return Ok(()) };
        let until = |partition: i32| {
            let place = held.iter().position(|held| *held == partition)?;
            seen.get(place).copied()
        };
        let page = Page {
            after: self.after,
            look: self.with.settings.look_chunks.into(),
            take: i64::try_from(self.with.chunks).unwrap_or(i64::MAX),
            latest,
        };
        let read = self.with.pool.within(async |connection| rows::page(connection, &page, &held).await);
        let (candidates, next) = read.await?;
        // Whatever becomes of this page: what cannot be stored must not hold up the others.
        self.after = next.unwrap_or(0);
        let Parts { pool, standing, costs, schedule, operator_ids, .. } = &self.with;
        let version = standing.write_version();
        let means = Means { costs, schedule, now, version, operator_ids };
        let rules = self.with.rules;
        let swept = sweep(pool, standing.process(), &means, &candidates, (rules, until)).await?;
        self.with.meters.swept(&swept);
        Ok(())
    }

    /// Looks how far everything is seen. Returns the time, and the partitions held.
    async fn look(&mut self) -> anyhow::Result<(UnixMillis, Vec<i32>)> {
        let Parts { pool, probe, topics, .. } = &self.with;
        let process = self.with.standing.process();
        let clock = pool.within(async |connection| rows::clock_and_held(connection, process).await);
        let (now, held) = clock.await?;
        let keys = if held.is_empty() { vec![] } else { topics.keys(&held) };
        // After the clock.
        let (asking, asked) = (Arc::clone(probe), keys.clone());
        let ends = tokio::task::spawn_blocking(move || {
            let asked: Vec<(&str, i32)> =
                asked.iter().map(|(topic, partition)| (topic.as_str(), *partition)).collect();
            if asked.is_empty() { Ok(HashMap::new()) } else { asking.ends(&asked) }
        });
        let ends = ends.await??;
        // After the ends.
        let names: Vec<&str> = topics.attempts.iter().chain([&topics.receipts]).map(String::as_str).collect();
        let positions = pool.within(async |connection| rows::positions(connection, &names).await).await?;
        self.seen.look(&keys, now, &ends, &positions);
        self.show(now, held.is_empty());
        Ok((now, held))
    }

    /// The partitions held of which everything is seen until some time, and that time.
    fn held_and_seen(&self, held: &[i32]) -> (Vec<i32>, Vec<UnixMillis>) {
        let seen = held.iter().filter_map(|held| Some((*held, self.seen.until(&self.with.topics, *held)?)));
        seen.unzip()
    }

    /// Shows how far behind it is. Where nothing is held nobody waits for it.
    fn show(&mut self, now: UnixMillis, idle: bool) {
        let since = *self.since.get_or_insert(now);
        let least = self.seen.least().filter(|_| !idle);
        let behind = least.map(|(key, until)| (subject(key), now.0 - until.unwrap_or(since).0));
        self.with.meters.behind.set(behind.as_ref().map_or(0.0, |(_, behind)| *behind as f64 / 1_000.0));
        let stands = behind.filter(|(_, behind)| *behind > STANDS_STILL_MS).map(|(subject, _)| subject);
        if stands == self.alarmed {
            return;
        }
        if let Some(subject) = &self.alarmed {
            self.with.health.clear_alarm(STANDS_STILL, subject);
        }
        if let Some(subject) = &stands {
            let detail = "what was written here an hour ago is not taken in: nothing is swept until it is";
            self.with.health.raise_alarm(STANDS_STILL, subject, detail);
        }
        self.alarmed = stands;
    }
}

fn subject((topic, partition): &Key) -> String {
    format!("{topic}/{partition}")
}

/// Does with candidates what they are judged to, by the rules and by how much is seen of a
/// partition.
async fn sweep(
    pool: &Pool,
    process: Uuid,
    means: &Means<'_>,
    candidates: &[Candidate],
    (rules, seen): (Rules, impl Fn(i32) -> Option<UnixMillis>),
) -> Result<Swept, LedgerError> {
    let (mut ends, mut capped) = (Vec::new(), Vec::new());
    // Of each connector that is silent, the first chunk that it can be asked about.
    let mut silent: BTreeMap<&str, i64> = BTreeMap::new();
    for candidate in candidates {
        let Some(seen) = seen(candidate.partition) else { continue };
        match rules.judge(candidate, seen, means.now) {
            Verdict::Wait => {}
            Verdict::Unanswered => ends.push(unanswered(candidate)),
            Verdict::HardCap => capped.push(unanswered(candidate)),
            Verdict::Silent => {
                for by in rules.silent(candidate).filter(|by| by.ids) {
                    silent.entry(&by.connector).or_insert(candidate.chunk.get());
                }
            }
        }
    }
    let mut swept = Swept::default();
    if !silent.is_empty() {
        let chunks: Vec<i64> = silent.into_values().collect();
        let ask = async |connection: &mut PgConnection| rows::ask_once_more(connection, &chunks).await;
        swept.asked = pool.within(ask).await?;
    }
    if !ends.is_empty() {
        swept.unanswered = end_unanswered(pool, process, &ends, means).await?;
    }
    if !capped.is_empty() {
        swept.hard_cap = end_unanswered(pool, process, &capped, means).await?;
    }
    Ok(swept)
}

fn unanswered(candidate: &Candidate) -> Unanswered {
    Unanswered { chunk: candidate.chunk, partition: candidate.partition, messages: candidate.open }
}
