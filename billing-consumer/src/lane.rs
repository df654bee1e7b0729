//! The loop of one lane: partitions come and go, records and acknowledgements come in, and
//! between them billing goes round.

use crate::config::Settings;
use crate::metrics::Meters;
use crate::part::Part;
use crate::publish::{Ack, Publisher, published};
use domain::lane::Lane;
use domain::tariff::Tariff;
use ledger::ranges::Ranges;
use platform::health::Check;
use platform::kafka::consumer::{Record, Records};
use platform::kafka::topics::Stage;
use platform::lifecycle::Stop;
use platform::ownership::{Beat, Change, Lease, Position};
use platform::role::Common;
use sqlx::PgPool;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The loop goes round at least so often, so that its sign of life is fresh.
const ROUND: Duration = Duration::from_millis(200);

/// Everything one lane's billing needs and holds.
pub(crate) struct LaneLoop {
    pub(crate) common: Common,
    pub(crate) settings: Settings,
    pub(crate) lane: Lane,
    pub(crate) pool: PgPool,
    pub(crate) topic_in: String,
    pub(crate) topic_out: String,
    pub(crate) records: Records,
    changes: mpsc::Receiver<Change>,
    pub(crate) parts: BTreeMap<i32, Part>,
    pub(crate) publisher: Publisher,
    pub(crate) tariffs: HashMap<u32, Tariff>,
    pub(crate) ranges: Option<(Ranges, Instant)>,
    pub(crate) meters: Meters,
    pub(crate) check: Check,
    beat: Beat,
}

impl LaneLoop {
    pub(crate) fn new(
        common: &Common,
        settings: &Settings,
        lane: Lane,
        records: Records,
        changes: mpsc::Receiver<Change>,
        beat: Beat,
    ) -> anyhow::Result<Self> {
        let topic_out = common.topics.of(Stage::Billed, lane);
        let linger_ms = match lane {
            Lane::Express => settings.linger_express_ms,
            Lane::Standard => settings.linger_standard_ms,
            Lane::Bulk => settings.linger_bulk_ms,
        };
        let stale_after = Duration::from_millis(settings.stale_after_ms);
        Ok(LaneLoop {
            common: common.clone(),
            settings: settings.clone(),
            lane,
            pool: common.pools.lane(lane).clone(),
            topic_in: common.topics.of(Stage::Submitted, lane),
            publisher: Publisher::new(&common.kafka, linger_ms, topic_out.clone())?,
            topic_out,
            records,
            changes,
            parts: BTreeMap::new(),
            tariffs: HashMap::new(),
            ranges: None,
            meters: Meters::new(lane),
            check: common.health.check(format!("billing-consumer.{lane}"), stale_after),
            beat,
        })
    }

    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        self.check.ok();
        loop {
            let wait = if self.has_work() { Duration::ZERO } else { ROUND };
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(change) = self.changes.recv() => self.change(change).await?,
                Some(ack) = self.publisher.acks.recv() => self.acknowledge(ack),
                Some(batch) = self.records.next() => self.take_in(batch),
                () = tokio::time::sleep(wait) => {}
            }
            while let Some(batch) = self.records.try_next() {
                self.take_in(batch);
            }
            while let Ok(ack) = self.publisher.acks.try_recv() {
                self.acknowledge(ack);
            }
            if self.publisher.has_failed() {
                self.start_over().await?;
            }
            self.bill().await?;
            self.answer_drained();
            self.beat.tick();
            self.check.progress();
        }
        Ok(())
    }

    async fn change(&mut self, change: Change) -> anyhow::Result<()> {
        match change {
            Change::Taken { lease, positions } => {
                let position = positions.into_iter().find(|position| position.topic == self.topic_in);
                if let Some(position) = position {
                    self.begin(lease, &position).await?;
                }
            }
            Change::Release { partition, drained } => match self.parts.get_mut(&partition) {
                Some(part) => {
                    // What is read and not billed is the next holder's.
                    part.pending.clear();
                    part.drained = Some(drained);
                    self.records.unassign(0, partition);
                }
                None => drop(drained),
            },
            Change::Lost { partition } => self.drop_part(partition),
        }
        Ok(())
    }

    /// Begins with a partition: answers first what is billed and not yet published.
    async fn begin(&mut self, lease: Lease, position: &Position) -> anyhow::Result<()> {
        let partition = lease.partition;
        let from = published(&self.common.kafka, &self.topic_out, partition, position.published).await?;
        if from > position.next_offset {
            // Only a database restored to an earlier time looks so; taking verdicts over is
            // a decision of people.
            let subject = format!("{}/{partition}", self.lane);
            let detail = format!("sms.billed answers up to {from}, billed is {}", position.next_offset);
            tracing::error!(
                partition,
                published = from,
                next_offset = position.next_offset,
                "O2: partition stops"
            );
            self.common.health.raise_alarm("published_beyond_billed", &subject, &detail);
            return Ok(());
        }
        self.parts.insert(partition, Part::new(lease, position.next_offset, from));
        self.assign(partition);
        Ok(())
    }

    /// Reads a partition from where publishing stands.
    pub(crate) fn assign(&mut self, partition: i32) {
        if let Some(part) = self.parts.get_mut(&partition) {
            part.start_over(part.published);
            let (serial, flow) = self.records.assign(0, partition, part.published);
            part.assigned(serial, flow);
        }
    }

    pub(crate) fn drop_part(&mut self, partition: i32) {
        if self.parts.remove(&partition).is_some() {
            self.records.unassign(0, partition);
        }
    }

    fn take_in(&mut self, batch: Vec<Record>) {
        for record in batch {
            let part = self.parts.get_mut(&record.partition);
            if let Some(part) = part.filter(|part| part.serial == record.serial && part.drained.is_none()) {
                part.pending.push_back(record);
            }
        }
    }

    fn acknowledge(&mut self, ack: Ack) {
        if !self.publisher.is_current(&ack) || !ack.ok {
            // A failed delivery fails the producer: the loop starts over.
            return;
        }
        if let Some(part) = self.parts.get_mut(&ack.partition) {
            part.acknowledged(ack.source);
        }
    }

    /// The producer broke: every partition starts over from what sms.billed really has.
    async fn start_over(&mut self) -> anyhow::Result<()> {
        self.meters.producers_discarded.increment(1);
        self.publisher.renew()?;
        for partition in self.parts.keys().copied().collect::<Vec<_>>() {
            let Some(stored) = self.parts.get(&partition).map(|part| part.published) else { continue };
            let from = published(&self.common.kafka, &self.topic_out, partition, stored).await?;
            let one_too_many = self.parts.get_mut(&partition).is_some_and(|part| {
                part.published = from;
                part.failed_at(from)
            });
            if one_too_many {
                tracing::error!(partition, source = from, "answers fail again and again: partition stops");
                let subject = format!("{}/{partition}", self.lane);
                let detail = format!("the answer to offset {from} cannot be published");
                self.common.health.raise_alarm("billing_cannot_publish", &subject, &detail);
                self.drop_part(partition);
            } else {
                self.assign(partition);
            }
        }
        Ok(())
    }

    fn answer_drained(&mut self) {
        let done = |part: &Part| part.drained.is_some() && part.unacknowledged() == 0;
        let drained: Vec<i32> = self.parts.iter().filter(|(_, part)| done(part)).map(|(p, _)| *p).collect();
        for partition in drained {
            if let Some(drained) = self.parts.remove(&partition).and_then(|part| part.drained) {
                // The owner may have stopped waiting: then it has withdrawn the partition.
                let _ = drained.send(());
            }
        }
        let waiting: usize = self.parts.values().map(Part::unacknowledged).sum();
        self.meters.unacknowledged.set(u32::try_from(waiting).unwrap_or(u32::MAX));
    }
}
