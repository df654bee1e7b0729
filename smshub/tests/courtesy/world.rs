//! A gateway of one customer, and what all of these tests ask.

use simulator::Settings;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use testkit::gateway::{Customer, Gateway, Process};

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
pub(crate) const END: Duration = Duration::from_secs(100);
pub(crate) const CHARGE: i64 = 10_000_000;

/// An operator that delivers everything, soon.
pub(crate) async fn gateway(settings: &[(&str, &str)]) -> Gateway {
    let operator =
        Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 100, ..Settings::default() };
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator).await;
    for (key, value) in settings {
        gateway.set(key, value);
    }
    gateway
}

pub(crate) async fn until(what: &str, condition: impl AsyncFnMut() -> bool) {
    testkit::until(what, END, condition).await;
}

/// Messages of an account by status.
pub(crate) async fn by_status(gateway: &Gateway, account: i64) -> BTreeMap<String, i64> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select status, sum(messages)::bigint from account_hour
         where account_id = $1 and status <> 'submitted' group by 1",
    )
    .bind(account)
    .fetch_all(gateway.schema.pool())
    .await
    .unwrap();
    rows.into_iter().filter(|(_, messages)| *messages > 0).collect()
}

/// What a customer has: nothing is held any more, and what was not delivered came back.
pub(crate) async fn assert_paid_for(customer: &Customer, process: &Process, delivered: i64) {
    let (_, balance) = customer.get(process.api, "/v1/balance").await.unwrap();
    assert_eq!((&balance["held"], &balance["balance"]), (&0.into(), &(CHARGE - delivered).into()));
}

/// Runs SQL as a person would.
pub(crate) async fn sql(gateway: &Gateway, statement: &'static str) {
    sqlx::query(statement).execute(gateway.schema.pool()).await.unwrap();
}
