//! The consumer loop: one thread that never stops polling.
//!
//! Partitions are assigned by hand, with offsets that the caller read from Postgres; nothing
//! is ever committed to Kafka. Back-pressure is pause and resume: a budget over everything
//! in hand, and for each partition a bound on how far reading may run ahead of what is done.

use super::budget::{Budget, Charge};
use super::edges::edges;
use super::unreadable::{Context, Meaning, STATISTICS_MS, Suspicion, Unreadable, Why, meaning};
use super::{KafkaProblem, KafkaSettings};
use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Wakes the loop for commands, and for resuming what is paused.
const POLL: Duration = Duration::from_millis(20);
const POLL_WHILE_PAUSED: Duration = Duration::from_millis(2);
/// Records handed over together at most.
const BATCH_MAX: usize = 512;
/// How long the loop may wait for what the broker has of an unreadable partition.
const ASKING: Duration = Duration::from_secs(2);

/// Bounds of one consumer.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumerLimits {
    /// Records in hand at most.
    pub in_hand_records: u32,
    /// Bytes in hand at most.
    pub in_hand_bytes: u64,
    /// How many offsets reading may run ahead of the contiguous frontier of a partition.
    pub ahead_records: u32,
}

/// A record, and what it takes of the budget: kept until the record is done with.
#[derive(Debug)]
pub struct Record {
    /// Which of the consumer's topics.
    pub topic: usize,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// When the broker took it, in milliseconds since 1970.
    pub at_ms: i64,
    /// The value.
    pub value: Bytes,
    /// The assignment it was read under: a record of an earlier one is to be dropped.
    pub serial: u64,
    /// What it takes of the budget.
    pub charge: Charge,
}

/// How far the work on one assigned partition has come: told by the worker, read by the loop.
#[derive(Debug, Default)]
pub struct Flow {
    frontier: AtomicI64,
}

impl Flow {
    /// Everything below `position` is done with.
    pub fn done_below(&self, position: i64) {
        self.frontier.store(position, Ordering::Release);
    }
}

enum Command {
    Assign { topic: usize, partition: i32, from: i64, serial: u64, flow: Arc<Flow> },
    Unassign { topic: usize, partition: i32 },
}

/// What the loop hands over at once.
#[derive(Debug, Default)]
pub struct Batch {
    /// Records, in order within each partition.
    pub records: Vec<Record>,
    /// Partitions that cannot be read behind these records: the loop has given them up, and
    /// nobody may skip what they cannot be read for.
    pub unreadable: Vec<Unreadable>,
}

/// The worker's end of a consumer.
pub struct Records {
    batches: UnboundedReceiver<Batch>,
    commands: mpsc::Sender<Command>,
    last_serial: u64,
}

impl Records {
    /// What was read next. Nothing when the loop has ended.
    pub async fn next(&mut self) -> Option<Batch> {
        self.batches.recv().await
    }

    /// What is already there, without waiting.
    pub fn try_next(&mut self) -> Option<Batch> {
        self.batches.try_recv().ok()
    }

    /// Begins to read a partition at `from`. The serial marks the records of this assignment.
    pub fn assign(&mut self, topic: usize, partition: i32, from: i64) -> (u64, Arc<Flow>) {
        self.last_serial += 1;
        let flow = Arc::new(Flow { frontier: AtomicI64::new(from) });
        let command =
            Command::Assign { topic, partition, from, serial: self.last_serial, flow: Arc::clone(&flow) };
        self.command(command);
        (self.last_serial, flow)
    }

    /// Stops reading a partition. Records of it may still come: their serial is then old.
    pub fn unassign(&mut self, topic: usize, partition: i32) {
        self.command(Command::Unassign { topic, partition });
    }

    fn command(&self, command: Command) {
        if self.commands.send(command).is_err() {
            // The loop has ended, and with it the process: its component says why.
            tracing::debug!("the consumer loop has ended");
        }
    }
}

struct Assigned {
    serial: u64,
    flow: Arc<Flow>,
    /// The offset behind the newest record read.
    read: i64,
    paused: bool,
    since: Instant,
}

/// The loop's end: give it a thread.
pub struct Consumer {
    inner: BaseConsumer<Context>,
    topics: Vec<String>,
    assigned: HashMap<(usize, i32), Assigned>,
    budget: Arc<Budget>,
    ahead_max: i64,
    commands: mpsc::Receiver<Command>,
    batches: UnboundedSender<Batch>,
    suspicion: Suspicion,
}

impl Consumer {
    /// A consumer of partitions of `topics`, none assigned yet.
    pub fn new(
        settings: &KafkaSettings,
        limits: &ConsumerLimits,
        topics: Vec<String>,
    ) -> Result<(Self, Records), KafkaProblem> {
        let inner = settings
            .client()
            // librdkafka demands a group; it is never used: positions are in Postgres.
            .set("group.id", "smshub-unused")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", "100")
            // The default of one second leaves gaps when the queue has been full.
            .set("fetch.queue.backoff.ms", "20")
            .set("queued.max.messages.kbytes", (settings.consumer_queue_bytes / 1024).to_string())
            .set("statistics.interval.ms", STATISTICS_MS.to_string())
            .create_with_context(Context::default())?;
        let (command_sender, commands) = mpsc::channel();
        // Unbounded in form only: what is inside is charged to the budget.
        let (batches, batch_receiver) = unbounded_channel();
        let consumer = Consumer {
            inner,
            topics,
            assigned: HashMap::new(),
            budget: Budget::new(limits.in_hand_records, limits.in_hand_bytes),
            ahead_max: limits.ahead_records.into(),
            commands,
            batches,
            suspicion: Suspicion::default(),
        };
        Ok((consumer, Records { batches: batch_receiver, commands: command_sender, last_serial: 0 }))
    }

    /// What is in hand, for metrics.
    pub fn budget(&self) -> Arc<Budget> {
        Arc::clone(&self.budget)
    }

    /// Reads until `stopped` says so. What a single partition cannot be read for (its offset
    /// is gone, its topic was deleted) goes to the worker, and the others go on; an error is
    /// one of the client as a whole.
    pub fn run(mut self, stopped: impl Fn() -> bool) -> Result<(), KafkaProblem> {
        while !stopped() && !self.batches.is_closed() {
            while let Ok(command) = self.commands.try_recv() {
                self.obey(command)?;
            }
            self.pause_and_resume()?;
            let any_paused = self.assigned.values().any(|assigned| assigned.paused);
            let records = self.read(if any_paused { POLL_WHILE_PAUSED } else { POLL })?;
            let unreadable = self.give_up_unreadable()?;
            let batch = Batch { records, unreadable };
            let is_empty = batch.records.is_empty() && batch.unreadable.is_empty();
            if !is_empty && self.batches.send(batch).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn obey(&mut self, command: Command) -> Result<(), KafkaProblem> {
        match command {
            Command::Assign { topic, partition, from, serial, flow } => {
                self.give_up(topic, partition)?;
                let mut list = TopicPartitionList::new();
                list.add_partition_offset(self.name(topic), partition, Offset::Offset(from))?;
                self.inner.incremental_assign(&list)?;
                let assigned = Assigned { serial, flow, read: from, paused: false, since: Instant::now() };
                self.assigned.insert((topic, partition), assigned);
            }
            Command::Unassign { topic, partition } => self.give_up(topic, partition)?,
        }
        Ok(())
    }

    fn give_up(&mut self, topic: usize, partition: i32) -> Result<(), KafkaProblem> {
        let Some(assigned) = self.assigned.remove(&(topic, partition)) else { return Ok(()) };
        let list = self.list([(topic, partition)])?;
        // The client library remembers a pause beyond the assignment: it would never be read again.
        if assigned.paused {
            self.inner.resume(&list)?;
        }
        Ok(self.inner.incremental_unassign(&list)?)
    }

    fn pause_and_resume(&mut self) -> Result<(), KafkaProblem> {
        let (spent, roomy) = (self.budget.is_spent(), self.budget.is_roomy());
        let (mut pause, mut resume) = (Vec::new(), Vec::new());
        for (key, assigned) in &mut self.assigned {
            let ahead = assigned.read - assigned.flow.frontier.load(Ordering::Acquire);
            if !assigned.paused && (spent || ahead >= self.ahead_max) {
                assigned.paused = true;
                pause.push(*key);
            } else if assigned.paused && roomy && ahead <= self.ahead_max / 2 {
                assigned.paused = false;
                resume.push(*key);
            }
        }
        if !pause.is_empty() {
            self.inner.pause(&self.list(pause)?)?;
        }
        if !resume.is_empty() {
            self.inner.resume(&self.list(resume)?)?;
        }
        Ok(())
    }

    /// Waits for a record, then takes what else is there, up to a batch or the budget.
    fn read(&mut self, wait: Duration) -> Result<Vec<Record>, KafkaProblem> {
        let mut batch = Vec::new();
        let mut wait = wait;
        while let Some(polled) = self.inner.poll(wait) {
            match polled {
                Ok(message) => {
                    let record = take(&message, &self.topics, &mut self.assigned, &self.budget);
                    batch.extend(record);
                }
                Err(error) => match meaning(&error) {
                    Meaning::Passes => tracing::warn!(%error, "kafka consumer"),
                    Meaning::OutOfRange => self.suspicion.out_of_range(),
                    Meaning::Missing => self.suspicion.missing(),
                    Meaning::Fatal => return Err(error.into()),
                },
            }
            if batch.len() >= BATCH_MAX || self.budget.is_spent() {
                break;
            }
            wait = Duration::ZERO;
        }
        Ok(batch)
    }

    /// Where errors of partitions were seen: whose they are.
    fn give_up_unreadable(&mut self) -> Result<Vec<Unreadable>, KafkaProblem> {
        let Some(statistics) = self.inner.context().statistics().filter(|_| self.suspicion.is_any()) else {
            return Ok(vec![]);
        };
        let assigned = self.assigned.iter().map(|(key, assigned)| (*key, assigned.since));
        let assigned = assigned.filter_map(|((topic, partition), since)| {
            Some((self.topics.get(topic)?.as_str(), partition, since))
        });
        let suspects = self.suspicion.look(&statistics, assigned)?;
        let (mut given_up, mut known) = (Vec::new(), HashMap::new());
        for (name, partition, why) in suspects {
            if why == Why::Missing {
                let known = known.entry(name.clone()).or_insert_with(|| self.known(&name));
                if known.as_ref().is_none_or(|known| known.contains(&partition)) {
                    continue;
                }
            }
            let Some(topic) = self.topics.iter().position(|topic| *topic == name) else { continue };
            let Some(Assigned { serial, read, .. }) = self.assigned.get(&(topic, partition)) else {
                continue;
            };
            let (serial, next) = (*serial, *read);
            self.give_up(topic, partition)?;
            given_up.push(Unreadable { topic, partition, serial, name, next, why });
        }
        self.say_what_is_kept(&mut given_up);
        Ok(given_up)
    }

    /// The partitions of a topic, asked for again: a broker that has just started may not have
    /// known its topics. The answer reaches the client library, too, which then goes on.
    /// Nothing: nobody answered.
    fn known(&self, topic: &str) -> Option<Vec<i32>> {
        let metadata = self.inner.fetch_metadata(Some(topic), ASKING).ok()?;
        let partitions = metadata.topics().iter().flat_map(|topic| topic.partitions());
        Some(partitions.map(|known| known.id()).collect())
    }

    /// Adds what the broker has of the partitions, for a person; where it cannot be asked now,
    /// nothing.
    fn say_what_is_kept(&self, given_up: &mut [Unreadable]) {
        let asked: Vec<_> = given_up.iter().filter(|one| one.why == Why::OutOfRange(None)).collect();
        if asked.is_empty() {
            return;
        }
        let asked: Vec<_> = asked.iter().map(|one| (one.name.as_str(), one.partition)).collect();
        let kept = [Offset::Beginning, Offset::End].map(|edge| edges(&self.inner, &asked, edge, ASKING));
        let [Ok(starts), Ok(ends)] = kept else { return };
        for one in given_up {
            let key = (one.name.clone(), one.partition);
            if let (Why::OutOfRange(kept), Some(start), Some(end)) =
                (&mut one.why, starts.get(&key), ends.get(&key))
            {
                *kept = Some(*start..*end);
            }
        }
    }

    fn name(&self, topic: usize) -> &str {
        self.topics.get(topic).map_or("", String::as_str)
    }

    fn list(&self, keys: impl IntoIterator<Item = (usize, i32)>) -> Result<TopicPartitionList, KafkaProblem> {
        let mut list = TopicPartitionList::new();
        for (topic, partition) in keys {
            list.add_partition(self.name(topic), partition);
        }
        Ok(list)
    }
}

/// The record of a message, unless its partition is not assigned (any more).
fn take(
    message: &BorrowedMessage<'_>,
    topics: &[String],
    assigned: &mut HashMap<(usize, i32), Assigned>,
    budget: &Arc<Budget>,
) -> Option<Record> {
    let topic = topics.iter().position(|name| name == message.topic())?;
    let partition = assigned.get_mut(&(topic, message.partition()))?;
    let value = Bytes::copy_from_slice(message.payload().unwrap_or_default());
    partition.read = message.offset() + 1;
    Some(Record {
        topic,
        partition: message.partition(),
        offset: message.offset(),
        at_ms: message.timestamp().to_millis().unwrap_or(0),
        serial: partition.serial,
        charge: budget.charge(value.len()),
        value,
    })
}
