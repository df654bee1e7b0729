//! The sender's transaction: how far each partition is done, a few times a second.

use crate::deferred::{Changes, change};
use crate::desk::Unsaved;
use crate::lane::LaneLoop;
use platform::ownership::{Advance, Position, Role, advance, clock, read_positions};
use sqlx::{Connection, PgConnection};

/// Positions as they are stored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stored {
    pub(crate) frontier: i64,
    pub(crate) last_source: i64,
    pub(crate) point: i64,
}

impl Stored {
    /// What these positions of a partition say of the two topics, and the epoch they are of.
    pub(crate) fn of(positions: &[Position], billed: &str, attempts: &str) -> Option<(Self, i64)> {
        let find = |topic: &str| positions.iter().find(|position| position.topic == topic);
        let (billed, attempts) = (find(billed)?, find(attempts)?);
        let (frontier, last_source) = (billed.next_offset, billed.last_source);
        Some((Stored { frontier, last_source, point: attempts.next_offset }, billed.epoch))
    }
}

impl LaneLoop {
    /// Stores positions when it is time.
    pub(crate) async fn store(&mut self) {
        let every = i64::try_from(self.settings.store_every_ms).unwrap_or(i64::MAX);
        if clock::boot_ms() - self.stored_at >= every {
            self.store_now().await;
        }
    }

    /// Lets go what only waits, and stores the positions of all partitions that have moved,
    /// together with what changes in the table `deferred`.
    pub(crate) async fn store_now(&mut self) {
        self.stored_at = clock::boot_ms();
        self.defer();
        let moves = self.moves();
        if moves.is_empty() {
            return;
        }
        let lane = self.lane;
        let steps: Vec<Advance> = moves.iter().flat_map(|(_, steps, _)| steps.clone()).collect();
        let changes = self.changes(moves.iter().map(|(partition, ..)| *partition));
        let stored = async |connection: &mut PgConnection| {
            let mut transaction = connection.begin().await?;
            let moved = advance(&mut transaction, Role::Sender, &steps).await?;
            if moved == steps.len() {
                change(&mut transaction, lane, &changes).await?;
                transaction.commit().await?;
            } else {
                transaction.rollback().await?;
            }
            Ok::<bool, sqlx::Error>(moved == steps.len())
        };
        match self.common.pools.lane(self.lane).within(stored).await {
            Ok(true) => {
                drop(changes);
                self.check.ok();
                moves.into_iter().for_each(|(partition, _, now)| self.stored(partition, now));
            }
            Ok(false) => self.look_where_we_stand().await,
            Err(error) => {
                tracing::warn!(%error, lane = %self.lane, "positions could not be stored; again soon");
                self.check.fail("positions could not be stored");
                self.look_where_we_stand().await;
            }
        }
    }

    fn stored(&mut self, partition: i32, now: Stored) {
        let Some(part) = self.parts.get_mut(&partition) else { return };
        part.stored = now;
        part.flow.done_below(now.frontier);
        if let Some(desk) = part.desk.as_mut() {
            part.stock.changed(&desk.unsaved().rows, &desk.unsaved().first);
            desk.saved();
        }
    }

    /// Chunks that only wait leave memory, as far as the table has room for them.
    fn defer(&mut self) {
        let now = self.now();
        let after = i64::try_from(self.settings.defer_after_ms).unwrap_or(i64::MAX);
        let (rows_max, octets_max) = (self.settings.deferred_rows_max, self.settings.deferred_octets_max);
        for part in self.parts.values_mut() {
            // What a former holder may still have closed is not to leave before that is known.
            if part.look_again_due || part.looking_again {
                continue;
            }
            let room = part.stock.room(rows_max, octets_max);
            if let Some(desk) = part.desk.as_mut() {
                desk.defer(now, after, room.saturating_sub(desk.unsaved().rows.len()));
            }
        }
    }

    /// What changes in the table for these partitions.
    fn changes(&self, partitions: impl Iterator<Item = i32>) -> Changes<'_> {
        let mut changes = Changes::default();
        for partition in partitions {
            let Some(desk) = self.parts.get(&partition).and_then(|part| part.desk.as_ref()) else { continue };
            let Unsaved { rows, orders, .. } = desk.unsaved();
            for (chunk, row) in rows {
                match row {
                    Some(row) => changes.keep.push((partition, row)),
                    None => changes.delete.push(*chunk),
                }
            }
            changes.carried_out.extend(orders);
        }
        changes
    }

    fn moves(&self) -> Vec<(i32, [Advance; 2], Stored)> {
        let mut moves = Vec::new();
        for (partition, part) in &self.parts {
            let Some(desk) = part.desk.as_ref() else { continue };
            let stand = desk.stand();
            let now = Stored {
                frontier: stand.frontier,
                last_source: stand.last_source,
                point: stand.point.max(part.stored.point),
            };
            let stands = (now.frontier, now.point) == (part.stored.frontier, part.stored.point);
            if stands && desk.unsaved().is_empty() {
                continue;
            }
            let step = |topic: &str, from, to, last_source| Advance {
                topic: topic.to_owned(),
                partition: *partition,
                epoch: part.hold.lease.epoch,
                from,
                to,
                published: 0,
                last_source,
            };
            let billed = step(&self.topic_billed, part.stored.frontier, now.frontier, now.last_source);
            let attempts = step(&self.topic_attempts, part.stored.point, now.point, -1);
            moves.push((*partition, [billed, attempts], now));
        }
        moves
    }

    /// A position was not where it was thought to be. Another epoch: the partition is
    /// somebody else's. Further on: an earlier commit did happen.
    async fn look_where_we_stand(&mut self) {
        for partition in self.parts.keys().copied().collect::<Vec<_>>() {
            let positions = async |connection: &mut PgConnection| {
                read_positions(connection, Role::Sender, partition).await
            };
            let Ok(positions) = self.common.pools.lane(self.lane).within(positions).await else { return };
            let stood = Stored::of(&positions, &self.topic_billed, &self.topic_attempts);
            let (Some((stored, epoch)), Some(part)) = (stood, self.parts.get_mut(&partition)) else {
                continue;
            };
            if epoch == part.hold.lease.epoch {
                part.stored = stored;
            } else {
                tracing::warn!(partition, "another epoch holds this partition: it is let go");
                self.drop_part(partition);
            }
        }
        self.check.ok();
    }
}
