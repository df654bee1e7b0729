//! Reads once a second what changed: cancelled campaigns, opt-outs, and which lines are for
//! advertising.

use super::store::{self, Place};
use super::{Courtesy, CourtesySettings, STALE_AFTER_MS};
use metrics::{Gauge, gauge};
use platform::health::Health;
use platform::lifecycle::Stop;
use platform::ownership::clock;
use platform::postgres::Pool;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Changes read at once.
const PAGE: usize = 10_000;
/// Old changes are deleted so often, and so often it is looked whether there are few enough of
/// them again, in milliseconds.
const TIDY_EVERY_MS: i64 = 60_000;

/// Alarm: nothing is sent, because it cannot be read who is not to be written to.
const UNREAD: &str = "courtesy_unread";
/// Alarm: more opt-outs, or cancelled campaigns, than are kept in memory.
const TOO_MANY: &str = "courtesy_too_many";

/// The component.
pub(crate) struct Reader {
    pool: Pool,
    courtesy: Arc<Courtesy>,
    health: Health,
    every: Duration,
    /// From where the next reading goes on.
    place: Place,
    tidied_at: i64,
    opt_outs: Gauge,
    canceled: Gauge,
}

impl Reader {
    pub(crate) fn new(
        pool: &Pool,
        health: &Health,
        courtesy: &Arc<Courtesy>,
        settings: &CourtesySettings,
    ) -> Self {
        Reader {
            pool: pool.clone(),
            courtesy: Arc::clone(courtesy),
            health: health.clone(),
            every: Duration::from_millis(settings.read_every_ms),
            place: Place::first(),
            tidied_at: clock::boot_ms(),
            opt_outs: gauge!("smshub_sender_opt_outs"),
            canceled: gauge!("smshub_sender_canceled_campaigns"),
        }
    }

    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let mut every = interval(self.every);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let began = clock::boot_ms();
        loop {
            tokio::select! {
                () = stop.requested() => break,
                _ = every.tick() => {}
                () = self.courtesy.wanted.notified() => {}
            }
            match self.round().await {
                Ok(()) => self.health.clear_alarm(UNREAD, "sender"),
                Err(error) => {
                    tracing::warn!(%error, "cancelled campaigns and opt-outs cannot be read");
                    let read_at = self.courtesy.rules().read_at().unwrap_or(began);
                    if clock::boot_ms() - read_at >= STALE_AFTER_MS {
                        let detail = "cancelled campaigns and opt-outs cannot be read: nothing is sent";
                        self.health.raise_alarm(UNREAD, "sender", detail);
                    }
                }
            }
        }
        Ok(())
    }

    /// One reading.
    pub(super) async fn round(&mut self) -> Result<(), sqlx::Error> {
        let began = clock::boot_ms();
        if began - self.tidied_at >= TIDY_EVERY_MS {
            // An import that is too old now is much at once: it goes on with the next round.
            if !self.tidy().await? {
                self.tidied_at = began;
            }
        }
        let most = self.courtesy.rules().bounds().canceled.saturating_add(1);
        let read = async |connection: &mut sqlx::PgConnection| {
            let running = store::first_running(&mut *connection).await?;
            let canceled = store::canceled(&mut *connection, most).await?;
            Ok::<_, sqlx::Error>((running, canceled, store::advertising(connection).await?))
        };
        let (running, canceled, advertising) = self.pool.within(read).await?;
        if !self.courtesy.rules().opt_outs_overflow() {
            self.read_changes(self.place.clone(), |changes| self.courtesy.change().changed(changes)).await?;
            // What was still running by then is read again.
            self.place = Place::before(running);
        }
        self.canceled.set(canceled.len() as f64);
        let (known, not_all) = {
            let mut rules = self.courtesy.change();
            rules.campaigns(canceled);
            rules.lines(advertising);
            rules.read(began);
            (rules.opt_outs_len(), rules.are_not_all())
        };
        self.opt_outs.set(known as f64);
        if not_all {
            let detail = "more opt-outs or cancelled campaigns than are kept in memory: Postgres is asked before each call";
            self.health.raise_alarm(TOO_MANY, "sender", detail);
        } else {
            self.health.clear_alarm(TOO_MANY, "sender");
        }
        Ok(())
    }

    async fn read_changes(
        &self,
        mut place: Place,
        mut take: impl FnMut(&[super::known::Change]),
    ) -> Result<(), sqlx::Error> {
        loop {
            let from = place.clone();
            let page =
                async |connection: &mut sqlx::PgConnection| store::changes(connection, from, PAGE).await;
            let (changes, behind) = self.pool.within(page).await?;
            take(&changes);
            if changes.len() < PAGE {
                return Ok(());
            }
            place = behind;
        }
    }

    /// Deletes and forgets what is old; returns whether there is more of it. Where there was too
    /// much, and is not any more, all is read from the beginning.
    pub(super) async fn tidy(&mut self) -> Result<bool, sqlx::Error> {
        let (oldest, more) = self.pool.within(async |connection| store::delete_old(connection).await).await?;
        let (overflow, bounds) = {
            let mut rules = self.courtesy.change();
            rules.forget_before(oldest);
            (rules.opt_outs_overflow(), rules.bounds())
        };
        if !overflow {
            return Ok(more);
        }
        // A little below the bound: not at each change one or the other.
        let most = bounds.opt_outs / 10 * 9;
        if self.pool.within(async |connection| store::are_at_most(connection, most).await).await? {
            let running = self.pool.within(async |connection| store::first_running(connection).await).await?;
            let mut anew = self.courtesy.rules().empty();
            self.read_changes(Place::first(), |changes| anew.changed(changes)).await?;
            self.courtesy.change().renew(anew);
            self.place = Place::before(running);
        }
        Ok(more)
    }
}
