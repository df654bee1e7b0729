//! billed + attempts + receipts ▶ state, settle, void, counters.
//!
//! The journey, for each worker by itself (one a lane for sms.billed.<lane> and
//! sms.attempts.<lane>, one for sms.receipts): records arrive and are understood ([`read`]),
//! merged by chunk in memory ([`merge`]) for a while, then stored in one transaction
//! ([`flush`]) together with the positions behind them: what is known of each message
//! ([`states`]), the money of what newly ended, the chunk as it was billed, operators' ids,
//! when to ask for receipts ([`schedule`]), counters. What a worker has in hand is in
//! [`hand`]; the loop around it all is [`reconcile`].
//!
//! Content is stored often, states seldom: each topic is stored by itself. Receipts whose
//! chunk is not known yet wait in a table, and are matched after each transaction that
//! makes state rows, at start, and every few seconds.
//!
//! Beside the workers: the [`sweep`] ends what no operator answers, chunks of which everything
//! is final go to [`history`], and customers' endpoints are told what became of their messages
//! ([`webhooks`]).

mod config;
mod flush;
mod hand;
mod history;
mod holding;
mod listing;
mod merge;
mod metrics;
mod pushed;
mod read;
mod reconcile;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod samples;
mod schedule;
mod states;
mod sweep;
#[cfg(test)]
mod tests;
mod webhooks;

pub use config::{HistorySettings, Settings, SweepSettings, WebhookDelivery};

use anyhow::Context;
use domain::lane::Lane;
use hand::{Bounds, Topic};
use history::Mover;
use platform::kafka::consumer::Consumer;
use platform::kafka::probe::Probe;
use platform::kafka::topics::Stage;
use platform::lifecycle::{Lifecycle, Phase};
use platform::ownership::{Beat, Role};
use platform::role::{Common, RoleLoop};
use platform::webhook::{Caller, WebhookSettings};
use read::Stream;
use reconcile::{Parts, Pending, Worker};
use schedule::Schedule;
use std::sync::Arc;
use std::time::Duration;
use sweep::Sweep;
use tokio::sync::mpsc;
use webhooks::Deliverer;

/// Changes of ownership that wait for a worker at most.
const CHANGES_MAX: usize = 128;

/// Names of a worker, of its component, and of its consumer thread.
type Names = (&'static str, &'static str, &'static str);

/// How customers are told things.
#[derive(Clone, Copy)]
pub struct Webhooks<'a> {
    /// How their endpoints are called.
    pub calls: &'a WebhookSettings,
    /// The currency of all amounts.
    pub currency: &'a str,
}

/// Starts the reconciler: four workers with a consumer thread each, and one owner of
/// partitions.
///
/// The owner gives partitions back while draining, which makes the workers store what they
/// hold; workers and threads end in the next phase.
///
/// # Errors
/// When a Kafka client or a thread cannot be made, or the settings are out of range.
pub fn start(
    common: &Common,
    settings: &Settings,
    webhooks: Webhooks<'_>,
    lifecycle: &mut Lifecycle,
) -> anyhow::Result<()> {
    metrics::describe();
    let mut started = Vec::new();
    for lane in Lane::ALL {
        let content_flush = Duration::from_millis(settings.content_flush_ms);
        let streams = vec![
            (common.topics.of(Stage::Billed, lane), Stream::Billed(lane), content_flush),
            (common.topics.of(Stage::Attempts, lane), Stream::Attempts(lane), settings.lane_flush(lane)),
        ];
        let start = || worker(common, settings, lifecycle, lane_names(lane), lane, streams, None);
        started.push(common.threads.start(lane, start)??);
    }
    // Receipts are of all lanes. The standard lane's connections: a flood of bulk must not
    // take them from receipts of login codes, and a transaction over hundreds of chunks must
    // not take those of express (nor wait for locks as shortly as these do).
    let receipts = Duration::from_millis(settings.receipts_flush_ms);
    let streams = vec![(common.topics.receipts(), Stream::Receipts, receipts)];
    let names = ("receipts", "dlr-reconciler.receipts", "dlr-read-rcpt");
    let pending = Some(Pending {
        every: Duration::from_millis(settings.pending_every_ms),
        keep: Duration::from_secs(u64::from(settings.pending_keep_hours) * 3_600),
    });
    started.push(worker(common, settings, lifecycle, names, Lane::Standard, streams, pending)?);

    // Nobody waits for these.
    common.threads.start(Lane::Bulk, || {
        let sweep = sweep(common, settings)?;
        lifecycle.spawn("dlr-reconciler.sweep", Phase::Drain, |stop| sweep.run(stop));
        let mover = mover(common, settings);
        lifecycle.spawn("dlr-reconciler.history", Phase::Drain, |stop| mover.run(stop));
        let deliverer = deliverer(common, settings, webhooks)?;
        let standing = common.standing.clone();
        lifecycle.spawn("dlr-reconciler.webhooks", Phase::Drain, |stop| deliverer.run(standing, stop));
        anyhow::Ok(())
    })??;

    let names = ("dlr-reconciler.owner", "dlr-reconciler.changes");
    common.own_partitions(Role::DlrReconciler, started, names, lifecycle);
    Ok(())
}

fn worker(
    common: &Common,
    settings: &Settings,
    lifecycle: &mut Lifecycle,
    (name, component, thread): Names,
    pool_of: Lane,
    streams: Vec<(String, Stream, Duration)>,
    pending: Option<Pending>,
) -> anyhow::Result<RoleLoop> {
    let topics = streams.iter().map(|(topic, _, _)| topic.clone()).collect();
    let (consumer, records) = Consumer::new(&common.kafka, &settings.consumer, topics)?;
    let budget = consumer.budget();
    lifecycle.spawn_thread(thread, Phase::Flush, move |stop| Ok(consumer.run(|| stop.is_requested())?))?;

    let meters = metrics::Meters::new(name);
    let topic = |(topic, stream, flush_after): (String, Stream, Duration)| {
        Topic::new(topic, stream, flush_after, meters.stream(stream.as_str()))
    };
    let (changes, receiver) = mpsc::channel(CHANGES_MAX);
    let beat = Beat::new();
    let worker = Worker::new(Parts {
        topics: streams.into_iter().map(topic).collect(),
        records,
        budget,
        changes: receiver,
        pool: common.pools.lane(pool_of).clone(),
        beat: beat.clone(),
        check: common.health.check(component, Duration::from_millis(settings.stale_after_ms)),
        health: common.health.clone(),
        standing: common.standing.clone(),
        schedule: schedule(settings)?,
        costs: settings.costs.clone(),
        operator_ids: Arc::new(settings.operator_ids.clone()),
        bounds: Bounds {
            chunks: settings.chunks_per_transaction,
            offsets: i64::from(settings.consumer.ahead_records / 2).max(1),
        },
        retry_longest: Duration::from_millis(settings.retry_longest_ms),
        pending,
        meters,
    });
    lifecycle.spawn(component, Phase::Flush, |stop| worker.run(stop));
    Ok(RoleLoop { changes, beat })
}

fn schedule(settings: &Settings) -> anyhow::Result<Schedule> {
    let schedule = Schedule::new(&settings.poll_schedule_s, settings.poll_window_s);
    schedule.context("dlr_reconciler.poll_schedule_s is no schedule")
}

/// The sweep. It has the connections of bulk, and a Kafka client of
/// its own that only asks where topics end.
fn sweep(common: &Common, settings: &Settings) -> anyhow::Result<Sweep> {
    let receipts = common.topics.receipts();
    let millis = |seconds: u32| i64::from(seconds) * 1_000;
    Ok(Sweep::new(sweep::Parts {
        pool: common.pools.lane(Lane::Bulk).clone(),
        probe: Arc::new(Probe::new(&common.kafka, receipts.clone())?),
        standing: common.standing.clone(),
        health: common.health.clone(),
        meters: metrics::SweepMeters::new(),
        topics: sweep::Topics {
            attempts: Lane::ALL.map(|lane| common.topics.of(Stage::Attempts, lane)).to_vec(),
            receipts,
            partitions: common.partitions,
        },
        rules: sweep::Rules {
            window_ms: millis(settings.poll_window_s),
            hard_cap_ms: millis(settings.sweep.hard_cap_s),
        },
        schedule: schedule(settings)?,
        costs: settings.costs.clone(),
        operator_ids: Arc::new(settings.operator_ids.clone()),
        settings: settings.sweep.clone(),
        chunks: settings.chunks_per_transaction,
    }))
}

fn mover(common: &Common, settings: &Settings) -> Mover {
    Mover {
        pool: common.pools.lane(Lane::Bulk).clone(),
        standing: common.standing.clone(),
        settings: settings.history.clone(),
        meters: metrics::HistoryMeters::new(),
    }
}

fn deliverer(common: &Common, settings: &Settings, webhooks: Webhooks<'_>) -> anyhow::Result<Deliverer> {
    Ok(Deliverer::new(webhooks::Parts {
        pool: common.pools.lane(Lane::Bulk).clone(),
        caller: Arc::new(Caller::new(webhooks.calls).context("webhooks cannot be called")?),
        currency: webhooks.currency.to_owned(),
        settings: settings.webhooks.clone(),
        meters: metrics::WebhookMeters::new(),
    }))
}

const fn lane_names(lane: Lane) -> Names {
    match lane {
        Lane::Express => ("express", "dlr-reconciler.express", "dlr-read-expr"),
        Lane::Standard => ("standard", "dlr-reconciler.standard", "dlr-read-std"),
        Lane::Bulk => ("bulk", "dlr-reconciler.bulk", "dlr-read-bulk"),
    }
}
