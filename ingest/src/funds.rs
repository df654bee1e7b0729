//! Whether the balance covers a call: at once, and truly.
//!
//! This process keeps the balances of accounts seen lately, refreshed a few times a second in
//! one snapshot with billing's positions ([`refresh`], [`reading`]), and what it promised of each
//! that is not in that balance yet ([`book`]). Where the balance is ample a call is promised its
//! cost at once, without asking anyone. Otherwise the balance is read anew, one read for all who
//! wait for it ([`shared`]). Does it not cover the call and all promises, the call is refused, and
//! nothing was produced. Does it, but only just, the call is produced, and the ledger's verdict
//! is waited for ([`verdicts`]): what other processes promise meanwhile is not known here.
//!
//! What is accepted without a verdict can be refused later in two cases, which are counted
//! ([`followed`]): the verdict did not come in time; or others (another process, or this one
//! before it was restarted) had promised most of an ample balance that was not billed yet.

mod account;
mod book;
mod followed;
mod promise;
mod reading;
mod refresh;
mod shared;
mod verdicts;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use domain::id::{ChunkId, Run};
use domain::lane::Lane;
use domain::money::Money;
use platform::http::problem::{Code, Problem};
use platform::kafka::topics::Stage;
use platform::ownership::Standing;
use platform::postgres::Pools;
use platform::role::Common;

pub(crate) use followed::Why;
pub(crate) use promise::{Covered, Promise};
pub(crate) use refresh::{ask_verdicts, refresh};
pub(crate) use verdicts::Place;

use crate::config::FundsSettings;
use crate::metrics::{self, Decided};
use book::{Asked, Book, Bounds, Given};
use followed::Followed;
use promise::Shelf;
use verdicts::Desk;

/// What this process knows of balances, and what it promised of them. One a process.
pub(crate) struct Funds {
    settings: FundsSettings,
    currency: String,
    pools: Pools,
    standing: Arc<Standing>,
    partitions: i32,
    /// `sms.submitted`, by lane.
    topics: Vec<String>,
    shelf: Shelf,
    desk: Desk,
    followed: Followed,
    began: Instant,
    /// When Postgres was last asked and answered, in milliseconds since `began`.
    read_ms: AtomicU64,
}

impl Funds {
    pub(crate) fn new(common: &Common, settings: &FundsSettings, currency: &str) -> Self {
        let bounds = Bounds { accounts: settings.accounts, promises: settings.promised_chunks };
        Funds {
            settings: settings.clone(),
            currency: currency.to_owned(),
            pools: common.pools.clone(),
            standing: Arc::clone(&common.standing),
            partitions: common.partitions,
            topics: Lane::ALL.map(|lane| common.topics.of(Stage::Submitted, lane)).into(),
            shelf: Shelf::new(Book::new(bounds, common.partitions)),
            desk: Desk::new(settings.waiting_chunks),
            followed: Followed::default(),
            began: Instant::now(),
            read_ms: AtomicU64::new(0),
        }
    }

    /// Promises a call its cost, where the balance covers it as far as can be known beforehand.
    ///
    /// # Errors
    /// 402 `insufficient_funds`, 503 `overloaded` where billing is far behind or too many wait,
    /// 503 `unavailable` where the balance cannot be read. Nothing was taken.
    pub(crate) async fn cover(&self, account: i64, lane: Lane, costs: &[Money]) -> Result<Covered, Problem> {
        let now = Instant::now();
        let asked = Asked { account, lane, costs };
        // Without Postgres express ends, and the other lanes go on with what was known last.
        let fresh = (lane == Lane::Express).then_some(ms(self.settings.stale_ms));
        let at_once = {
            let mut book = self.shelf.book();
            let behind = book.waits(account, lane, now) > ms(self.settings.behind_ms.of(lane));
            (!behind).then(|| book.promise_at_once(asked, self.standing.ingest_processes(), fresh, now))
        };
        let at_once = at_once.ok_or_else(|| {
            metrics::decided(lane, Decided::Behind);
            Problem::new(Code::Overloaded)
                .detail("what was sent before waits too long to be billed; nothing was taken")
        })?;
        match at_once {
            Some(numbers) => {
                metrics::decided(lane, Decided::AtOnce);
                Ok(Covered::new(&self.shelf, account, numbers, None))
            }
            None => self.ask(asked).await,
        }
    }

    /// Promises the cost of a call that may have been produced before, whatever the balance is.
    ///
    /// # Errors
    /// 503 `overloaded` where too many wait; nothing was produced.
    pub(crate) fn again(&self, account: i64, lane: Lane, costs: &[Money]) -> Result<Covered, Problem> {
        let place = self.desk.place(costs.len()).ok_or_else(too_many)?;
        let asked = Asked { account, lane, costs };
        let numbers = self.shelf.book().promise_again(asked, Instant::now()).ok_or_else(too_many)?;
        Ok(Covered::new(&self.shelf, account, numbers, Some(place)))
    }

    /// Reads the balance anew, and decides by it.
    async fn ask(&self, asked: Asked<'_>) -> Result<Covered, Problem> {
        let Asked { account, lane, costs } = asked;
        let decided = |decided| metrics::decided(lane, decided);
        let shared = self.shelf.book().open(account, Instant::now());
        let shared = shared.ok_or_else(|| {
            decided(Decided::Full);
            too_many()
        })?;
        if !self.read_anew(&shared, account, lane).await {
            decided(Decided::Unreadable);
            return Err(unavailable("the balance cannot be read now; nothing was taken"));
        }
        let until = tokio::time::Instant::now() + ms(self.settings.verdict_ms);
        loop {
            // Before the look, so that no acknowledgement is missed between look and wait.
            let mut moved = std::pin::pin!(shared.moved.notified());
            moved.as_mut().enable();
            let place = self.desk.place(costs.len());
            let processes = self.standing.ingest_processes();
            let given = self.shelf.book().promise(asked, processes, Instant::now());
            match given {
                Given::Ample(numbers) => {
                    decided(Decided::Read);
                    return Ok(Covered::new(&self.shelf, account, numbers, None));
                }
                Given::Close(numbers) => {
                    let full = place.is_none();
                    let covered = Covered::new(&self.shelf, account, numbers, place);
                    decided(if full { Decided::Full } else { Decided::Close });
                    return if full { Err(too_many()) } else { Ok(covered) };
                }
                Given::Short(left) => {
                    decided(Decided::Short);
                    return Err(self.insufficient(left, asked.sum()));
                }
                Given::Full => {
                    decided(Decided::Full);
                    return Err(too_many());
                }
                Given::Uncertain => {}
            }
            drop(place);
            if tokio::time::timeout_at(until, moved).await.is_err() {
                decided(Decided::Uncertain);
                let detail = "earlier calls are not confirmed to be stored, so what is left of the balance is not known; nothing was taken";
                return Err(unavailable(detail));
            }
        }
    }

    /// Waits for the ledger's verdict on the chunks of a run, which have so many messages each.
    /// How many messages of each are accepted: all of a chunk whose verdict does not come in
    /// time.
    pub(crate) async fn verdicts(
        &self,
        lane: Lane,
        place: Place,
        run: Run,
        sizes: impl Iterator<Item = usize>,
    ) -> Vec<usize> {
        let since = Instant::now();
        let chunks: Vec<ChunkId> = run.ids().collect();
        let paid = self.desk.verdicts(place, chunks.clone(), ms(self.settings.verdict_ms)).await;
        let late = chunks.iter().zip(&paid).filter(|(_, paid)| paid.is_none()).map(|(chunk, _)| *chunk);
        self.followed.add(late, Why::Late, since);
        let accepted = |(size, paid): (usize, Option<u16>)| paid.map_or(size, |paid| size.min(paid.into()));
        let sizes: Vec<usize> = sizes.collect();
        let accepted: Vec<usize> = sizes.iter().copied().zip(paid.iter().copied()).map(accepted).collect();
        metrics::verdict(lane, &paid, &sizes, since.elapsed());
        accepted
    }

    /// What to say where the verdict was that the balance covers nothing of a call.
    pub(crate) async fn refused(&self, account: i64, lane: Lane, required: Money) -> Problem {
        let shared = self.shelf.book().open(account, Instant::now());
        if let Some(shared) = shared {
            // Unreadable: then what was known last is said.
            self.read_anew(&shared, account, lane).await;
        }
        let left = self.shelf.book().left(account).unwrap_or(Money::ZERO);
        self.insufficient(left, required)
    }

    /// 402, with this balance.
    pub(crate) fn insufficient(&self, left: Money, required: Money) -> Problem {
        Problem::new(Code::InsufficientFunds)
            .detail("charge the account, or send less; nothing was taken")
            .member("balance", left.get())
            .member("required", required.get())
            .member("currency", self.currency.as_str())
    }
}

fn too_many() -> Problem {
    Problem::new(Code::Overloaded).detail("too many calls wait to be billed; nothing was taken")
}

fn unavailable(detail: &'static str) -> Problem {
    Problem::new(Code::Unavailable).detail(detail)
}

fn ms(setting: u64) -> Duration {
    Duration::from_millis(setting)
}
