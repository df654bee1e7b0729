//! sms.billed ▶ operator ▶ sms.attempts.
//!
//! The journey, for each lane by itself: a new holder of a partition writes a fence and
//! reads what was attempted before it ([`take`]). Billed chunks come to the partition's desk
//! ([`desk`]), which says what may be sent. A call ([`call`]) writes its intent, checks the
//! hold one last time, sends, and writes what became of each message. What is unknown is
//! looked up before anything else happens to it. The frontier passes a chunk when each of
//! its messages has an acknowledged closing outcome ([`store`]). Operators that do not push
//! receipts are polled ([`poll`]).

mod attempts;
mod call;
mod config;
mod connector;
#[cfg(test)]
mod contract;
mod courtesy;
mod defer;
mod deferred;
mod desk;
mod dispatch;
mod gate;
mod keeper;
mod lane;
mod look_up;
mod magfa;
mod metrics;
mod poll;
mod retry;
mod scan;
mod store;
mod take;

pub use config::ConnectorLimits;
pub use config::{MagfaSettings, Routes, Settings};
pub use courtesy::CourtesySettings;

use anyhow::Context;
use attempts::Writer;
use call::{Line, Link};
use connector::Connector;
use courtesy::Courtesy;
use domain::lane::Lane;
use keeper::Keeper;
use lane::LaneLoop;
use magfa::Magfa;
use metrics::Unknowns;
use platform::heard::Heard;
use platform::kafka::consumer::Consumer;
use platform::kafka::topics::Stage;
use platform::lifecycle::{Lifecycle, Phase};
use platform::ownership::{Beat, Role};
use platform::role::{Common, RoleLoop};
use poll::{Held, Poller};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Messages that wait for a person.
pub mod dead {
    pub use crate::deferred::Verb;
    pub use crate::deferred::letters::{ATTEMPTS_MAX, Dead, Letter, Others, Which, find, list, order};
}

/// Where one message stands, for people.
pub mod waiting {
    pub use crate::deferred::shown::{Ordered, Waits, ordered, waits};
}

/// Links to operators, as people see them.
pub mod connectors {
    pub use crate::keeper::links::{Link, links, resume};
}

/// Changes of ownership that wait for a loop at most.
const CHANGES_MAX: usize = 128;

/// Starts sending: for each lane a consumer thread, a loop and a poller, and one owner.
///
/// # Errors
/// When a Kafka client, an HTTP client or a thread cannot be made.
pub fn start(common: &Common, settings: &Settings, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    let mut loops = Vec::new();
    let connectors = all_connectors(common, settings);
    let courtesy = Arc::new(Courtesy::new(&settings.courtesy));
    for lane in Lane::ALL {
        let start = || start_lane(common, settings, lane, &connectors, &courtesy, lifecycle);
        loops.push(common.threads.start(lane, start)??);
    }
    let mut keeper = Keeper::new(common.pools.common(), &common.standing);
    for connector in connectors.into_values() {
        if let Some(of) = settings.connectors.get(&connector.name) {
            keeper.keep(connector, &of.limits);
        }
    }
    lifecycle.spawn("sender.connectors", Phase::Release, |stop| keeper.run(stop));
    let reader = courtesy::Reader::new(common.pools.common(), &common.health, &courtesy, &settings.courtesy);
    lifecycle.spawn("sender.courtesy", Phase::Release, |stop| reader.run(stop));
    let names = ("sender.owner", "sender.changes");
    common.own_partitions(Role::Sender, loops, names, lifecycle);
    Ok(())
}

/// A lane's consumer, loop and poller, with its own way to its connector and to Kafka.
fn start_lane(
    common: &Common,
    settings: &Settings,
    lane: Lane,
    connectors: &BTreeMap<String, Arc<Connector>>,
    courtesy: &Arc<Courtesy>,
    lifecycle: &mut Lifecycle,
) -> anyhow::Result<RoleLoop> {
    let topic = common.topics.of(Stage::Billed, lane);
    let (consumer, records) = Consumer::new(&common.kafka, &settings.consumer, vec![topic])?;
    let (name, poll, thread) = names(lane);
    lifecycle.spawn_thread(thread, Phase::Flush, move |stop| Ok(consumer.run(|| stop.is_requested())?))?;
    let (changes, receiver) = mpsc::channel(CHANGES_MAX);
    let (beat, held) = (Beat::new(), Held::default());
    let line = Arc::new(line(common, settings, lane, connectors, courtesy)?);
    let poller = Poller::new(common, settings, lane, Arc::clone(&line), held.clone());
    let lane_loop = LaneLoop::new(common, settings, lane, records, receiver, beat.clone(), line, held);
    lifecycle.spawn(name, Phase::Flush, |stop| lane_loop.run(stop));
    lifecycle.spawn(poll, Phase::Drain, |stop| poller.run(stop));
    Ok(RoleLoop { changes, beat })
}

/// The configured connectors, each with the gate that all lanes share.
fn all_connectors(common: &Common, settings: &Settings) -> BTreeMap<String, Arc<Connector>> {
    let new = |(name, of): (&String, &MagfaSettings)| {
        let connector = Connector::new(name, &of.limits, of.call_timeout_ms, &common.health);
        (name.clone(), Arc::new(connector))
    };
    settings.connectors.iter().map(new).collect()
}

/// A lane's ways to all operators and to Kafka.
fn line(
    common: &Common,
    settings: &Settings,
    lane: Lane,
    connectors: &BTreeMap<String, Arc<Connector>>,
    courtesy: &Arc<Courtesy>,
) -> anyhow::Result<Line> {
    let heard = Arc::new(Heard::new(common.pools.lane(lane).clone()));
    let connections = settings.calls_at_once + settings.questions_at_once;
    let mut links = BTreeMap::new();
    for (name, connector) in connectors {
        let of = settings.connectors.get(name).with_context(|| format!("no connector {name}"))?;
        let magfa = Magfa::new(of, connections, Unknowns::new(lane, name))?;
        let link = Link { connector: Arc::clone(connector), magfa };
        links.insert(name.clone(), link);
    }
    let name = settings.routes.of(lane);
    let route = links.remove(name).with_context(|| format!("no connector {name}"))?;
    let standing = common.standing.clone();
    let linger_ms = settings.linger_ms(lane);
    let writer = Writer::new(&common.kafka, linger_ms, &common.topics, lane, Arc::clone(&standing))?;
    let (courtesy, pool) = (Arc::clone(courtesy), common.pools.lane(lane).clone());
    Ok(Line { route, others: links, standing, courtesy, pool, heard, writer: Arc::new(writer) })
}

const fn names(lane: Lane) -> (&'static str, &'static str, &'static str) {
    match lane {
        Lane::Express => ("sender.express", "sender.poll.express", "send-read-expr"),
        Lane::Standard => ("sender.standard", "sender.poll.standard", "send-read-std"),
        Lane::Bulk => ("sender.bulk", "sender.poll.bulk", "send-read-bulk"),
    }
}
