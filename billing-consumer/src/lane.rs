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
use platform::kafka::consumer::{Batch, Records};
use platform::kafka::tails::Tails;
use platform::kafka::topics::Stage;
use platform::lifecycle::Stop;
use platform::ownership::{Beat, Change, Position};
use platform::postgres::Pool;
use platform::role::Common;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use wire::WireError;

/// The loop goes round at least so often, so that its sign of life is fresh.
const ROUND: Duration = Duration::from_millis(200);

/// Alarms of a partition that stands still: over when it is taken again.
const ALARMS: [&str; 5] = [
    "undecodable_record",
    "published_beyond_billed",
    "billing_cannot_publish",
    "hole_in_submitted",
    CANNOT_READ,
];
/// Alarm: the partition's next offset is not in sms.submitted.
const CANNOT_READ: &str = "billing_cannot_read";
/// The pause after a look at sms.billed that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Where publishing of a partition begins, looked up beside the loop.
struct Began {
    partition: i32,
    /// The beginning that was asked for: the answer to an earlier one does not count.
    number: u64,
    from: anyhow::Result<i64>,
}

/// Everything one lane's billing needs and holds.
pub(crate) struct LaneLoop {
    pub(crate) common: Common,
    pub(crate) settings: Settings,
    pub(crate) lane: Lane,
    pub(crate) pool: Pool,
    pub(crate) topic_in: String,
    pub(crate) topic_out: String,
    pub(crate) records: Records,
    changes: mpsc::Receiver<Change>,
    /// Bounded by the partitions.
    began: (mpsc::UnboundedSender<Began>, mpsc::UnboundedReceiver<Began>),
    beginnings: u64,
    tails: Tails,
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
            began: mpsc::unbounded_channel(),
            beginnings: 0,
            tails: Tails::new(&common.kafka),
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
                Some(change) = self.changes.recv() => self.change(change),
                Some(began) = self.began.1.recv() => self.began(began),
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
                self.start_over()?;
            }
            self.bill().await?;
            self.answer_drained();
            self.beat.tick();
            self.check.progress();
        }
        Ok(())
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Taken { lease, positions } => {
                let position = positions.into_iter().find(|position| position.topic == self.topic_in);
                if let Some(Position { next_offset, published, .. }) = position {
                    let partition = lease.partition;
                    for code in ALARMS {
                        self.common.health.clear_alarm(code, &format!("{}/{partition}", self.lane));
                    }
                    self.parts.insert(partition, Part::new(lease, next_offset, published));
                    self.begin(partition);
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
    }

    /// Looks for the end of what is published, beside the loop. Reading begins there: what
    /// is billed and not yet published is answered first.
    fn begin(&mut self, partition: i32) {
        self.beginnings += 1;
        let number = self.beginnings;
        let Some(part) = self.parts.get_mut(&partition) else { return };
        part.begins(number);
        self.records.unassign(0, partition);
        let (tails, topic) = (self.tails.clone(), self.topic_out.clone());
        let (stored, began) = (part.published, self.began.0.clone());
        tokio::spawn(async move {
            let from = published(&tails, &topic, partition, stored).await;
            if from.is_err() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            // The loop being gone is the end of the process.
            let _ = began.send(Began { partition, number, from });
        });
    }

    fn began(&mut self, began: Began) {
        let partition = began.partition;
        let Some(part) = self.parts.get_mut(&partition).filter(|part| part.beginning == Some(began.number))
        else {
            return;
        };
        let from = match began.from {
            Ok(from) => from,
            Err(error) if error.is::<WireError>() => {
                return self.stop_part(partition, "undecodable_record", &format!("{error:#}"));
            }
            Err(error) => {
                tracing::warn!(partition, error = format!("{error:#}"), "a partition could not begin; again");
                return self.begin(partition);
            }
        };
        if from > part.next_offset {
            // Only a database restored to an earlier time looks so; taking verdicts over is
            // a decision of people.
            let detail = format!("sms.billed answers up to {from}, billed is {}", part.next_offset);
            return self.stop_part(partition, "published_beyond_billed", &detail);
        }
        part.published = from;
        if part.failed_since(from) {
            let detail = format!("the answer to offset {from} cannot be published");
            return self.stop_part(partition, "billing_cannot_publish", &detail);
        }
        self.assign(partition);
    }

    /// The partition stands still until a person looked: nothing of it is skipped.
    pub(crate) fn stop_part(&mut self, partition: i32, code: &'static str, detail: &str) {
        tracing::error!(partition, lane = %self.lane, code, detail, "the partition stops");
        self.common.health.raise_alarm(code, &format!("{}/{partition}", self.lane), detail);
        self.drop_part(partition);
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

    fn take_in(&mut self, batch: Batch) {
        for record in batch.records {
            let part = self.parts.get_mut(&record.partition);
            if let Some(part) = part.filter(|part| part.serial == record.serial && part.drained.is_none()) {
                part.pending.push_back(record);
            }
        }
        for one in batch.unreadable {
            if self.parts.get(&one.partition).is_some_and(|part| part.serial == one.serial) {
                self.stop_part(one.partition, CANNOT_READ, &one.to_string());
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

    /// The producer broke: every partition begins again from what sms.billed really has.
    fn start_over(&mut self) -> anyhow::Result<()> {
        self.meters.producers_discarded.increment(1);
        self.publisher.renew()?;
        for partition in self.parts.keys().copied().collect::<Vec<_>>() {
            if let Some(part) = self.parts.get_mut(&partition).filter(|part| part.unacknowledged() > 0) {
                part.failed();
            }
            self.begin(partition);
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
