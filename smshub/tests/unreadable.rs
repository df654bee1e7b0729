//! A stored position that Kafka does not have: its partition stops in each role, with an
//! alarm that says what is the matter, and everything else goes on.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use simulator::Settings;
use sqlx::PgPool;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use testkit::gateway::Gateway;
use tokio::time::timeout;
use uuid::Uuid;

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(60);
/// Beyond the end of every partition here.
const BEYOND: i64 = 7;

/// Partitions by role that a process holds.
async fn held(pool: &PgPool, process: Uuid) -> BTreeMap<String, Vec<i32>> {
    let rows: Vec<(String, Vec<i32>)> = sqlx::query_as(
        "select role, array_agg(partition order by partition) from ownership where process = $1 group by 1",
    )
    .bind(process)
    .fetch_all(pool)
    .await
    .unwrap();
    rows.into_iter().collect()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(END, waiting).await.is_ok(), "not in time: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_partition_stops_in_each_role_and_no_process() {
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, Settings::default()).await;
    let (pool, customer) = (gateway.schema.pool(), gateway.customer(10_000_000));
    let first = gateway.start("first", "all").await;
    until("the first holds everything", async || {
        let held: i64 = sqlx::query_scalar("select count(*) from ownership where process is not null")
            .fetch_one(pool)
            .await
            .unwrap();
        held == 3 * 4
    })
    .await;
    let process: Uuid =
        sqlx::query_scalar("select process from ownership limit 1").fetch_one(pool).await.unwrap();
    let second = gateway.start("second", "all").await;
    until("it gives half to the second", async || {
        held(pool, process).await.values().all(|partitions| partitions.len() == 2)
    })
    .await;

    // Of what the first holds, in each role a partition that the customer is not in. A start
    // would refuse this: it has to happen while they run.
    let its_own = domain::partition::of_account(customer.account, 4);
    let mut expected = Vec::new();
    for (role, partitions) in held(pool, process).await {
        let partition = *partitions.iter().find(|partition| **partition != its_own).unwrap();
        let stage = if role == "billing-consumer" { "submitted" } else { "billed" };
        let topic: String = sqlx::query_scalar(
            "update position set next_offset = $1, published = $1
             where role = $2 and partition = $3 and topic like '%sms.' || $4 || '.bulk' returning topic",
        )
        .bind(BEYOND)
        .bind(&role)
        .bind(partition)
        .bind(stage)
        .fetch_one(pool)
        .await
        .unwrap();
        let (code, subject) = match role.as_str() {
            "billing-consumer" => ("billing_cannot_read", format!("bulk/{partition}")),
            "sender" => ("sender_cannot_read", format!("bulk/{partition}")),
            _ => ("dlr_reconciler_cannot_read", format!("{topic}/{partition}")),
        };
        let detail = format!(
            "{topic}/{partition}: offset {BEYOND} is next, and the topic ends at 0: Kafka lost its tail. Do not \
             move the position"
        );
        expected.push((code.to_owned(), subject, detail));
    }
    expected.sort();
    first.kill();
    let alarms = async || {
        let (status, report) = customer.get(second.management, "/readyz").await.unwrap();
        assert_eq!(status, 200, "alarms do not change readiness: {report}");
        let text = |alarm: &serde_json::Value, key: &str| alarm[key].as_str().unwrap().to_owned();
        let alarms = report["alarms"].as_array().unwrap().iter();
        alarms
            .map(|alarm| (text(alarm, "code"), text(alarm, "subject"), text(alarm, "detail")))
            .collect::<Vec<_>>()
    };
    until("each role says so", async || alarms().await.len() == 3).await;
    assert_eq!(alarms().await, expected);

    let many = customer.send_bulk(second.api, 1, 300).await.unwrap();
    let one = customer.send(second.api, 2, "express").await.unwrap();
    assert_eq!((many.len(), one.is_some()), (300, true));
    gateway.quiescent(END).await;
    assert_eq!(gateway.submissions().len(), 301);
    assert!(second.stop().await, "a clean stop");
    let moved: i64 = sqlx::query_scalar("select count(*) from position where next_offset = $1")
        .bind(BEYOND)
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(moved, 3, "nothing is skipped");
}
