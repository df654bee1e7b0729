//! The composition root: the only place that knows which concrete things a process is made
//! of, and in which order they start and end.
//!
//! Clients of Kafka in a process of all roles: a producer a lane for ingest (3), billing (3)
//! and the sender (3), a consumer a lane for billing (3) and the sender (3), four for the
//! reconciler, two that only ask (is Kafka there, where do topics end; the latter for the
//! reconciler's sweep), and short-lived ones for reading tails (two a lane and role at once)
//! and for administration.

mod roles;
mod standing;

use crate::settings::Settings;
use crate::target::Targets;
use crate::{database, kafka};
use anyhow::Context;
use platform::health::Health;
use platform::kafka::probe::Probe;
use platform::kafka::topics::Topics;
use platform::lag::Lag;
use platform::lifecycle::{Lifecycle, Phase, termination};
use platform::management::Management;
use platform::ownership::{DataFolder, IdSource, Registration, heartbeat};
use platform::postgres::pulse;
use platform::role::Common;
use platform::telemetry::{install_recorder, upkeep};
use platform::threads::Threads;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// What roles are started with.
struct Parts {
    settings: Settings,
    common: Common,
    ids: Arc<IdSource>,
}

/// Runs the roles until a signal comes, or until something that must not end has ended.
pub(crate) async fn run(settings: Settings, targets: &Targets) -> anyhow::Result<()> {
    let signal = termination()?;
    let metrics = install_recorder()?;
    // First, so that a second process over the same folder changes nothing anywhere.
    let folder = Arc::new(DataFolder::open(&settings.ownership.data_folder)?);
    let management = listen(settings.management.listen).await?;
    let pools = database::open(&settings.postgres).await?;
    let install = kafka::check(&settings.kafka, pools.common()).await?;
    warn(&settings);

    let registration = Registration { roles: targets.roles().to_vec(), mints: roles::mint(targets) };
    let mints = registration.mints;
    let pulse = pulse(&settings.postgres, settings.ownership.answer_timeout())?;
    let beating = heartbeat(pulse, &settings.ownership, registration, folder).await;
    let (heart, standing, ids) = beating.context("this process could not be registered")?;

    let health = Health::new();
    let mut lifecycle = Lifecycle::new(settings.shutdown.clone());
    lifecycle.spawn("heartbeat", Phase::Release, |stop| heart.run(stop));
    let watch =
        standing::Watch::new(&health, Arc::clone(&standing), mints.then(|| Arc::clone(&ids)), &settings);
    lifecycle.spawn("standing", Phase::Release, |stop| watch.run(stop));

    let topics = Topics::new(&settings.kafka.topic_prefix, install.generation);
    let probe = Arc::new(Probe::new(&settings.kafka, topics.receipts())?);
    let check = health.check("kafka", Probe::STALE_AFTER);
    let asking = Arc::clone(&probe);
    lifecycle.spawn("kafka", Phase::Release, |stop| asking.watch(check, stop));
    let lag = Lag::new(pools.common().clone(), probe, Arc::clone(&standing), targets.roles(), &topics);
    let every = Duration::from_millis(settings.management.lag_every_ms);
    lifecycle.spawn("lag", Phase::Release, move |stop| lag.run(every, stop));

    let common = Common {
        topics,
        kafka: settings.kafka.clone(),
        ownership: settings.ownership.clone(),
        partitions: install.partitions,
        health: health.clone(),
        pools: pools.clone(),
        standing,
        threads: Arc::new(Threads::new(&settings.runtime).context("the system gives no threads")?),
    };
    let parts = Parts { settings, common, ids };
    roles::start(targets, &parts, &mut lifecycle)?;

    // Last: before all checks are registered it would say that all is well.
    let shown =
        Management { health, metrics: metrics.clone(), stopping: lifecycle.stop(Phase::StopAccepting) };
    let (router, limits) = (platform::management::router(shown), parts.settings.management.http.clone());
    lifecycle
        .spawn("management", Phase::Close, |stop| platform::http::serve(management, router, limits, stop));
    lifecycle.spawn("metrics", Phase::Close, |stop| upkeep(metrics, stop));

    tracing::info!(roles = %names(targets), partitions = install.partitions, "smshub runs");
    lifecycle.run(signal).await?;
    pools.close().await;
    Ok(())
}

async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await;
    listener.with_context(|| format!("cannot listen on {address} (setting management.listen)"))
}

/// What is allowed, and yet deserves a line in the log.
fn warn(settings: &Settings) {
    if settings.kafka.replication == 1 && !settings.kafka.flush_each_record {
        tracing::warn!("one broker without kafka.flush_each_record: a power cut loses acknowledged messages");
    }
    if !settings.management.listen.ip().is_loopback() {
        tracing::warn!(address = %settings.management.listen, "the management port has no keys and is not on loopback");
    }
}

fn names(targets: &Targets) -> String {
    targets.roles().iter().map(|role| role.as_str()).collect::<Vec<_>>().join(",")
}
