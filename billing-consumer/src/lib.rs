//! sms.submitted ▶ ledger ▶ sms.billed.
//!
//! The journey, for each lane by itself: records arrive from sms.submitted.<lane>; what
//! arrived during the last transaction is the next batch ([`bill`]). One transaction moves
//! the positions and books the holds, or parks what cannot be billed. Then each offset gets
//! exactly one answer in sms.billed.<lane>, same partition, in order ([`publish`]): paid (a
//! prefix), refused, or noop. The input topic is the outbox: after a crash, what is booked
//! and not yet published is read again and answered from the ledger.

mod bill;
mod config;
mod lane;
mod metrics;
mod part;
mod publish;
mod read;
mod transaction;

pub use config::Settings;

use domain::lane::Lane;
use lane::LaneLoop;
use platform::kafka::consumer::Consumer;
use platform::kafka::topics::Stage;
use platform::lifecycle::{Lifecycle, Phase};
use platform::ownership::{Beat, Role};
use platform::role::{Common, RoleLoop};
use tokio::sync::mpsc;

/// Changes of ownership that wait for a loop at most.
const CHANGES_MAX: usize = 128;

/// Starts billing: for each lane a consumer thread and a loop, and one owner of partitions.
///
/// # Errors
/// When a Kafka client or a thread cannot be made.
pub fn start(common: &Common, settings: &Settings, lifecycle: &mut Lifecycle) -> anyhow::Result<()> {
    let mut loops = Vec::new();
    for lane in Lane::ALL {
        loops.push(common.threads.start(lane, || start_lane(common, settings, lane, lifecycle))??);
    }
    let names = ("billing-consumer.owner", "billing-consumer.changes");
    common.own_partitions(Role::BillingConsumer, loops, names, lifecycle);
    Ok(())
}

fn start_lane(
    common: &Common,
    settings: &Settings,
    lane: Lane,
    lifecycle: &mut Lifecycle,
) -> anyhow::Result<RoleLoop> {
    let topic = common.topics.of(Stage::Submitted, lane);
    let (consumer, records) = Consumer::new(&common.kafka, &settings.consumer, vec![topic])?;
    let (name, thread) = names(lane);
    lifecycle.spawn_thread(thread, Phase::Flush, move |stop| Ok(consumer.run(|| stop.is_requested())?))?;
    let (changes, receiver) = mpsc::channel(CHANGES_MAX);
    let beat = Beat::new();
    let lane_loop = LaneLoop::new(common, settings, lane, records, receiver, beat.clone())?;
    lifecycle.spawn(name, Phase::Flush, |stop| lane_loop.run(stop));
    Ok(RoleLoop { changes, beat })
}

const fn names(lane: Lane) -> (&'static str, &'static str) {
    match lane {
        Lane::Express => ("billing-consumer.express", "bill-read-expr"),
        Lane::Standard => ("billing-consumer.standard", "bill-read-std"),
        Lane::Bulk => ("billing-consumer.bulk", "bill-read-bulk"),
    }
}
