//! What a message says, and to whom, stands in no log line, in nothing that commands print, and
//! not in the table `deferred` once the message is final: whatever became of it.

use crate::world::{CHARGE, END, gateway, until};
use platform::kafka::producer::{Acks, Producer};
use platform::kafka::topics::{Stage, Topics};
use serde_json::json;
use testkit::gateway::{Customer, Gateway, Process};

/// The login code of all texts here.
const CODE: &str = "58213947";
/// How all numbers here begin, national and international.
const NUMBERS: [&str; 2] = ["0912000", "912000"];

async fn send(customer: &Customer, process: &Process, number: &str) -> i64 {
    let body =
        json!({"to": number, "text": format!("کد ورود: {CODE}"), "lane": "express", "reference": CODE});
    let (status, answer) = customer.post(process.api, "/v1/messages", &body).await.unwrap();
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().unwrap().parse().unwrap()
}

/// Requests that are refused, each for another reason.
async fn refused(customer: &Customer, poor: &Customer, process: &Process) {
    let long = CODE.repeat(400);
    for (path, body) in [
        ("/v1/messages", json!({"to": "09120001", "text": CODE})),
        ("/v1/messages", json!({"to": "09120000001", "text": long})),
        ("/v1/messages", json!({"to": "09120000001", "text": CODE, "from": CODE, CODE: 1})),
        ("/v1/messages", json!({"to": "09120000001", "text": [CODE], "lane": CODE})),
        ("/v1/messages", json!(format!("09120000001 {CODE}"))),
        ("/v1/messages", json!({"to": "09120000009", "text": CODE})),
        ("/v1/messages/bulk", json!({"text": CODE, "to": ["09120001", "09120000009"]})),
        ("/v1/messages/preview", json!({"to": "0912000", "text": CODE})),
        ("/v1/opt-outs", json!({"number": "09120001"})),
    ] {
        let (status, answer) = customer.post(process.api, path, &body).await.unwrap();
        assert_eq!(status, 400, "{path} {answer}");
    }
    let body = json!({"to": "09120000001", "text": CODE});
    let (status, _) = poor.post(process.api, "/v1/messages", &body).await.unwrap();
    assert_eq!(status, 402);
}

/// A record that nobody can read is parked.
async fn park(gateway: &Gateway, account: i64) {
    let producer = Producer::new(&gateway.kafka, 0).unwrap();
    let topics = Topics::new(&gateway.kafka.topic_prefix, 1);
    let topic = topics.of(Stage::Submitted, domain::lane::Lane::Express);
    let partition = domain::partition::of_account(account, gateway.kafka.partitions);
    let (acks, acknowledged) = Acks::new(1);
    let record = format!("to 09120000001: {CODE}");
    producer.send(&topic, partition, record.as_bytes(), acks.delivered()).unwrap();
    acknowledged.await.unwrap().unwrap();
}

fn assert_silent(what: &str, text: &str) {
    for secret in [CODE].into_iter().chain(NUMBERS) {
        let line = text.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{what} has {secret}");
    }
}

async fn records_of_deferred(gateway: &Gateway, chunks: &[i64]) -> i64 {
    sqlx::query_scalar("select count(*) from deferred where chunk_id = any($1) and record <> ''")
        .bind(chunks)
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_codes_stand_nowhere_but_where_they_must() {
    let settings = [("LOG__FILTER", "debug"), ("SENDER__DEFER_AFTER_MS", "200"), ("SENDER__TRIES_MAX", "2")];
    let gateway = gateway(&settings).await;
    let (customer, poor) = (gateway.customer(CHARGE), gateway.customer(1));
    // Refused for good; as wrongly asked; "too much"; an answer that never comes.
    gateway
        .operator
        .set_faults_json(
            br#"[{"fault":"refuse","code":27,"recipient_suffix":"11"},
                 {"fault":"refuse","code":3,"recipient_suffix":"13"},
                 {"fault":"timeout_after","recipient_suffix":"15","delay_ms":4000},
                 {"fault":"throttle","to":2}]"#,
        )
        .unwrap();
    let process = gateway.start("all", "all").await;
    let account = customer.account.to_string();
    gateway.must(&["opt-out", "add", "--account", &account, "09120000009"]);
    park(&gateway, customer.account).await;
    // One after the other: messages of one call would share what becomes of the call.
    let mut ids = Vec::new();
    for number in ["09120000001", "09120000011", "09120000013", "09120000015"] {
        let id = send(&customer, &process, number).await;
        until("it has ended, or waits for a person", async || {
            let (_, message) = customer.get(process.api, &format!("/v1/messages/{id}")).await.unwrap();
            let dead = number.ends_with("13") && records_of_deferred(&gateway, &[id & !255]).await == 1;
            message["final_at"].is_string() || dead
        })
        .await;
        ids.push(id);
    }
    refused(&customer, &poor, &process).await;
    let chunks: Vec<i64> = ids.iter().map(|id| id & !255).collect();
    assert_eq!(records_of_deferred(&gateway, &chunks[2..3]).await, 1);
    let dead = ids[2].to_string();
    let mut printed = vec![
        gateway.must(&["dead", "list"]),
        gateway.must(&["dead", "list", "--waiting"]),
        gateway.must(&["dead", "show", &dead]),
        gateway.must(&["connector", "status"]),
        gateway.must(&["audit"]),
    ];
    assert!(printed[0].contains("code 3"), "{printed:?}");
    printed.extend(ids.iter().map(|id| gateway.must(&["trace", &id.to_string()])));
    gateway.must(&["dead", "drop", &dead, "--yes"]);
    gateway.quiescent(END).await;
    assert_eq!(records_of_deferred(&gateway, &chunks).await, 0, "all of them are final");

    printed.iter().for_each(|printed| assert_silent("a command", printed));
    let log = process.whole_log();
    assert!(log.contains("\"submitted\"") && log.contains("DEBUG"), "that is the log");
    assert_silent("the log", &log);
    let metrics = format!("http://{}/metrics", process.management);
    let metrics = testkit::http_client().get(metrics).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("smshub_sender_outcomes_total"));
    assert_silent("metrics", &metrics);
    assert!(process.stop().await);
    gateway.close().await;
}
