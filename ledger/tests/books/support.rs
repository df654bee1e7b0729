//! What all tests of the books need: a schema with ranges, accounts, chunks, short calls.

use domain::bits::Bits;
use domain::hold::Prices;
use domain::id::ChunkId;
use domain::invariant::Invariant;
use domain::money::Money;
use domain::time::UnixMillis;
use ledger::LedgerError;
use ledger::audit::{self, Expect, Report};
use ledger::hold::{self, Booked, HoldRow, Request};
use ledger::settle::{self, Finals, Settlement};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{SystemTime, UNIX_EPOCH};
use testkit::postgres::Schema;

pub(crate) const TOPIC: &str = "sms.submitted.standard";

/// The books of one test.
pub(crate) struct Books {
    pub(crate) schema: Schema,
    first: i64,
}

pub(crate) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    UnixMillis(i64::try_from(since.as_millis()).unwrap())
}

pub(crate) fn bits(positions: impl IntoIterator<Item = u8>) -> Bits {
    positions.into_iter().collect()
}

/// `count` messages of one price.
pub(crate) fn uniform(price: i64, count: usize) -> Prices {
    Prices::new(vec![Money::new(price)], vec![], count).unwrap()
}

/// A price each.
pub(crate) fn each(prices: &[i64]) -> Prices {
    Prices::of_each(&prices.iter().copied().map(Money::new).collect::<Vec<_>>()).unwrap()
}

/// One chunk's final outcomes.
pub(crate) fn ends(chunk: ChunkId, settle: Bits, void: Bits) -> BTreeMap<ChunkId, Finals> {
    BTreeMap::from([(chunk, Finals { settle, void })])
}

impl Books {
    pub(crate) async fn open() -> Self {
        let schema = Schema::new(&ledger::MIGRATIONS).await;
        let mut transaction = schema.pool().begin().await.unwrap();
        ledger::ranges::ensure(&mut transaction, now(), 1).await.unwrap();
        transaction.commit().await.unwrap();
        Books { schema, first: ChunkId::floor(now()) }
    }

    /// The k-th chunk id of this test, minted about now.
    pub(crate) fn chunk(&self, k: u32) -> ChunkId {
        ChunkId::new(self.first + i64::from(k) * 256).unwrap()
    }

    /// A request whose source and hash are its chunk's number.
    pub(crate) fn request(&self, k: u32, account: i64, prices: Prices) -> Request {
        Request {
            chunk: self.chunk(k),
            account,
            topic: TOPIC.into(),
            partition: 3,
            source: k.into(),
            request_hash: u64::MAX - u64::from(k),
            prices,
        }
    }

    /// A new account with this balance.
    pub(crate) async fn account(&self, balance: i64) -> i64 {
        let mut transaction = self.schema.pool().begin().await.unwrap();
        let made = ledger::account::create(&mut transaction, None, "an account", &["3000".into()]).await;
        let id = made.unwrap().expect("the sequence gives a free id");
        if balance > 0 {
            ledger::account::charge(&mut transaction, id, Money::new(balance), None).await.unwrap();
        }
        transaction.commit().await.unwrap();
        id
    }

    pub(crate) async fn charge(&self, account: i64, amount: i64) -> Result<Money, LedgerError> {
        let mut transaction = self.schema.pool().begin().await?;
        let charged =
            ledger::account::charge(&mut transaction, account, Money::new(amount), Some("r")).await?;
        transaction.commit().await?;
        Ok(charged.balance)
    }

    pub(crate) async fn book(&self, requests: &[Request]) -> Result<Vec<Booked>, LedgerError> {
        let mut transaction = self.schema.pool().begin().await?;
        let booked = hold::book(&mut transaction, requests).await?;
        transaction.commit().await?;
        Ok(booked)
    }

    pub(crate) async fn finals(
        &self,
        finals: &BTreeMap<ChunkId, Finals>,
    ) -> Result<BTreeMap<ChunkId, Settlement>, LedgerError> {
        let mut transaction = self.schema.pool().begin().await?;
        let settlements = settle::finals(&mut transaction, finals).await?;
        transaction.commit().await?;
        Ok(settlements)
    }

    /// Balance and held.
    pub(crate) async fn stands(&self, account: i64) -> (i64, i64) {
        let mut connection = self.schema.pool().acquire().await.unwrap();
        let account = ledger::account::read(&mut connection, account).await.unwrap().expect("it exists");
        (account.balance.get(), account.held.get())
    }

    pub(crate) async fn row(&self, chunk: ChunkId) -> Option<HoldRow> {
        let mut connection = self.schema.pool().acquire().await.unwrap();
        hold::read(&mut connection, &[chunk]).await.unwrap().pop()
    }

    pub(crate) async fn entries(&self) -> i64 {
        let (count,): (i64,) =
            sqlx::query_as("select count(*) from entry").fetch_one(self.schema.pool()).await.unwrap();
        count
    }

    pub(crate) async fn audit(&self, expect: Expect) -> Report {
        let mut connection = self.schema.pool().acquire().await.unwrap();
        audit::run(&mut connection, expect).await.expect("an audit reports; it does not fail")
    }

    pub(crate) async fn assert_clean(&self, expect: Expect) -> Report {
        let report = self.audit(expect).await;
        assert!(report.is_clean(), "{report:#?}");
        report
    }

    /// Raw SQL past the crate, as a superuser for whom triggers do not fire.
    pub(crate) async fn corrupt(&self, statements: &str) {
        let script =
            format!("set session_replication_role = replica; {statements}; reset session_replication_role");
        let mut connection = self.schema.pool().acquire().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(&mut *connection).await.unwrap();
    }

    /// Raw SQL that must be refused; returns the refusal.
    pub(crate) async fn refused(&self, statement: &str) -> String {
        let refused =
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned())).execute(self.schema.pool()).await;
        refused.expect_err(statement).to_string()
    }
}

/// The invariants that a report says are broken.
pub(crate) fn broken(report: &Report) -> BTreeSet<Invariant> {
    let broken = report.findings.iter().filter(|(_, finding)| finding.violations > 0);
    broken.map(|(invariant, _)| *invariant).collect()
}
