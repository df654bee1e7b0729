//! Billing: what arrived during the last transaction is the next batch.

use crate::lane::LaneLoop;
use crate::part::{Judged, Part, keys};
use crate::read::{Parked, Source, Understood, decode, understand};
use crate::transaction::{Ended, Item, answers_from_ledger, bill};
use domain::time::UnixMillis;
use ledger::LedgerError;
use ledger::ranges::{self, Ranges};
use platform::kafka::consumer::Record;
use platform::ownership::{Advance, Role, read_positions};
use platform::postgres::lost_a_race;
use sqlx::PgConnection;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::time::Instant;
use wire::billed::{Answer, answer};
use wire::submitted::Chunk;

/// Ranges are looked at again so often: long before the day for which the next is needed.
const RANGES_FRESH: Duration = Duration::from_secs(600);
/// The pause after a transaction that failed for another reason than a race.
const AFTER_FAILURE: Duration = Duration::from_millis(250);

/// Records of one partition, to be answered together.
struct Taken {
    partition: i32,
    records: Vec<Record>,
}

impl LaneLoop {
    /// One round: answers what is below the positions from the ledger, bills one batch of
    /// what is not, and gives the producer what it takes.
    pub(crate) async fn bill(&mut self) -> anyhow::Result<()> {
        self.stop_at_holes();
        let (before, now) = self.take_batch();
        for taken in before {
            self.answer_from_ledger(taken).await;
        }
        if !now.is_empty() {
            self.bill_batch(now).await;
        }
        let mut broken = false;
        for (partition, part) in &mut self.parts {
            broken |= !self.publisher.send(*partition, part);
        }
        anyhow::ensure!(!broken || self.publisher.has_failed(), "an answer is longer than Kafka takes");
        Ok(())
    }

    /// Whether a round now would answer something.
    pub(crate) fn has_work(&self) -> bool {
        let bound = self.settings.unacknowledged_records;
        self.parts.values().any(|part| !part.pending.is_empty() && part.unacknowledged() < bound)
    }

    /// Offsets in sms.submitted are contiguous: a record beyond the position means that
    /// records are gone, and what they asked for must not be passed over in silence.
    fn stop_at_holes(&mut self) {
        let beyond =
            |part: &Part| part.pending.front().is_some_and(|record| record.offset > part.next_offset);
        let holes: Vec<i32> = self.parts.iter().filter(|(_, part)| beyond(part)).map(|(p, _)| *p).collect();
        for partition in holes {
            self.stop_part(partition, "hole_in_submitted", "records before the next are gone");
        }
    }

    /// What each partition may answer now, shared fairly up to the batch's bound.
    fn take_batch(&mut self) -> (Vec<Taken>, Vec<Taken>) {
        let busy = self.parts.values().filter(|part| !part.pending.is_empty()).count().max(1);
        let share = (self.settings.batch_chunks / busy).max(1);
        let (mut before, mut now) = (Vec::new(), Vec::new());
        for (partition, part) in &mut self.parts {
            let room = self.settings.unacknowledged_records.saturating_sub(part.unacknowledged());
            let (records, judged) = part.take(share.min(room));
            if records.is_empty() {
                continue;
            }
            let taken = Taken { partition: *partition, records };
            match judged {
                Judged::Before => before.push(taken),
                Judged::Now => now.push(taken),
            }
        }
        (before, now)
    }

    async fn answer_from_ledger(&mut self, taken: Taken) {
        let (topic, keys) = (&self.topic_in, keys(&taken.records));
        let answers = async |connection: &mut PgConnection| {
            answers_from_ledger(connection, topic, taken.partition, &keys).await
        };
        match self.pool.within(answers).await {
            Ok(answers) => {
                self.check.ok();
                self.answered(vec![taken], answers);
            }
            Err(error) => self.failed(vec![taken], &error).await,
        }
    }

    async fn bill_batch(&mut self, batch: Vec<Taken>) {
        let items = match self.understand(&batch).await {
            Ok(Some(items)) => items,
            Ok(None) => {
                self.check.fail("the ledger has no range for the present");
                tracing::error!("the ledger has no range for the present: billing waits");
                return self.wait_with(batch).await;
            }
            Err(error) => return self.failed(batch, &error).await,
        };
        let steps = self.steps(&batch);
        let began = Instant::now();
        let ended = bill(&self.pool, &steps, &items).await;
        self.meters.transaction.record(began.elapsed());
        match ended {
            Ok(Ended::Answers(answers)) => {
                self.check.ok();
                self.meters.batch.record(u32::try_from(items.len()).unwrap_or(u32::MAX));
                self.count_parked(&items);
                for step in steps {
                    if let Some(part) = self.parts.get_mut(&step.partition) {
                        part.next_offset = step.to;
                    }
                }
                self.answered(batch, answers);
            }
            Ok(Ended::Moved) => {
                self.put_back(batch);
                self.look_again().await;
            }
            Err(error) => self.failed(batch, &error).await,
        }
    }

    fn steps(&self, batch: &[Taken]) -> Vec<Advance> {
        let step = |taken: &Taken| {
            let part = self.parts.get(&taken.partition)?;
            Some(Advance {
                topic: self.topic_in.clone(),
                partition: taken.partition,
                epoch: part.lease.epoch,
                from: taken.records.first()?.offset,
                to: taken.records.last()?.offset + 1,
                published: part.published,
                last_source: -1,
            })
        };
        batch.iter().filter_map(step).collect()
    }

    /// What each record asks for. Nothing where the ledger lacks the range of the present.
    async fn understand(&mut self, batch: &[Taken]) -> Result<Option<Vec<Item>>, LedgerError> {
        let ranges = self.fresh_ranges().await?;
        let records = || batch.iter().flat_map(|taken| taken.records.iter());
        let decoded: Vec<_> = records().map(|record| decode(&record.value)).collect();
        let chunks = decoded.iter().filter_map(|decoded| decoded.as_ref().ok());
        self.load_tariffs(chunks.map(|chunk| chunk.tariff_version).collect()).await?;
        let now = self.now();
        let mut items = Vec::with_capacity(decoded.len());
        for (record, decoded) in records().zip(decoded) {
            let understood = match decoded {
                Ok(chunk) => self.understand_one(&chunk, record, ranges, now),
                Err(parked) => Understood::Park(parked),
            };
            if matches!(understood, Understood::RangeMissing) {
                self.ranges = None;
                return Ok(None);
            }
            items.push(Item {
                topic: self.topic_in.clone(),
                partition: record.partition,
                offset: record.offset,
                record: record.value.clone(),
                understood,
            });
        }
        Ok(Some(items))
    }

    fn understand_one(&self, chunk: &Chunk, record: &Record, ranges: Ranges, now: UnixMillis) -> Understood {
        let source = Source { topic: &self.topic_in, partition: record.partition, offset: record.offset };
        let understood =
            catch_unwind(AssertUnwindSafe(|| understand(chunk, source, &self.tariffs, ranges, now)));
        // A record that makes us panic must not stop the partition for ever.
        understood.unwrap_or_else(|_| {
            let (chunk, account) = (Some(chunk.id.get()), Some(chunk.account));
            Understood::Park(Parked { reason: "panic", chunk, account })
        })
    }

    async fn fresh_ranges(&mut self) -> Result<Ranges, LedgerError> {
        if let Some((ranges, read_at)) = self.ranges
            && read_at.elapsed() < RANGES_FRESH
        {
            return Ok(ranges);
        }
        let now = self.now();
        let days_ahead = self.settings.ledger_days_ahead;
        let ensure = async |connection: &mut PgConnection| {
            match ranges::ensure(connection, now, days_ahead).await {
                // Somebody reads the books for long: days are made in advance, so there is time.
                Err(error) if lost_a_race(&error) => {
                    tracing::warn!(%error, "the ledger's next days could not be made; again later");
                    ranges::read(connection).await
                }
                made => made,
            }
        };
        let ranges = self.pool.within(ensure).await?;
        self.ranges = Some((ranges, Instant::now()));
        Ok(ranges)
    }

    /// The database's time of day: ids were minted elsewhere.
    fn now(&self) -> UnixMillis {
        self.common.standing.database_now()
    }

    /// Versions of the tariff never change: what is loaded stays.
    async fn load_tariffs(&mut self, versions: BTreeSet<u32>) -> Result<(), LedgerError> {
        for version in versions {
            if self.tariffs.contains_key(&version) {
                continue;
            }
            let read =
                async |connection: &mut PgConnection| ledger::tariff::version(connection, version).await;
            if let Some(tariff) = self.pool.within(read).await? {
                self.tariffs.insert(version, tariff);
            }
        }
        Ok(())
    }

    /// Each record has its answer: it is kept until sms.billed acknowledges it.
    fn answered(&mut self, batch: Vec<Taken>, answers: Vec<Answer>) {
        let version = self.common.standing.write_version();
        let mut answers = answers.into_iter();
        for taken in batch {
            let verdicts: Vec<Answer> = answers.by_ref().take(taken.records.len()).collect();
            let Some(part) = self.parts.get_mut(&taken.partition) else { continue };
            for (record, verdict) in taken.records.into_iter().zip(verdicts) {
                self.meters.answered(verdict);
                let value = answer(version, record.offset, verdict, &record.value);
                part.answer(record.offset, value, record.charge);
            }
        }
    }

    fn put_back(&mut self, batch: Vec<Taken>) {
        for taken in batch {
            if let Some(part) = self.parts.get_mut(&taken.partition) {
                part.put_back(taken.records);
            }
        }
    }

    /// A transaction failed, and may even have been committed: the positions will tell.
    async fn failed(&mut self, batch: Vec<Taken>, error: &LedgerError) {
        self.put_back(batch);
        if error.postgres().is_some_and(lost_a_race) {
            tracing::debug!(%error, "billing lost a race and tries again");
            return;
        }
        tracing::error!(%error, lane = %self.lane, "billing failed and will look again");
        self.check.fail("the last billing transaction failed");
        // A day may have been taken away since they were read.
        self.ranges = None;
        tokio::time::sleep(AFTER_FAILURE).await;
        self.look_again().await;
    }

    async fn wait_with(&mut self, batch: Vec<Taken>) {
        self.put_back(batch);
        tokio::time::sleep(AFTER_FAILURE).await;
    }

    /// Reads the positions again. Another epoch: the partition is somebody else's. Further
    /// on: an earlier commit did happen. Behind: read again from there.
    async fn look_again(&mut self) {
        for partition in self.parts.keys().copied().collect::<Vec<_>>() {
            let positions = async |connection: &mut PgConnection| {
                read_positions(connection, Role::BillingConsumer, partition).await
            };
            let position = match self.pool.within(positions).await {
                Ok(positions) => positions.into_iter().find(|position| position.topic == self.topic_in),
                Err(error) => {
                    tracing::warn!(%error, partition, "positions could not be read; again soon");
                    return;
                }
            };
            let Some(part) = self.parts.get_mut(&partition) else { continue };
            match position {
                Some(position) if position.epoch == part.lease.epoch => {
                    let behind = position.next_offset < part.next_offset;
                    part.next_offset = position.next_offset;
                    if behind {
                        self.assign(partition);
                    }
                }
                _ => {
                    tracing::warn!(partition, "another epoch holds this partition: it is let go");
                    self.drop_part(partition);
                }
            }
        }
        self.check.ok();
    }

    fn count_parked(&self, items: &[Item]) {
        let parked = items.iter().filter(|item| matches!(item.understood, Understood::Park(_))).count();
        if parked > 0 {
            self.meters.parked.increment(parked as u64);
            let detail = "records wait for a person: see the table `parked`";
            self.common.health.raise_alarm("records_parked", self.lane.as_str(), detail);
        }
    }
}
