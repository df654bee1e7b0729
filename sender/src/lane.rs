//! The loop of one lane: partitions come and go, billed records come in, calls end, and in
//! between the desks say what goes out.

use crate::call::{Ended, Hold, Line};
use crate::config::Settings;
use crate::deferred::Stock;
use crate::desk::{Came, Desk, Paid, Stand};
use crate::metrics::Meters;
use crate::poll::Held;
use crate::scan::Scan;
use crate::store::Stored;
use crate::take::{Began, Reader};
use bytes::Bytes;
use domain::lane::Lane;
use platform::health::Check;
use platform::kafka::consumer::{Batch, Flow, Records};
use platform::kafka::topics::Stage;
use platform::lifecycle::Stop;
use platform::ownership::{Beat, Change, Lease, Position, clock};
use platform::role::Common;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::oneshot;
use wire::WireError;
use wire::billed::{Billed, Verdict};

/// The loop goes round at least so often, so that its sign of life is fresh.
const ROUND: Duration = Duration::from_millis(20);
/// The pause after a beginning, or a second look, that failed.
pub(crate) const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Alarm: what was attempted before cannot be read, so nothing may be sent.
pub(crate) const CANNOT_BEGIN: &str = "sender_cannot_begin";
/// Alarm: sms.billed has a hole, or a record that cannot be read.
const STOPPED: &str = "sender_partition_stopped";
/// Alarm: the partition's next offset is not in sms.billed.
const CANNOT_READ: &str = "sender_cannot_read";

/// What a task of the loop tells it.
pub(crate) struct Event {
    pub(crate) partition: i32,
    /// The beginning that the task belongs to: results of an earlier one do not count.
    pub(crate) number: u64,
    pub(crate) what: What,
}

/// What happened.
pub(crate) enum What {
    /// A partition may begin.
    Began(anyhow::Result<Began>),
    /// The second look behind our fence.
    LookedAgain(anyhow::Result<Scan>),
    /// A call has ended.
    Called(Ended),
    /// A look-up has ended.
    LookedUp(Ended),
    /// Outcomes that needed no call.
    Closed(Ended),
}

/// A partition in the loop's hands.
pub(crate) struct Part {
    pub(crate) hold: Hold,
    pub(crate) number: u64,
    pub(crate) stored: Stored,
    /// Nothing until the fence is written and the scan done.
    pub(crate) desk: Option<Desk>,
    pub(crate) serial: u64,
    pub(crate) flow: Arc<Flow>,
    /// Calls, look-ups and second looks under way.
    pub(crate) under_way: usize,
    /// Outcomes without a call under way: they are among them.
    pub(crate) closing: usize,
    /// When its desk began.
    pub(crate) began_at: i64,
    /// When the operator may be asked about intents of former holders.
    pub(crate) look_up_at: i64,
    pub(crate) fence: i64,
    pub(crate) look_again_due: bool,
    pub(crate) looking_again: bool,
    /// What it has in the table `deferred`.
    pub(crate) stock: Stock,
    pub(crate) drained: Option<oneshot::Sender<()>>,
}

/// Everything one lane's sending needs and holds.
pub(crate) struct LaneLoop {
    pub(crate) common: Common,
    pub(crate) settings: Settings,
    pub(crate) lane: Lane,
    pub(crate) line: Arc<Line>,
    pub(crate) reader: Reader,
    pub(crate) topic_billed: String,
    pub(crate) topic_attempts: String,
    pub(crate) records: Records,
    changes: mpsc::Receiver<Change>,
    /// Bounded by the calls and questions at once, and the partitions.
    pub(crate) events: UnboundedSender<Event>,
    happened: UnboundedReceiver<Event>,
    pub(crate) parts: BTreeMap<i32, Part>,
    pub(crate) held: Held,
    pub(crate) calls: usize,
    pub(crate) questions: usize,
    /// The partition that was served last: the next one's turn comes first.
    pub(crate) served_last: i32,
    /// The partition that was asked about last.
    pub(crate) asked_last: i32,
    pub(crate) stored_at: i64,
    /// When was last looked for what expires, what is due in the table, and how much is there.
    pub(crate) expired_at: i64,
    pub(crate) looked_at: i64,
    pub(crate) counted_at: i64,
    beginnings: u64,
    pub(crate) meters: Meters,
    pub(crate) check: Check,
    beat: Beat,
}

impl LaneLoop {
    #[allow(clippy::too_many_arguments)] // called once, by the crate's `start`
    pub(crate) fn new(
        common: &Common,
        settings: &Settings,
        lane: Lane,
        records: Records,
        changes: mpsc::Receiver<Change>,
        beat: Beat,
        line: Arc<Line>,
        held: Held,
    ) -> Self {
        let (events, happened) = mpsc::unbounded_channel();
        let stale_after = Duration::from_millis(settings.stale_after_ms);
        LaneLoop {
            common: common.clone(),
            settings: settings.clone(),
            lane,
            line,
            reader: Reader::new(&common.kafka, &common.topics, lane),
            topic_billed: common.topics.of(Stage::Billed, lane),
            topic_attempts: common.topics.of(Stage::Attempts, lane),
            records,
            changes,
            events,
            happened,
            parts: BTreeMap::new(),
            held,
            calls: 0,
            questions: 0,
            served_last: -1,
            asked_last: -1,
            stored_at: clock::boot_ms(),
            expired_at: 0,
            looked_at: 0,
            counted_at: 0,
            beginnings: 0,
            meters: Meters::new(lane),
            check: common.health.check(format!("sender.{lane}"), stale_after),
            beat,
        }
    }

    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        self.check.ok();
        loop {
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(change) = self.changes.recv() => self.change(change),
                Some(event) = self.happened.recv() => self.event(event),
                Some(batch) = self.records.next() => self.take_in(batch),
                () = tokio::time::sleep(ROUND) => {}
            }
            while let Ok(event) = self.happened.try_recv() {
                self.event(event);
            }
            while let Some(batch) = self.records.try_next() {
                self.take_in(batch);
            }
            if self.line.writer.has_failed() {
                self.start_over()?;
            }
            self.look_into_deferred().await;
            self.dispatch();
            self.store().await;
            self.answer_drained().await;
            self.beat.tick();
            self.check.progress();
        }
        Ok(())
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::Taken { lease, positions } => {
                let subject = format!("{}/{}", self.lane, lease.partition);
                for code in [CANNOT_BEGIN, STOPPED, CANNOT_READ] {
                    self.common.health.clear_alarm(code, &subject);
                }
                self.begin(lease, &positions);
            }
            Change::Release { partition, drained } => match self.parts.get_mut(&partition) {
                Some(part) => {
                    part.drained = Some(drained);
                    self.records.unassign(0, partition);
                    self.held.remove(partition);
                }
                None => drop(drained),
            },
            Change::Lost { partition } => self.drop_part(partition),
        }
    }

    fn begin(&mut self, lease: Lease, positions: &[Position]) {
        if let Some((stored, _)) = Stored::of(positions, &self.topic_billed, &self.topic_attempts) {
            self.begin_at(lease, stored);
        }
    }

    /// Writes the fence and reads what was attempted, beside the loop.
    fn begin_at(&mut self, lease: Lease, stored: Stored) {
        self.beginnings += 1;
        let number = self.beginnings;
        let hold = Hold { lease: lease.clone(), generation: self.line.writer.generation() };
        let part = Part {
            hold: hold.clone(),
            number,
            stored,
            desk: None,
            serial: 0,
            flow: Arc::default(),
            under_way: 0,
            closing: 0,
            began_at: i64::MAX,
            look_up_at: 0,
            fence: -1,
            look_again_due: false,
            looking_again: false,
            stock: Stock::default(),
            drained: None,
        };
        self.parts.insert(lease.partition, part);
        let (reader, writer, events) = (self.reader.clone(), self.line.writer.clone(), self.events.clone());
        let pool = self.common.pools.lane(self.lane).clone();
        tokio::spawn(async move {
            let Hold { lease, generation } = hold;
            let began = reader.begin(&writer, &pool, generation, &lease).await;
            if began.is_err() {
                tokio::time::sleep(AFTER_FAILURE).await;
            }
            // The loop being gone is the end of the process.
            let _ = events.send(Event { partition: lease.partition, number, what: What::Began(began) });
        });
    }

    pub(crate) fn began(&mut self, partition: i32, began: anyhow::Result<Began>) {
        let now = self.now();
        let Some(part) = self.parts.get_mut(&partition) else { return };
        if part.drained.is_some() || part.desk.is_some() {
            return;
        }
        let began = match began {
            Ok(began) => began,
            Err(error) if error.is::<WireError>() => {
                return self.stop_part(partition, CANNOT_BEGIN, &format!("{error:#}"));
            }
            Err(error) => {
                tracing::warn!(partition, error = format!("{error:#}"), "a partition could not begin; again");
                let (lease, stored) = (part.hold.lease.clone(), part.stored);
                return self.begin_at(lease, stored);
            }
        };
        let grace = self.line.longest_call().as_millis();
        part.look_up_at = clock::boot_ms() + i64::try_from(grace).unwrap_or(i64::MAX) + 1_000;
        part.look_again_due = began.scan.has_open();
        part.fence = began.fence;
        part.stored = began.stored;
        let Stored { frontier, last_source, .. } = part.stored;
        let look_up_at = part.look_up_at;
        let route = Arc::from(self.line.route.connector.name.as_str());
        let stood = Stand { frontier, last_source, point: began.fence + 1 };
        let mut desk = Desk::new(route, stood, began.scan, began.scan_until, &began.ahead);
        for row in began.rows {
            if let Err(error) = desk.load(row, now, look_up_at) {
                return self.stop_part(partition, CANNOT_BEGIN, &format!("a deferred chunk: {error:#}"));
            }
        }
        desk.loaded();
        part.desk = Some(desk);
        // A former holder may have closed messages by what we have not read yet.
        part.began_at = clock::boot_ms();
        self.line.courtesy.want();
        // How much it has in the table is not known before it was counted.
        self.counted_at = 0;
        let (serial, flow) = self.records.assign(0, partition, frontier);
        part.serial = serial;
        part.flow = flow;
        self.held.insert(partition);
    }

    fn take_in(&mut self, batch: Batch) {
        for record in batch.records {
            let partition = record.partition;
            let Some(part) = self.parts.get_mut(&partition).filter(|part| part.serial == record.serial)
            else {
                continue;
            };
            let Some(desk) = part.desk.as_mut().filter(|_| part.drained.is_none()) else { continue };
            let (offset, look_up_at) = (record.offset, part.look_up_at);
            let taken = decode(&record.value).and_then(|billed| {
                let paid = match billed.verdict {
                    Verdict::Paid { paid, chunk } => {
                        let (chunk, record, charge) = (Arc::new(chunk), record.value.clone(), record.charge);
                        Some(Paid { chunk, paid, record, charge })
                    }
                    Verdict::Refused { .. } | Verdict::Noop => None,
                };
                Ok(desk.take(offset, billed.source, paid, look_up_at)?)
            });
            match taken {
                Ok(Came::New) => {}
                Ok(Came::Again) => self.meters.repetitions.increment(1),
                // A silent skip would be a paid message that is never sent.
                Err(error) => self.stop_part(partition, STOPPED, &format!("offset {offset}: {error:#}")),
            }
        }
        for one in batch.unreadable {
            if self.parts.get(&one.partition).is_some_and(|part| part.serial == one.serial) {
                self.stop_part(one.partition, CANNOT_READ, &one.to_string());
            }
        }
    }

    /// The partition stands still until a person looked: nothing of it is skipped.
    pub(crate) fn stop_part(&mut self, partition: i32, code: &'static str, detail: &str) {
        tracing::error!(partition, lane = %self.lane, code, detail, "the partition stops");
        let subject = format!("{}/{partition}", self.lane);
        self.common.health.raise_alarm(code, &subject, detail);
        self.drop_part(partition);
    }

    pub(crate) fn drop_part(&mut self, partition: i32) {
        self.held.remove(partition);
        if self.parts.remove(&partition).is_some() {
            self.records.unassign(0, partition);
        }
    }

    /// The producer broke: what it held may or may not be written. Every partition begins
    /// again with a fence and a scan, under the same epoch.
    fn start_over(&mut self) -> anyhow::Result<()> {
        self.meters.producers_discarded.increment(1);
        self.line.writer.renew()?;
        for partition in self.parts.keys().copied().collect::<Vec<_>>() {
            let Some(part) = self.parts.get(&partition) else { continue };
            let (lease, stored, draining) = (part.hold.lease.clone(), part.stored, part.drained.is_some());
            self.drop_part(partition);
            if !draining {
                self.begin_at(lease, stored);
            }
        }
        Ok(())
    }

    /// A partition is drained when nothing of it is under way and its positions are stored.
    async fn answer_drained(&mut self) {
        let quiet = |part: &Part| part.drained.is_some() && part.under_way == 0;
        let drained: Vec<i32> = self.parts.iter().filter(|(_, part)| quiet(part)).map(|(p, _)| *p).collect();
        if drained.is_empty() {
            return;
        }
        self.store_now().await;
        for partition in drained {
            if let Some(drained) = self.parts.remove(&partition).and_then(|part| part.drained) {
                // The owner may have stopped waiting: then it has withdrawn the partition.
                let _ = drained.send(());
            }
        }
    }
}

/// A panic in here is a record that cannot be decoded: the partition stops, not the process.
fn decode(value: &Bytes) -> anyhow::Result<Billed> {
    let decoded = catch_unwind(AssertUnwindSafe(|| Billed::decode(value)));
    Ok(decoded.map_err(|_| anyhow::anyhow!("decoding panicked"))??)
}
