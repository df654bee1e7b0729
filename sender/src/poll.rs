//! Asking for receipts: chunks that are due, up to the operator's number of ids a call
//! across chunks and partitions, and every answer, empty ones too, into sms.receipts.
//!
//! Nothing here has to be finished: what was not asked, not answered or not written is still
//! due, and is asked again.

mod due;
mod held;
mod places;
mod question;
mod under_way;

#[cfg(test)]
mod tests;

pub(crate) use held::Held;

use crate::call::Line;
use crate::config::Settings;
use crate::magfa::STATUSES_MAX;
use domain::id::ChunkId;
use domain::lane::Lane;
use due::Due;
use places::{Limits, Place, Places};
use platform::lifecycle::Stop;
use platform::ownership::clock;
use platform::postgres::Pool;
use platform::role::Common;
use question::Asked;
use sqlx::PgConnection;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use under_way::UnderWay;

/// Chunks of one lane that were asked about and whose answers are not taken in yet, at most:
/// some megabytes.
const ASKED_MAX: usize = 100_000;
/// How often all that is due is passed from the start, in milliseconds. It costs Postgres
/// about a microsecond for each chunk whose answer is on its way.
const FROM_START_MS: i64 = 2_000;

/// One lane's poller.
pub(crate) struct Poller {
    pool: Pool,
    settings: Settings,
    lane: Lane,
    held: Held,
    places: Places,
    /// What is asked next.
    queue: VecDeque<Asked>,
    under_way: UnderWay,
}

impl Poller {
    pub(crate) fn new(common: &Common, settings: &Settings, lane: Lane, line: Arc<Line>, held: Held) -> Self {
        Poller::on(common.pools.lane(lane).clone(), settings, lane, line, held)
    }

    fn on(pool: Pool, settings: &Settings, lane: Lane, line: Arc<Line>, held: Held) -> Self {
        let limits = Limits {
            asked_max: ASKED_MAX,
            again_after_ms: i64::try_from(settings.poll_again_after_ms).unwrap_or(i64::MAX),
            from_start_ms: FROM_START_MS,
        };
        Poller {
            pool,
            settings: settings.clone(),
            lane,
            held,
            places: Places::new(limits),
            queue: VecDeque::new(),
            under_way: UnderWay::new(line, settings.questions_at_once),
        }
    }

    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let mut looks = interval(Duration::from_millis(self.settings.poll_look_ms));
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.is_requested() {
            self.under_way.look_after();
            self.ask();
            self.put_off();
            if self.is_hungry() {
                self.look().await;
                continue;
            }
            tokio::select! {
                () = stop.requested() => {}
                () = self.under_way.next() => {}
                _ = looks.tick(), if !self.places.is_open() => {
                    self.places.begin(&self.held.all(), clock::boot_ms());
                }
            }
        }
        Ok(())
    }

    /// Begins calls: only full ones as long as there may be more to fill them with.
    fn ask(&mut self) {
        let least = if self.places.is_open() { STATUSES_MAX } else { 1 };
        while self.queue.len() >= least && self.under_way.has_room() {
            self.under_way.ask(next_call(&mut self.queue));
        }
    }

    /// What could not be asked is asked again, but not at once.
    fn put_off(&mut self) {
        let again = i64::try_from(self.settings.poll_failed_again_ms).unwrap_or(i64::MAX);
        let again_at = clock::boot_ms().saturating_add(again);
        for asked in self.under_way.take_in_vain() {
            self.places.put_off(asked.partition, asked.place, again_at);
        }
    }

    /// Whether another page is to be read: there may be one, and the queue is shorter than
    /// what all calls at once take. So it never has more than that and one page.
    fn is_hungry(&self) -> bool {
        self.places.is_open() && self.queue.len() < self.settings.questions_at_once * STATUSES_MAX
    }

    async fn look(&mut self) {
        if let Err(error) = self.page().await {
            tracing::warn!(%error, lane = %self.lane, "due receipts could not be looked for");
            self.places.end();
        }
    }

    /// Reads one page, and queues what is to be asked of it.
    async fn page(&mut self) -> Result<(), sqlx::Error> {
        let (lane, open) = (self.lane, self.places.open());
        let chunks = usize::try_from(self.settings.poll_chunks).unwrap_or(usize::MAX);
        let most = (chunks / open.len().max(1)).max(1);
        // What cannot be asked would fill the queue, and what is kept in mind, before the others'.
        let answering = self.under_way.answering();
        let page =
            async |connection: &mut PgConnection| due::page(connection, lane, &open, most, &answering).await;
        let mut pages = self.pool.within(page).await?;
        for (partition, _) in &open {
            self.sift(*partition, pages.entry(*partition).or_default(), most);
        }
        self.queue(&pages).await.inspect_err(|_| {
            for (partition, page) in &pages {
                self.places.forget(*partition, &places(page));
            }
        })
    }

    /// Leaves of a page what is to be asked about now.
    fn sift(&mut self, partition: i32, page: &mut Vec<Due>, most: usize) {
        let ask = self.places.take(partition, &places(page), page.len() >= most, clock::boot_ms());
        page.retain(|due| ask.binary_search(&due.place).is_ok());
    }

    async fn queue(&mut self, pages: &BTreeMap<i32, Vec<Due>>) -> Result<(), sqlx::Error> {
        let chunks: Vec<i64> = pages.values().flatten().map(|due| due.place.chunk).collect();
        if chunks.is_empty() {
            return Ok(());
        }
        let ids = async |connection: &mut PgConnection| due::operator_ids(connection, chunks).await;
        let mut ids = self.pool.within(ids).await?;
        for (partition, page) in pages {
            for due in page {
                let Some(chunk) = ChunkId::new(due.place.chunk) else { continue };
                let ids = ids.remove(&due.place.chunk).unwrap_or_default();
                self.queue.extend(question::asked(*partition, chunk, *due, ids));
            }
        }
        Ok(())
    }
}

/// What is asked next: of one operator, up to the number of ids that one call takes.
fn next_call(queue: &mut VecDeque<Asked>) -> Vec<Asked> {
    let whom = queue.front().and_then(|asked| asked.connector().cloned());
    let is_theirs = |asked: &Asked| asked.connector() == whom.as_ref();
    let same = queue.iter().take(STATUSES_MAX).take_while(|asked| is_theirs(asked)).count();
    let mut call: Vec<Asked> = queue.drain(..same).collect();
    // Questions to others in between, as after a change of the routes, do not make calls short.
    let mut behind = 0;
    while call.len() < STATUSES_MAX && behind < queue.len() {
        match queue.get(behind).is_some_and(is_theirs) {
            true => call.extend(queue.remove(behind)),
            false => behind += 1,
        }
    }
    call
}

fn places(page: &[Due]) -> Vec<Place> {
    page.iter().map(|due| due.place).collect()
}
