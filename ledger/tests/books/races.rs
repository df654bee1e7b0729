//! Many at once: lanes bill and settle the same accounts, charges come in, an audit looks on.

use crate::support::{Books, uniform};
use domain::bits::Bits;
use domain::id::ChunkId;
use domain::lane::Lane;
use ledger::LedgerError;
use ledger::audit::{self, Expect};
use ledger::hold::{self, Booked, Request};
use ledger::settle::{self, Finals};
use platform::postgres::lost_a_race;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};

const ROUNDS: u32 = 25;
const BATCH: u32 = 12;
const TASKS: u32 = 9;
const CHARGE: i64 = 9_000;

/// What all tasks count together.
#[derive(Default)]
struct Sums {
    settled: AtomicI64,
    deadlocks: AtomicU32,
    done: AtomicBool,
}

impl Sums {
    /// A lost race is tried again, as the roles do it; nothing else may fail.
    fn lost(&self, error: &LedgerError) {
        assert!(error.postgres().is_some_and(lost_a_race), "{error}");
        let code =
            error.postgres().and_then(|error| error.as_database_error()).and_then(|error| error.code());
        if code.as_deref() == Some("40P01") {
            self.deadlocks.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn book_once(pool: &PgPool, batch: &[Request]) -> Result<Vec<Booked>, LedgerError> {
    let mut transaction = pool.begin().await?;
    let booked = hold::book(&mut transaction, batch).await?;
    transaction.commit().await?;
    Ok(booked)
}

async fn settle_once(pool: &PgPool, finals: &BTreeMap<ChunkId, Finals>) -> Result<i64, LedgerError> {
    let mut transaction = pool.begin().await?;
    let settlements = settle::finals(&mut transaction, finals).await?;
    transaction.commit().await?;
    Ok(settlements.values().map(|settlement| settlement.settled.get()).sum())
}

/// One of the tasks: bills batches over all accounts, settles them, bills again what it had.
async fn work(pool: PgPool, batches: Vec<Vec<Request>>, sums: Arc<Sums>, task: u32) {
    let mut open: BTreeMap<ChunkId, Finals> = BTreeMap::new();
    for (round, batch) in batches.iter().enumerate() {
        let booked = loop {
            match book_once(&pool, batch).await {
                Ok(booked) => break booked,
                Err(error) => sums.lost(&error),
            }
        };
        for (request, booked) in batch.iter().zip(booked) {
            assert!(matches!(booked, Booked::Paid(_) | Booked::Refused), "{booked:?}");
            let half = Bits::prefix((task % 3 * 2) as usize);
            open.insert(request.chunk, Finals { settle: half, void: Bits::prefix(4) });
        }
        if round % 3 == 2 {
            settle(&pool, std::mem::take(&mut open), &sums).await;
        }
    }
    settle(&pool, open, &sums).await;
}

async fn settle(pool: &PgPool, finals: BTreeMap<ChunkId, Finals>, sums: &Sums) {
    // The second time is a repetition: it counts nothing.
    let mut times = 0;
    while times < 2 {
        match settle_once(pool, &finals).await {
            Ok(settled) => {
                sums.settled.fetch_add(settled, Ordering::Relaxed);
                times += 1;
            }
            Err(error) => sums.lost(&error),
        }
    }
}

async fn charges(books: &Books, accounts: &[i64], sums: &Sums) {
    for _ in 0..ROUNDS {
        for account in accounts {
            while let Err(error) = books.charge(*account, CHARGE).await {
                sums.lost(&error);
            }
        }
    }
}

/// A live system: every snapshot is sound.
async fn look_on(books: &Books, sums: &Sums) -> u32 {
    let mut audits = 0;
    while !sums.done.load(Ordering::Relaxed) {
        let mut connection = books.schema.pool().acquire().await.unwrap();
        let report = audit::run(&mut connection, Expect::Traffic).await.unwrap();
        assert!(report.is_clean(), "{report:#?}");
        audits += 1;
    }
    audits
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_accounts_in_all_lanes_at_once() {
    let books = Books::open().await;
    let mut accounts = Vec::new();
    for _ in 0..5 {
        accounts.push(books.account(0).await);
    }
    let sums = Arc::new(Sums::default());
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let batches: Vec<Vec<Request>> = (0..ROUNDS)
            .map(|round| {
                // Accounts and ids in another order in every task; ids of the tasks interleave.
                (0..BATCH)
                    .map(|k| {
                        let account = accounts[(k * (task + 1) + round) as usize % accounts.len()];
                        let id = ((round * BATCH + k) * TASKS + task) ^ 3;
                        books.request(id, account, uniform(500, 4))
                    })
                    .rev()
                    .collect()
            })
            .collect();
        let lane = Lane::ALL[task as usize % 3];
        tasks.push(tokio::spawn(work(
            PgPool::clone(books.schema.pools().lane(lane)),
            batches,
            Arc::clone(&sums),
            task,
        )));
    }
    let working = async {
        charges(&books, &accounts, &sums).await;
        for task in tasks {
            task.await.unwrap();
        }
        sums.done.store(true, Ordering::Relaxed);
    };
    let ((), audits) = tokio::join!(working, look_on(&books, &sums));
    assert!(audits > 0);
    let report = books.assert_clean(Expect::Quiescence).await;
    assert_eq!(report.in_flight, 0);
    let mut left = 0;
    for account in &accounts {
        let (balance, held) = books.stands(*account).await;
        assert_eq!(held, 0);
        left += balance;
    }
    let charged = i64::from(ROUNDS) * 5 * CHARGE;
    let settled = sums.settled.load(Ordering::Relaxed);
    assert!(settled > 0 && settled < charged);
    assert_eq!(left, charged - settled, "what was not delivered is back");
    // The order of locks is the same everywhere.
    assert_eq!(sums.deadlocks.load(Ordering::Relaxed), 0);
    books.schema.drop().await;
}

/// Receipts of the same chunks come to several at once, and contradict: each message is
/// decided once, and every rial goes one way.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn contradicting_finals_of_the_same_chunks_at_once() {
    const CHUNKS: u32 = 12;
    let books = Books::open().await;
    let account = books.account(1_000_000).await;
    let requests: Vec<_> = (0..CHUNKS).map(|k| books.request(k, account, uniform(100, 48))).collect();
    books.book(&requests).await.unwrap();
    let sums = Arc::new(Sums::default());
    let mut tasks = Vec::new();
    for task in 0..6u8 {
        let (pool, sums) = (books.schema.pools().lane(Lane::Bulk).clone(), Arc::clone(&sums));
        let chunks: Vec<ChunkId> = requests.iter().map(|request| request.chunk).collect();
        tasks.push(tokio::spawn(async move {
            for round in 0..8u8 {
                let some = (0..6).map(|k| round * 6 + k).collect::<Bits>();
                let (settled, voided) = if task % 2 == 0 { (some, Bits::EMPTY) } else { (Bits::EMPTY, some) };
                let finals =
                    chunks.iter().map(|chunk| (*chunk, Finals { settle: settled, void: voided })).collect();
                settle(&pool, finals, &sums).await;
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    books.assert_clean(Expect::Quiescence).await;
    let settled = sums.settled.load(Ordering::Relaxed);
    assert_eq!(books.stands(account).await, (1_000_000 - settled, 0));
    assert_eq!(sums.deadlocks.load(Ordering::Relaxed), 0);
    books.schema.drop().await;
}
