//! Every fault that an operator may have: nothing is lost, nothing is sent twice but for
//! counted, deliberate resends, and what ends is charged as the policy says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde_json::Value;
use simulator::Settings;
use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::gateway::{Customer, Gateway, Process};

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(60);
/// Messages of a bulk call, and single ones beside it.
const BULK: usize = 150;
const SINGLE: usize = 5;

/// An operator that delivers everything, at once.
fn operator() -> Settings {
    Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 0, ..Settings::default() }
}

/// A gateway whose retries and probes are quick.
struct World {
    gateway: Gateway,
    process: Process,
    customer: Customer,
    /// Messages of all cases so far.
    sent: usize,
}

impl World {
    async fn new() -> Self {
        let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
        gateway.set("SENDER__CONNECTORS__MAGFA__CALL_TIMEOUT_MS", "1000");
        gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__LOOK_UPS_PER_SECOND", "1000");
        gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__BREAKER_FIRST_MS", "50");
        gateway.set("SENDER__CONNECTORS__MAGFA__LIMITS__BREAKER_LONGEST_MS", "100");
        gateway.set("SENDER__RETRY_FIRST_MS", "200");
        gateway.set("SENDER__RETRY_LONGEST_MS", "500");
        gateway.set("SENDER__TRIES_MAX", "100");
        gateway.set("SENDER__POLL_AGAIN_AFTER_MS", "2000");
        gateway.set("SENDER__DEFER_AFTER_MS", "100");
        gateway.set("SENDER__DEFERRED_LOOK_MS", "100");
        let process = gateway.start("all", "all").await;
        let customer = gateway.customer(100_000_000);
        World { gateway, process, customer, sent: 0 }
    }

    fn faults(&self, rules: &str) {
        self.gateway.operator.set_faults_json(rules.as_bytes()).expect("the rules are right");
    }

    /// Sends a campaign and some single messages.
    async fn send(&mut self) -> Vec<i64> {
        let api = self.process.api;
        let mut ids = self.customer.send_bulk(api, self.sent, BULK).await.unwrap();
        for number in 0..SINGLE {
            ids.extend(self.customer.send(api, self.sent + BULK + number, "express").await.unwrap());
        }
        self.sent += BULK + SINGLE;
        assert_eq!(ids.len(), BULK + SINGLE, "all are accepted");
        ids
    }

    /// How often the operator took each message.
    fn taken(&self) -> HashMap<i64, usize> {
        testkit::gateway::taken(&self.gateway.operator)
    }

    async fn message(&self, id: i64) -> Value {
        let (status, message) =
            self.customer.get(self.process.api, &format!("/v1/messages/{id}")).await.unwrap();
        assert_eq!(status, 200, "{message}");
        message
    }

    /// Whether a message is recorded, and stands so.
    async fn stands(&self, id: i64, status: &str) -> bool {
        let path = format!("/v1/messages/{id}");
        self.customer.get(self.process.api, &path).await.unwrap().1["status"] == status
    }

    /// After all has come to rest: each message taken once, or as often as `times` permits, and
    /// in this status, charged or refunded accordingly.
    async fn ended(&self, case: &str, ids: &[i64], status: &str, times: std::ops::RangeInclusive<usize>) {
        self.gateway.quiescent(END).await;
        let taken = self.taken();
        for id in ids {
            let count = taken.get(id).copied().unwrap_or(0);
            assert!(times.contains(&count), "{case}: message {id} was taken {count} times");
        }
        for id in ids.iter().step_by(7) {
            let message = self.message(*id).await;
            assert_eq!(message["status"], status, "{case}: {message}");
            let refunded = if status == "delivered" { Value::from(0) } else { message["price"].clone() };
            assert_eq!(message["refunded"], refunded, "{case}: {message}");
        }
    }

    /// What `/readyz` says of alarms, by code.
    async fn has_alarm(&self, code: &str) -> bool {
        let url = format!("http://{}/readyz", self.process.management);
        let answer = testkit::http_client().get(url).send().await.unwrap();
        assert!(answer.status().is_success(), "an alarm of a connector does not make it unready");
        let report: Value = answer.json().await.unwrap();
        report["alarms"].as_array().is_some_and(|alarms| alarms.iter().any(|alarm| alarm["code"] == code))
    }

    async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + END;
        while !condition().await {
            assert!(
                Instant::now() < deadline,
                "{what}: not within {END:?}\n{}",
                self.gateway.must(&["dead", "list"])
            );
            tokio::time::sleep(Duration::from_millis(20)).await; // a look, not a hope: see the deadline
        }
    }
}

/// Faults after which every message is delivered, and was taken exactly once.
const ENDS_WELL: [(&str, &str); 17] = [
    ("timeout before taking", r#"[{"fault":"timeout_before","to":100,"delay_ms":3000}]"#),
    ("timeout after taking", r#"[{"fault":"timeout_after","to":100,"delay_ms":3000}]"#),
    ("reset in mid-answer", r#"[{"fault":"reset_after","to":120}]"#),
    ("500 before taking", r#"[{"fault":"error_500_before","to":50}]"#),
    ("500 after taking", r#"[{"fault":"error_500_after","to":120}]"#),
    ("partial", r#"[{"fault":"partial","probability":0.4,"to":160}]"#),
    ("duplicated", r#"[{"fault":"duplicated"}]"#),
    ("reordered", r#"[{"fault":"reordered"}]"#),
    ("garbage", r#"[{"fault":"garbage","probability":0.5,"to":160}]"#),
    ("a throttle storm", r#"[{"fault":"throttle","for_ms":1500}]"#),
    ("throttled by HTTP", r#"[{"fault":"throttle","code":429,"to":100}]"#),
    ("dead for a while", r#"[{"fault":"dead","for_ms":1500}]"#),
    ("hanging for a while", r#"[{"fault":"hang","for_ms":1500}]"#),
    ("receipts early", r#"[{"fault":"receipt_early","delay_ms":300}]"#),
    ("receipts late", r#"[{"fault":"receipt_late","delay_ms":1500}]"#),
    (
        "receipts twice, and of nobody",
        r#"[{"fault":"receipt_twice","probability":0.5},{"fault":"receipt_unknown"}]"#,
    ),
    ("the operator's clock is an hour off", r#"[{"fault":"clock_off"}]"#),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_arrives_once_whatever_the_operator_does() {
    let mut world = World::new().await;
    for (case, rules) in ENDS_WELL {
        eprintln!("{case}");
        world.faults(rules);
        let ids = world.send().await;
        world.ended(case, &ids, "delivered", 1..=1).await;
        world.faults("[]");
    }
    assert!(world.process.stop().await, "a clean stop");
    world.gateway.must(&["audit", "--quiescent"]);
    world.gateway.close().await;
}

/// What was taken unheard is found out by asking again, also where asking fails for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_and_polls_that_fail_are_made_again() {
    let mut world = World::new().await;
    world.faults(
        r#"[{"fault":"timeout_after","to":100,"delay_ms":3000},
            {"fault":"error_500_before","on":"mid","to":30},
            {"fault":"garbage","on":"statuses","to":50}]"#,
    );
    let ids = world.send().await;
    world.ended("look-ups fail", &ids, "delivered", 1..=1).await;
    assert!(world.process.stop().await, "a clean stop");
    world.gateway.must(&["audit", "--quiescent"]);
    world.gateway.close().await;
}

/// Codes of single messages that end them, with the status they end in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn final_refusals_are_refunded() {
    let mut world = World::new().await;
    for (code, status) in [(1, "failed"), (8, "failed"), (28, "failed"), (27, "blocked"), (33, "blocked")] {
        world.faults(&format!(r#"[{{"fault":"refuse","code":{code}}}]"#));
        let ids = world.send().await;
        world.ended(&format!("code {code}"), &ids, status, 0..=0).await;
    }
    assert!(world.process.stop().await, "a clean stop");
    world.gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_configuration_stops_the_connector_until_a_person_resumes_it() {
    let mut world = World::new().await;
    world.faults(r#"[{"fault":"credit"}]"#);
    let ids = world.send().await;
    world.until("it is stopped", async || world.has_alarm("connector_stopped").await).await;
    world
        .until("the table knows", async || {
            world.gateway.must(&["connector", "status"]).contains("STOPPED since")
        })
        .await;
    // Our credit is charged: still nothing goes before a person says so.
    world.faults("[]");
    let before = world.gateway.operator.remembered().len();
    let restarted = world.gateway.start("other", "all").await;
    world
        .until("the other process knows", async || {
            let url = format!("http://{}/readyz", restarted.management);
            let report: Value = testkit::http_client().get(url).send().await.unwrap().json().await.unwrap();
            report.to_string().contains("connector_stopped")
        })
        .await;
    assert!(world.taken().is_empty() && world.gateway.operator.remembered().len() <= before + 1);
    world.gateway.must(&["connector", "resume", "magfa"]);
    world.ended("resumed", &ids, "delivered", 1..=1).await;
    world.until("the alarm is over", async || !world.has_alarm("connector_stopped").await).await;
    assert!(restarted.stop().await && world.process.stop().await, "a clean stop");
    world.gateway.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_wait_for_a_person() {
    let mut world = World::new().await;
    world.faults(r#"[{"fault":"refuse","code":31}]"#);
    let ids = world.send().await;
    let listed = async || world.gateway.must(&["dead", "list"]).lines().count();
    // The campaign is one chunk, each single message one of its own.
    world.until("all are listed", async || listed().await == 1 + SINGLE).await;
    world.until("it is alarmed", async || world.has_alarm("dead_letters").await).await;
    let text =
        world.gateway.must(&["dead", "list"]) + &world.gateway.must(&["dead", "show", &ids[0].to_string()]);
    assert!(text.contains("code 31") && !text.contains("0912000") && !text.contains("سلام"), "{text}");
    assert!(world.gateway.must(&["dead", "requeue", "--code", "31"]).contains("say --yes"));
    assert!(world.taken().is_empty());
    // The campaign is dropped, the codes are sent again.
    world.faults("[]");
    let (campaign, codes) = ids.split_at(BULK);
    world.gateway.must(&["dead", "drop", "--lane", "bulk", "--yes"]);
    world.gateway.must(&["dead", "requeue", "--lane", "express", "--yes"]);
    world.ended("requeued", codes, "delivered", 1..=1).await;
    world.ended("dropped", campaign, "failed", 0..=0).await;
    assert_eq!(world.gateway.must(&["dead", "list"]), "no dead letters");
    assert!(world.process.stop().await, "a clean stop");
    world.gateway.close().await;
}

/// A chunk with several dead letters: what is ordered of one of them changes no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_chunk_with_dead_letters_one_is_dropped_and_one_sent_again() {
    let world = World::new().await;
    world.faults(r#"[{"fault":"refuse","code":31}]"#);
    let ids = world.customer.send_bulk(world.process.api, 0, 5).await.unwrap();
    let listed = async |what: &str| world.gateway.must(&["dead", "list"]).contains(what);
    world.until("all five are listed", async || listed("5 × code 31  since").await).await;
    world.faults("[]");
    let order = |verb: &str, id: i64| world.gateway.must(&["dead", verb, &id.to_string(), "--yes"]);
    assert!(order("drop", ids[1]).contains("1 message in 1 chunk will be dropped"));
    world.until("one is dropped", async || listed("4 × code 31  since").await).await;
    assert!(order("requeue", ids[3]).contains("1 message in 1 chunk will be sent again"));
    world.until("one is sent again", async || listed("3 × code 31  since").await).await;
    world.until("the one is failed", async || world.stands(ids[1], "failed").await).await;
    world.until("the other is delivered", async || world.stands(ids[3], "delivered").await).await;
    let dropped = world.message(ids[1]).await;
    assert!(dropped["refunded"] == dropped["price"] && dropped["price"] != 0, "{dropped}");
    for left in [ids[0], ids[2], ids[4]] {
        let message = world.message(left).await;
        assert!(message["status"] == "queued" && message["refunded"] == 0, "{message}");
    }
    assert_eq!(world.taken(), [(ids[3], 1)].into(), "nothing else was sent");
    // Neither is a dead letter any more, and a sixth message there never was.
    for (id, says) in [
        (ids[1], "is no dead letter"),
        (ids[3], "is no dead letter"),
        (ids[4] + 1, "its chunk has 5 messages"),
    ] {
        for verb in ["drop", "requeue"] {
            let refused = world.gateway.run(&["dead", verb, &id.to_string(), "--yes"]);
            let error = String::from_utf8_lossy(&refused.stderr);
            assert!(refused.status.code() == Some(1) && error.contains(says), "{verb} {id}: {error}");
        }
    }
    assert!(listed("3 × code 31  since").await);
    world.gateway.must(&["dead", "drop", "--chunk", &ids[0].to_string(), "--yes"]);
    world.ended("dropped", &[ids[0], ids[1], ids[2], ids[4]], "failed", 0..=0).await;
    world.ended("sent again", &[ids[3]], "delivered", 1..=1).await;
    assert!(world.process.stop().await, "a clean stop");
    world.gateway.must(&["audit", "--quiescent"]);
    world.gateway.close().await;
}

/// Whom nobody helps expires by itself when the time is over, and is refunded.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_expires_when_its_time_is_over() {
    let mut world = World::new().await;
    world.customer = world.gateway.customer(1_000_000).with_ttl(30);
    world.faults(r#"[{"fault":"refuse","code":31}]"#);
    let mut ids = world.customer.send_bulk(world.process.api, 0, 3).await.unwrap();
    ids.extend(world.customer.send(world.process.api, 3, "express").await.unwrap());
    assert_eq!(ids.len(), 4, "all are accepted");
    let listed = async || world.gateway.must(&["dead", "list"]).lines().count();
    world.until("both chunks are listed", async || listed().await == 2).await;
    for id in &ids {
        world.until("they are recorded", async || world.stands(*id, "queued").await).await;
    }
    // From now on the operator would take it: nobody asked for that.
    world.faults("[]");
    for id in &ids {
        world.until("they expire", async || world.stands(*id, "expired").await).await;
    }
    world.ended("expired", &ids, "expired", 0..=0).await;
    for id in &ids {
        let message = world.message(*id).await;
        assert!(message["status"] == "expired" && message["refunded"] == message["price"], "{message}");
    }
    assert_eq!(world.gateway.must(&["dead", "list"]), "no dead letters");
    let account = world.gateway.must(&["account", "show", &world.customer.account.to_string()]);
    let words: Vec<&str> = account.split_whitespace().collect();
    for shown in [["balance", "1000000"], ["held", "0"]] {
        assert!(words.windows(2).any(|pair| pair == shown), "{account}");
    }
    assert!(world.process.stop().await, "a clean stop");
    world.gateway.must(&["audit", "--quiescent"]);
    world.gateway.close().await;
}
