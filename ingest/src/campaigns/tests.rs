//! Whatever breaks, whoever dies, and wherever money is short: each row is paid for once, and
//! the totals are those of an upload that nothing happened to.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use domain::money::Money;
use platform::http::Pieces;
use platform::http::problem::{Code, Problem};
use platform::postgres::lost_a_race;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sqlx::PgConnection;
use tokio::time::Instant;
use uuid::Uuid;

use super::begin::taken_in;
use super::claim::{Claimed, claim};
use super::{Campaign, Format, New, Taken, Written, create, read};
use crate::keys::{Identity, Key, Scope};
use crate::tests::billing::{Biller, PRICE};
use crate::tests::gateway::Gateway;
use crate::tests::settings::settings;

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Valid,
    /// Of two segments.
    Long,
    BadNumber,
    Malformed,
}

/// What happens to an upload.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// The client breaks off at this place of the file (in thousandths).
    Breaks(usize),
    /// The process dies after it was woken so often.
    Dies(usize),
    /// The process stands still from then on, is passed over, and goes on when all is done.
    Freezes(usize),
    /// Another call takes money between the look at the balance and billing (in thousandths of
    /// what the file costs).
    Steals(usize),
}

fn kinds() -> impl Strategy<Value = Vec<Kind>> {
    let kind = prop_oneof![
        8 => Just(Kind::Valid),
        2 => Just(Kind::Long),
        1 => Just(Kind::BadNumber),
        1 => Just(Kind::Malformed)
    ];
    prop::collection::vec(kind, 1..60)
}

fn fates() -> impl Strategy<Value = Vec<Fate>> {
    let fate = prop_oneof![
        (0_usize..1_000).prop_map(Fate::Breaks),
        (0_usize..60).prop_map(Fate::Dies),
        (0_usize..60).prop_map(Fate::Freezes),
        (0_usize..1_000).prop_map(Fate::Steals),
    ];
    prop::collection::vec(fate, 0..6)
}

/// A future that comes to its end only if it is not woken more often.
struct Woken<'f, F: ?Sized> {
    inner: &'f mut Pin<Box<F>>,
    left: usize,
}

impl<F: Future + ?Sized> Future for Woken<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        self.inner.as_mut().poll(context).map(Some)
    }
}

type Running = Pin<Box<dyn Future<Output = Result<Taken, Problem>> + Send>>;

struct World {
    gateway: Gateway,
    biller: Biller,
}

/// A file, and the customer that sends it.
struct Case {
    caller: Arc<Identity>,
    campaign: Campaign,
    file: Vec<u8>,
    cost: i64,
}

impl World {
    async fn case(&self, kinds: &[Kind], tag: Uuid, balance: usize) -> Case {
        let mut file = "to,name\n".to_owned();
        let mut cost = 0;
        for (row, kind) in kinds.iter().enumerate() {
            file += &match kind {
                Kind::Valid => format!("0912{row:07},{tag} {row}\n"),
                Kind::Long => format!("0912{row:07},{tag} {row} {}\n", "س".repeat(71)),
                Kind::BadNumber => format!("0912,{tag} {row}\n"),
                Kind::Malformed => format!("0912{row:07}\n"),
            };
            cost += match kind {
                Kind::Valid => PRICE,
                Kind::Long => 2 * PRICE,
                Kind::BadNumber | Kind::Malformed => 0,
            };
        }
        let thousandths = i64::try_from(balance).unwrap();
        let account = self.gateway.account_with(cost * thousandths / 1_000).await;
        let key = self.gateway.key_of(account, &[Scope::Send]).await;
        let caller = self.gateway.app.keys.identity(Key::parse(&key).unwrap()).await.unwrap();
        let new = New {
            account,
            name: "n",
            text: "{name}",
            line: "100002",
            ttl_seconds: 3_600,
            stops_at_faults: false,
        };
        let mut connection = self.gateway.schema.pool().acquire().await.unwrap();
        let campaign = create(&mut connection, &new).await.unwrap();
        Case { caller, campaign, file: file.into_bytes(), cost }
    }

    /// An upload that was let in; its pieces come as the network likes.
    async fn upload(&self, case: &Case, breaks_at: Option<usize>) -> Option<Running> {
        let (upload, process) = (Uuid::new_v4(), self.gateway.common.standing.process());
        let mut connection = self.gateway.schema.pool().acquire().await.unwrap();
        let claimed: Claimed = claim(&mut connection, &case.campaign, upload, process).await.ok()??;
        let end = breaks_at.unwrap_or(case.file.len());
        let pieces = case.file[..end].chunks(37).map(|piece| Ok(Bytes::copy_from_slice(piece)));
        let broken = breaks_at.map(|_| Err(std::io::Error::other("the client broke off")));
        let body = Body::from_stream(futures::stream::iter(pieces.chain(broken).collect::<Vec<_>>()));
        let body = (Pieces::new(body, Duration::from_secs(10)), Written { format: Format::Csv, gzip: false });
        let (app, caller) = (Arc::clone(&self.gateway.app), Arc::clone(&case.caller));
        Some(Box::pin(taken_in(app, caller, claimed, upload, body)))
    }

    /// The process of the upload that runs is dead. (One that stands still in the middle of a
    /// transaction holds its locks until Postgres ends it.)
    async fn bury(&self, case: &Case) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let bury = "update campaign set upload_process = gen_random_uuid() where id = $1";
        while let Err(error) =
            sqlx::query(bury).bind(case.campaign.id).execute(self.gateway.schema.pool()).await
        {
            assert!(lost_a_race(&error) && Instant::now() < deadline, "{error}");
        }
    }

    async fn charge(&self, case: &Case, amount: i64) {
        let mut transaction = self.gateway.schema.pool().begin().await.unwrap();
        let account = case.campaign.account;
        ledger::account::charge(&mut transaction, account, Money::new(amount), None).await.unwrap();
        transaction.commit().await.unwrap();
    }

    /// Sends the file until all of it is taken in.
    async fn to_the_end(&self, case: &Case) -> Taken {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            self.bury(case).await;
            if let Some(running) = self.upload(case, None).await {
                match running.await {
                    Ok(taken) => return taken,
                    Err(problem) if problem.code() == Code::InsufficientFunds => {
                        self.charge(case, case.cost / 2 + PRICE).await;
                    }
                    Err(problem) if problem.code() == Code::Unavailable => {}
                    Err(problem) => panic!("{problem:?}"),
                }
            }
            assert!(Instant::now() < deadline, "it does not come to an end");
        }
    }

    async fn play(&self, kinds: &[Kind], fates: &[Fate], balance: usize) {
        let tag = Uuid::new_v4();
        let case = self.case(kinds, tag, balance).await;
        let mut frozen = Vec::new();
        for fate in fates {
            self.bury(&case).await;
            let breaks_at = match fate {
                Fate::Breaks(at) => Some(case.file.len() * at / 1_000),
                _ => None,
            };
            let Some(mut running) = self.upload(&case, breaks_at).await else { continue };
            let left = match fate {
                Fate::Dies(after) | Fate::Freezes(after) => *after,
                Fate::Breaks(_) => usize::MAX,
                Fate::Steals(part) => {
                    let stolen = case.cost * i64::try_from(*part).unwrap() / 1_000;
                    self.biller.steal.store(stolen, Ordering::Relaxed);
                    usize::MAX
                }
            };
            let ended = Woken { inner: &mut running, left }.await;
            if ended.is_none() && matches!(fate, Fate::Freezes(_)) {
                frozen.push(running);
            }
        }
        self.biller.steal.store(0, Ordering::Relaxed);
        let taken = self.to_the_end(&case).await;
        // Who stood still goes on: it finds its place taken, whatever it was about to do.
        for running in frozen {
            let ended = tokio::time::timeout(Duration::from_secs(60), running).await.expect("an end");
            // Unless it had nothing more to store.
            assert!(ended.is_err() || ended.is_ok_and(|ended| ended == taken), "it was passed over");
        }
        self.holds(&case, kinds, tag, &taken).await;
    }

    async fn holds(&self, case: &Case, kinds: &[Kind], tag: Uuid, taken: &Taken) {
        let mut connection = self.gateway.schema.pool().acquire().await.unwrap();
        let (account, id) = (case.campaign.account, case.campaign.id);
        let stored = read(&mut connection, account, id).await.unwrap().unwrap();
        assert_eq!(stored.taken, *taken);
        let count = |of: &[Kind]| kinds.iter().filter(|kind| of.contains(kind)).count() as u64;
        let faults = count(&[Kind::BadNumber, Kind::Malformed]);
        let accepted = count(&[Kind::Valid, Kind::Long]);
        assert_eq!((taken.prefix.rows, taken.invalid), (kinds.len() as u64, faults));
        assert_eq!((taken.accepted, taken.price.get()), (accepted, case.cost));
        assert_eq!(taken.segments, accepted + count(&[Kind::Long]));
        assert!(taken.owed.is_empty());
        self.everything_is_billed(&mut connection, account).await;

        let mut paid = BTreeMap::new();
        for message in self.biller.paid(self.gateway.schema.pool()).await {
            if let Some(row) = message.text.strip_prefix(&format!("{tag} ")) {
                *paid.entry(row.split(' ').next().unwrap().parse::<usize>().unwrap()).or_insert(0) += 1;
            }
        }
        let valid = |(_, kind): &(usize, &Kind)| matches!(kind, Kind::Valid | Kind::Long);
        let due: BTreeMap<usize, i32> =
            kinds.iter().enumerate().filter(valid).map(|(row, _)| (row, 1)).collect();
        assert_eq!(paid, due, "each row once");
    }

    /// What was produced late is a repetition, and is judged before anybody counts.
    async fn everything_is_billed(&self, connection: &mut PgConnection, account: i64) {
        let produced = crate::tests::submitted_chunks(&self.gateway, account).len();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let statement = "select count(*) from hold where account_id = $1 and topic <> 'theft'";
            let billed: i64 =
                sqlx::query_scalar(statement).bind(account).fetch_one(&mut *connection).await.unwrap();
            if usize::try_from(billed).unwrap() == produced {
                return;
            }
            assert!(Instant::now() < deadline, "not all of {produced} chunks are billed");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[test]
fn whatever_happens_each_row_is_paid_for_once_and_the_totals_are_the_same() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let world = runtime.block_on(async {
        let mut settings = settings();
        settings.campaigns.segment_rows = 7;
        settings.limits.chunk_messages = 3;
        let gateway = Gateway::open(settings, true).await;
        let biller = Biller::start(&gateway).await;
        World { gateway, biller }
    });
    let config = Config { cases: 40, max_shrink_iters: 60, failure_persistence: None, ..Config::default() };
    let cases = (kinds(), fates(), 0_usize..1_300);
    TestRunner::new(config)
        .run(&cases, |(kinds, fates, balance)| {
            runtime.block_on(world.play(&kinds, &fates, balance));
            Ok(())
        })
        .unwrap();
    runtime.block_on(async {
        world.biller.stop().await;
        world.gateway.close().await;
    });
}
