//! A client that was written for the old gateway, in Python, against the real binary: paths,
//! shapes, leniency and errors are what it knows (`old.py`, one function a case). Afterwards the
//! operator, the books and the tables are asked whether what it was told is true.

use crate::world::{BINARY, run, tool};
use serde_json::{Value, json};
use simulator::Settings;
use std::path::Path;
use std::time::Duration;
use testkit::gateway::Gateway;
use tokio::process::Command;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/old.py");
const LIMIT: Duration = Duration::from_secs(240);
const END: Duration = Duration::from_secs(60);
/// Magfa's word for a recipient on the blacklist.
const BLACKLISTED: u16 = 27;

/// A customer with some money and a key.
fn account(gateway: &Gateway, charge: i64, scopes: &str) -> (i64, String) {
    let id = gateway.must(&["account", "create", "--name", "old", "--line", "100002"]);
    if charge > 0 {
        gateway.must(&["account", "charge", &id, &charge.to_string()]);
    }
    let key = key(gateway, &id, scopes);
    (id.parse().expect("an id"), key)
}

fn key(gateway: &Gateway, account: &str, scopes: &str) -> String {
    gateway.must(&["key", "create", "--account", account, "--scope", scopes])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_the_old_gateway_go_on_working() {
    let operator = Settings {
        delivery_ratio: 0.7,
        delivery_min_ms: 0,
        delivery_max_ms: 200,
        refuse_ratio: 0.2,
        refuse_code: BLACKLISTED,
        ..Settings::default()
    };
    let gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator).await;
    let (user, send_key) = account(&gateway, 10_000_000, "send,read");
    let (other, other_key) = account(&gateway, 10_000_000, "send,read");
    let (poor, poor_key) = account(&gateway, 0, "send,read,charge");
    let (slow, slow_key) = account(&gateway, 1_000_000, "send,read");
    let (_, admin_key) = account(&gateway, 0, "admin");
    sqlx::query("update account set express_rate_limit_per_minute = 2 where id = $1")
        .bind(slow)
        .execute(gateway.schema.pool())
        .await
        .expect("Postgres answers");
    let process = gateway.start("all", "all").await;

    let world = json!({
        "url": format!("http://{}", process.api),
        "user": user, "key": send_key, "charge_key": key(&gateway, &user.to_string(), "charge"),
        "other": other, "other_key": other_key,
        "poor": poor, "poor_key": poor_key,
        "slow": slow, "slow_key": slow_key,
        "admin_key": admin_key,
    });
    let mut client = Command::new(tool("python/bin/python"));
    let said = run(client.args([CLIENT, &world.to_string()]).env("NO_PROXY", "*"), LIMIT).await;
    gateway.quiescent(END).await;

    // What was refused for lack of money was not sent, and nothing else was left out.
    let told: Value = serde_json::from_str(said.lines().last().expect("a line")).expect("what it sent");
    let sent = told["sent"].as_object().expect("by user");
    assert_eq!(sent[&poor.to_string()], 5);
    let all: i64 = sent.values().map(|count| count.as_i64().expect("a number")).sum();
    let submissions = gateway.submissions();
    assert!(submissions.values().all(|times| *times == 1), "{submissions:?}");
    assert_eq!(i64::try_from(submissions.len()).unwrap(), all, "{told}");
    assert!(process.stop().await, "a clean stop");
    gateway.must(&["audit", "--quiescent"]);
    gateway.close().await;
}
