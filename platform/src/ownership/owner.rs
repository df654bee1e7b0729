//! Taking, draining and releasing partitions, for one role of one process.

use super::{Beat, Lease, OwnershipSettings, Position, Role, Standing, clock};
use crate::lifecycle::Stop;
use crate::postgres::Pool;
use sqlx::{Connection, PgConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

/// What a role is told of its partitions.
#[derive(Debug)]
pub enum Change {
    /// A partition is held from now on; work begins at these positions.
    Taken {
        /// The hold.
        lease: Lease,
        /// Where work begins.
        positions: Vec<Position>,
    },
    /// Finish what is in hand, take nothing new, then answer.
    Release {
        /// The partition.
        partition: i32,
        /// Answered when nothing of the partition is in hand.
        drained: oneshot::Sender<()>,
    },
    /// The hold is gone already: drop what is in hand.
    Lost {
        /// The partition.
        partition: i32,
    },
}

/// Keeps a role's share of the partitions.
pub struct Owner {
    pool: Pool,
    settings: OwnershipSettings,
    standing: Arc<Standing>,
    role: Role,
    partitions: i32,
    changes: mpsc::Sender<Change>,
    beats: Vec<Beat>,
    held: BTreeMap<i32, Lease>,
    /// Withdrawn by the watchdog, with the deadline that was in force then.
    withdrawn: BTreeMap<i32, (Lease, i64)>,
    /// As which process the tables were told last whether this role goes on.
    told: Option<(Uuid, bool)>,
}

#[derive(sqlx::FromRow)]
struct Survey {
    live: i64,
    mine: Vec<i32>,
    free: i64,
}

impl Owner {
    /// An owner that holds nothing yet. `beats` are the role's loops, for the watchdog.
    pub fn new(
        pool: Pool,
        settings: &OwnershipSettings,
        standing: Arc<Standing>,
        role: Role,
        partitions: i32,
        beats: Vec<Beat>,
    ) -> (Self, mpsc::Receiver<Change>) {
        let (changes, receiver) = mpsc::channel(usize::try_from(partitions).unwrap_or(1).max(1) * 2);
        let owner = Owner {
            pool,
            settings: settings.clone(),
            standing,
            role,
            partitions,
            changes,
            beats,
            held: BTreeMap::new(),
            withdrawn: BTreeMap::new(),
            told: None,
        };
        (owner, receiver)
    }

    /// Takes and releases until asked to stop; then drains and releases everything.
    pub async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let mut look = tokio::time::interval(Duration::from_millis(self.settings.look_ms));
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.requested() => break,
                _ = look.tick() => {}
            }
            self.drop_what_is_lost().await;
            self.watch();
            if let Err(error) = self.balance().await {
                tracing::warn!(role = %self.role, %error, "partitions could not be looked at");
            }
            metrics::gauge!("smshub_partitions_held", "role" => self.role.as_str())
                .set(u32::try_from(self.held.len()).unwrap_or(u32::MAX));
        }
        self.release(self.held.keys().copied().collect()).await?;
        Ok(())
    }

    async fn drop_what_is_lost(&mut self) {
        let lost: Vec<i32> =
            self.held.iter().filter(|(_, lease)| !lease.is_of_this_term()).map(|(p, _)| *p).collect();
        for partition in lost {
            self.lose(partition).await;
        }
    }

    async fn lose(&mut self, partition: i32) {
        if let Some(lease) = self.held.remove(&partition) {
            lease.withdraw();
            tracing::warn!(role = %self.role, partition, epoch = lease.epoch, "partition lost");
            // The role ending at the same time is fine: it holds nothing then.
            let _ = self.changes.send(Change::Lost { partition }).await;
        }
    }

    /// The watchdog: a loop that stands still loses its partitions.
    fn watch(&mut self) {
        if self.goes_on() {
            return;
        }
        for (partition, lease) in std::mem::take(&mut self.held) {
            lease.withdraw();
            tracing::error!(role = %self.role, partition, "the loop stands still: partition withdrawn");
            metrics::counter!("smshub_watchdog_withdrawn_total", "role" => self.role.as_str()).increment(1);
            self.withdrawn.insert(partition, (lease, self.standing.deadline_boot_ms()));
        }
    }

    fn goes_on(&self) -> bool {
        let limit = i64::try_from(self.settings.watchdog_ms).unwrap_or(i64::MAX);
        self.beats.iter().all(|beat| beat.age_ms() <= limit)
    }

    async fn balance(&mut self) -> Result<(), sqlx::Error> {
        if !self.standing.is_alive() {
            return Ok(());
        }
        self.free_withdrawn().await?;
        self.tell(self.goes_on()).await?;
        let survey = self.survey().await?;
        let really: BTreeSet<i32> = survey.mine.into_iter().collect();
        self.free_unknown(&really).await?;
        for partition in self.held.keys().copied().collect::<Vec<_>>() {
            if !really.contains(&partition) {
                self.lose(partition).await;
            }
        }
        let live = i32::try_from(survey.live).unwrap_or(i32::MAX).max(1);
        let target = usize::try_from((self.partitions + live - 1) / live).unwrap_or(0);
        if self.held.len() > target {
            self.release(self.held.keys().next_back().copied().into_iter().collect()).await?;
        } else if self.held.len() < target && survey.free > 0 && self.withdrawn.is_empty() && self.goes_on() {
            self.take(target - self.held.len()).await?;
        }
        Ok(())
    }

    async fn free_withdrawn(&mut self) -> Result<(), sqlx::Error> {
        let now = clock::boot_ms();
        let over: Vec<i32> =
            self.withdrawn.iter().filter(|(_, (_, deadline))| now > *deadline).map(|(p, _)| *p).collect();
        for partition in over {
            if let Some((lease, _)) = self.withdrawn.remove(&partition) {
                free(&self.pool, self.role, self.standing.process(), &lease).await?;
                let _ = self.changes.send(Change::Lost { partition }).await;
            }
        }
        Ok(())
    }

    /// A role whose loop stands still takes no share: the others count without it, or what it
    /// lost would stay with nobody while its process lives.
    async fn tell(&mut self, goes_on: bool) -> Result<(), sqlx::Error> {
        let process = self.standing.process();
        if self.told == Some((process, goes_on)) {
            return Ok(());
        }
        let update = sqlx::query(
            "update process set roles = array_remove(roles, $2) || (case when $3 then array[$2] else '{}' end)
             where id = $1",
        );
        let update = update.bind(process).bind(self.role.as_str()).bind(goes_on);
        self.pool.within(async |connection| update.execute(connection).await).await?;
        self.told = Some((process, goes_on));
        Ok(())
    }

    /// What the tables say is ours and nobody here was told of: the answer to a taking or a
    /// freeing was lost. Nothing of it is in hand, so it is free at once.
    async fn free_unknown(&self, really: &BTreeSet<i32>) -> Result<(), sqlx::Error> {
        let known =
            |partition: &i32| self.held.contains_key(partition) || self.withdrawn.contains_key(partition);
        let unknown: Vec<i32> = really.iter().filter(|partition| !known(partition)).copied().collect();
        if unknown.is_empty() {
            return Ok(());
        }
        tracing::warn!(role = %self.role, partitions = ?unknown, "held by the tables only: freed");
        let free = sqlx::query(
            "update ownership set process = null where role = $1 and process = $2 and partition = any($3)",
        );
        let free = free.bind(self.role.as_str()).bind(self.standing.process()).bind(unknown);
        self.pool.within(async |connection| free.execute(connection).await).await?;
        Ok(())
    }

    /// How many processes share this role, what the tables say is ours, and how much is free.
    async fn survey(&self) -> Result<Survey, sqlx::Error> {
        // Declaring the lapsed dead first: the write meets a late renewal at the row's lock.
        let declare =
            sqlx::query("update process set dead = true where not dead and alive_until < clock_timestamp()");
        let survey = sqlx::query_as(
            "select (select count(*) from process where not dead and $1 = any(roles)) as live,
                    coalesce(array_agg(o.partition) filter (where o.process = $2), '{}') as mine,
                    count(*) filter (where o.process is null or p.dead is not false) as free
             from ownership o left join process p on p.id = o.process
             where o.role = $1",
        );
        let survey = survey.bind(self.role.as_str()).bind(self.standing.process());
        self.pool
            .within(async |connection| {
                declare.execute(&mut *connection).await?;
                survey.fetch_one(connection).await
            })
            .await
    }

    async fn take(&mut self, count: usize) -> Result<(), sqlx::Error> {
        // The term before the process: should the process be counted out in between, or later,
        // the leases are of a term that is over.
        let template = Lease::new(0, 0, Arc::clone(&self.standing));
        let process = self.standing.process();
        let take = async |connection: &mut _| take(connection, self.role, process, count, &template).await;
        for (lease, positions) in self.pool.within(take).await? {
            tracing::info!(role = %self.role, partition = lease.partition, epoch = lease.epoch, "partition taken");
            self.held.insert(lease.partition, lease.clone());
            let _ = self.changes.send(Change::Taken { lease, positions }).await;
        }
        Ok(())
    }

    /// Lets the role finish what is in hand, then frees the partitions. Those that it does
    /// not finish in time are freed when the deadline in force has passed.
    async fn release(&mut self, partitions: Vec<i32>) -> Result<(), sqlx::Error> {
        let mut waits = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let (drained, wait) = oneshot::channel();
            // A role that is gone holds nothing: its end of the channel is dropped.
            let _ = self.changes.send(Change::Release { partition, drained }).await;
            waits.push((partition, wait));
        }
        let limit = tokio::time::Instant::now() + Duration::from_millis(self.settings.watchdog_ms);
        for (partition, wait) in waits {
            let in_time = tokio::time::timeout_at(limit, wait).await.is_ok();
            let Some(lease) = self.held.remove(&partition) else { continue };
            lease.withdraw();
            if in_time {
                free(&self.pool, self.role, self.standing.process(), &lease).await?;
                tracing::info!(role = %self.role, partition, "partition released");
            } else {
                tracing::error!(role = %self.role, partition, "not drained in time: partition withdrawn");
                self.withdrawn.insert(partition, (lease, self.standing.deadline_boot_ms()));
            }
        }
        Ok(())
    }
}

/// One transaction: at most `count` free partitions, under their next epoch.
async fn take(
    connection: &mut PgConnection,
    role: Role,
    process: Uuid,
    count: usize,
    template: &Lease,
) -> Result<Vec<(Lease, Vec<Position>)>, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let taken: Vec<(i32, i64)> = sqlx::query_as(
        "with free as (
             select o.role, o.partition from ownership o
             where o.role = $1
               and not exists (select from process p where p.id = o.process and not p.dead)
             order by o.partition limit $3 for update skip locked)
         update ownership o set process = $2, epoch = o.epoch + 1
         from free where o.role = free.role and o.partition = free.partition
         returning o.partition, o.epoch",
    )
    .bind(role.as_str())
    .bind(process)
    .bind(i64::try_from(count).unwrap_or(i64::MAX))
    .fetch_all(&mut *transaction)
    .await?;
    let mut changes = Vec::with_capacity(taken.len());
    for (partition, epoch) in taken {
        // Waits for the former holder's last transaction, then fences all later ones.
        let positions: Vec<Position> = sqlx::query_as(
            "update position set epoch = $3 where role = $1 and partition = $2
             returning topic, partition, epoch, next_offset, published, last_source",
        )
        .bind(role.as_str())
        .bind(partition)
        .bind(epoch)
        .fetch_all(&mut *transaction)
        .await?;
        changes.push((Lease { partition, epoch, ..template.fresh() }, positions));
    }
    transaction.commit().await?;
    Ok(changes)
}

async fn free(pool: &Pool, role: Role, process: Uuid, lease: &Lease) -> Result<(), sqlx::Error> {
    let free = sqlx::query(
        "update ownership set process = null
         where role = $1 and partition = $2 and process = $3 and epoch = $4",
    );
    let free = free.bind(role.as_str()).bind(lease.partition).bind(process).bind(lease.epoch);
    pool.within(async |connection| free.execute(connection).await).await?;
    Ok(())
}
