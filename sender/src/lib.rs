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
mod desk;
mod dispatch;
mod lane;
mod magfa;
mod metrics;
mod poll;
mod scan;
mod store;
mod take;

pub use config::{MagfaSettings, Routes, Settings};

use anyhow::Context;
use attempts::Writer;
use call::Line;
use domain::lane::Lane;
use lane::LaneLoop;
use magfa::Magfa;
use platform::kafka::consumer::Consumer;
use platform::kafka::topics::Stage;
use platform::lifecycle::{Lifecycle, Phase};
use platform::ownership::{Beat, Role};
use platform::role::{Common, RoleLoop};
use poll::{Held, Poller};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Changes of ownership that wait for a loop at most.
const CHANGES_MAX: usize = 128;

/// Starts sending: for each lane a consumer thread, a loop and a poller, and one owner.
///
/// # Errors
/// When a Kafka client, an HTTP client or a thread cannot be made.
pub fn start(common: &Common, settings: &Settings, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    let mut loops = Vec::new();
    for lane in Lane::ALL {
        let topic = common.topics.of(Stage::Billed, lane);
        let (consumer, records) = Consumer::new(&common.kafka, &settings.consumer, vec![topic])?;
        let (name, poll, thread) = names(lane);
        lifecycle.spawn_thread(
            thread,
            Phase::Flush,
            move |stop| Ok(consumer.run(|| stop.is_requested())?),
        )?;
        let (changes, receiver) = mpsc::channel(CHANGES_MAX);
        let (beat, line) = (Beat::new(), Arc::new(line(common, settings, lane)?));
        let held = Held::default();
        let poller = Poller::new(common, settings, lane, Arc::clone(&line), held.clone());
        let lane_loop = LaneLoop::new(common, settings, lane, records, receiver, beat.clone(), line, held);
        lifecycle.spawn(name, Phase::Flush, |stop| lane_loop.run(stop));
        lifecycle.spawn(poll, Phase::Drain, |stop| poller.run(stop));
        loops.push(RoleLoop { changes, beat });
    }
    let names = ("sender.owner", "sender.changes");
    common.own_partitions(Role::Sender, loops, names, lifecycle);
    Ok(())
}

/// A lane's own way to its connector and to Kafka.
fn line(common: &Common, settings: &Settings, lane: Lane) -> anyhow::Result<Line> {
    let name = settings.routes.of(lane);
    let connector = settings.connectors.get(name).with_context(|| format!("no connector {name}"))?;
    let standing = common.standing.clone();
    let writer = Writer::new(&common.kafka, settings.linger_ms(lane), &common.topics, lane, standing)?;
    let connections = settings.calls_at_once + settings.questions_at_once;
    let magfa = Magfa::new(connector, connections)?;
    Ok(Line { connector: name.to_owned(), magfa, writer: Arc::new(writer) })
}

const fn names(lane: Lane) -> (&'static str, &'static str, &'static str) {
    match lane {
        Lane::Express => ("sender.express", "sender.poll.express", "send-read-expr"),
        Lane::Standard => ("sender.standard", "sender.poll.standard", "send-read-std"),
        Lane::Bulk => ("sender.bulk", "sender.poll.bulk", "send-read-bulk"),
    }
}
