//! Partitions come and go.

use super::{CANNOT_READ, Failure, PAUSE, STOPPED, Worker};
use platform::ownership::{Change, Lease, Position, Role, read_positions};
use platform::postgres::Pool;
use tokio::time::Instant;

impl Worker {
    pub(super) fn change(&mut self, change: Change) -> anyhow::Result<()> {
        match change {
            Change::Taken { lease, positions } => self.begin(&lease, &positions)?,
            Change::Release { partition, drained } => {
                for topic in self.hand.stop_partition(partition) {
                    self.with.records.unassign(topic, partition);
                }
                self.draining.push((partition, drained));
            }
            Change::Lost { partition } => self.drop_partition(partition),
        }
        Ok(())
    }

    fn begin(&mut self, lease: &Lease, positions: &[Position]) -> anyhow::Result<()> {
        for topic in 0..self.hand.topics.len() {
            let name = &self.hand.topics[topic].name;
            let position = positions.iter().find(|position| position.topic == *name);
            let Some(position) = position else {
                anyhow::bail!("{name}/{} has no position: run `smshub topics create`", lease.partition);
            };
            for code in [STOPPED, CANNOT_READ] {
                self.with.health.clear_alarm(code, &self.subject(topic, lease.partition));
            }
            self.assign(topic, lease.partition, lease.epoch, position.next_offset);
        }
        // Taken anew: what was still to be given back is over.
        self.draining.retain(|(draining, _)| *draining != lease.partition);
        Ok(())
    }

    fn assign(&mut self, topic: usize, partition: i32, epoch: i64, from: i64) {
        let assigned = self.with.records.assign(topic, partition, from);
        self.hand.begin((topic, partition), epoch, from, assigned);
    }

    pub(super) fn drop_partition(&mut self, partition: i32) {
        for topic in self.hand.drop_partition(partition) {
            self.with.records.unassign(topic, partition);
        }
        self.draining.retain(|(draining, _)| *draining != partition);
    }

    pub(super) fn answer_drained(&mut self) {
        for (partition, drained) in std::mem::take(&mut self.draining) {
            if self.hand.is_stored(partition) {
                self.hand.drop_partition(partition);
                // The owner may have given up waiting.
                let _ = drained.send(());
            } else {
                self.draining.push((partition, drained));
            }
        }
    }

    /// A position is elsewhere. Another epoch: the partition is another's. The same: an
    /// earlier commit did happen although its answer was lost, and what was read of the
    /// partition is dropped and read again from where it stands.
    pub(super) async fn realign(&mut self, topic: usize) -> Result<(), Failure> {
        let held: Vec<_> = self
            .hand
            .held(topic)
            .iter()
            .map(|held| (held.partition, held.epoch, held.batch.from()))
            .collect();
        for (partition, epoch, from) in held {
            let name = self.hand.topics[topic].name.clone();
            let positions = self.alive(positions(&self.with.pool, partition)).await?;
            let stored = positions.into_iter().find(|position| position.topic == name);
            match stored.filter(|stored| stored.epoch == epoch) {
                Some(stored) if stored.next_offset == from => {}
                Some(stored) => {
                    tracing::warn!(
                        topic = name,
                        partition,
                        from,
                        stored = stored.next_offset,
                        "read again from the position"
                    );
                    self.reassign(topic, partition, epoch, stored.next_offset);
                }
                None => {
                    tracing::warn!(topic = name, partition, epoch, "the partition is another's");
                    self.drop_partition(partition);
                }
            }
        }
        self.not_before = Some(Instant::now() + PAUSE);
        Ok(())
    }

    /// A partition that is being given back is not read again.
    fn reassign(&mut self, topic: usize, partition: i32, epoch: i64, from: i64) {
        self.assign(topic, partition, epoch, from);
        if self.draining.iter().any(|(draining, _)| *draining == partition) {
            self.hand.stop_partition(partition);
            self.with.records.unassign(topic, partition);
        }
    }
}

async fn positions(pool: &Pool, partition: i32) -> Result<Vec<Position>, sqlx::Error> {
    pool.within(async |connection| read_positions(connection, Role::DlrReconciler, partition).await).await
}
