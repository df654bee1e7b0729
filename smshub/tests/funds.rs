//! Insufficient funds, at once and truly: many calls at once for one small balance, against the
//! real binary and its billing; by one process and by two; and what is accepted without a verdict.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use reqwest::StatusCode;
use serde_json::{Value, json};
use simulator::Settings;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testkit::gateway::{Customer, Gateway, Process};

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
const END: Duration = Duration::from_secs(60);

/// An operator that delivers everything at once: nothing is refunded.
fn operator() -> Settings {
    Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 50, ..Settings::default() }
}

async fn gateway(settings: &[(&str, &str)]) -> Gateway {
    let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator()).await;
    settings.iter().for_each(|(key, value)| gateway.set(key, value));
    gateway
}

/// One call: messages, and the lane. One message goes by its own endpoint.
#[derive(Clone, Copy, Debug)]
struct Call {
    messages: usize,
    lane: &'static str,
}

impl Call {
    fn price(self) -> i64 {
        let each = if self.lane == "express" { 1_500 } else { 1_000 };
        each * i64::try_from(self.messages).unwrap()
    }

    fn to(self) -> Vec<String> {
        (0..self.messages).map(|number| format!("0912000{number:04}")).collect()
    }

    /// Sends it. Returns what was accepted of it, as an amount.
    async fn send(self, customer: &Customer, process: &Process) -> i64 {
        let (path, body) = if self.messages == 1 {
            ("/v1/messages", json!({"to": self.to()[0], "text": "hello", "lane": self.lane}))
        } else {
            ("/v1/messages/bulk", json!({"to": self.to(), "text": "hello", "lane": self.lane}))
        };
        let (status, answer) = customer.post(process.api, path, &body).await.unwrap();
        match status {
            StatusCode::ACCEPTED => self.accepted(&answer),
            StatusCode::PAYMENT_REQUIRED => {
                assert_eq!(answer["code"], "insufficient_funds", "{answer}");
                assert_eq!(answer["required"], self.price(), "{answer}");
                assert!(answer["balance"].as_i64().unwrap() < self.price(), "{answer}");
                0
            }
            other => unreachable!("{other}: {answer}"),
        }
    }

    /// What the answer says agrees with itself, and with what was asked for.
    fn accepted(self, answer: &Value) -> i64 {
        let price = answer["price"].as_i64().unwrap();
        if self.messages == 1 {
            assert_eq!(price, self.price(), "{answer}");
            return price;
        }
        let count = |list: &str, of: fn(&Value) -> i64| -> i64 {
            answer[list].as_array().unwrap().iter().map(of).sum()
        };
        let accepted = answer["accepted"].as_i64().unwrap();
        assert_eq!(count("ranges", |range| range["count"].as_i64().unwrap()), accepted, "{answer}");
        let refused = count("rejected", |left_out| i64::from(left_out["code"] == "insufficient_funds"));
        assert_eq!(usize::try_from(accepted + refused).unwrap(), self.messages, "{answer}");
        assert_eq!(price * i64::try_from(self.messages).unwrap(), self.price() * accepted, "{answer}");
        assert!(accepted > 0, "{answer}");
        price
    }
}

/// Sends all calls at once, in turn by these processes. Returns what each accepted.
async fn at_once(customer: &Arc<Customer>, processes: &[Arc<Process>], calls: &[Call]) -> Vec<i64> {
    let sending: Vec<_> = calls
        .iter()
        .zip(processes.iter().cycle())
        .map(|(call, process)| {
            let (call, customer, process) = (*call, Arc::clone(customer), Arc::clone(process));
            tokio::spawn(async move { call.send(&customer, &process).await })
        })
        .collect();
    let mut accepted = Vec::new();
    for call in sending {
        accepted.push(call.await.unwrap());
    }
    accepted
}

/// The sum of a counter over its labels, and over processes.
async fn counted(processes: &[Arc<Process>], name: &str, label: &str) -> i64 {
    let mut sum = 0;
    for process in processes {
        let url = format!("http://{}/metrics", process.management);
        let text = testkit::http_client().get(&url).send().await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        sum += lines.map(|line| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap()).sum::<i64>();
    }
    sum
}

/// What the ledger took for a customer's messages.
async fn taken(gateway: &Gateway, customer: &Customer) -> i64 {
    sqlx::query_scalar("select coalesce(sum(cost), 0)::bigint from hold where account_id = $1")
        .bind(customer.account)
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap()
}

const LATER: &str = "smshub_ingest_refused_later_messages_total";

/// Waits until so many messages that were accepted are counted as refused later, and a moment in
/// which more would come.
async fn refused_later(processes: &[Arc<Process>], messages: i64) {
    testkit::until("what was refused later is counted", END, async || {
        counted(processes, LATER, "").await >= messages
    })
    .await;
    assert_eq!(counted(processes, LATER, "").await, messages);
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % end).unwrap()
    }

    fn call(&mut self) -> Call {
        let lane = ["express", "standard", "standard", "bulk"][self.below(4)];
        let single = Call { messages: 1, lane: if lane == "bulk" { "standard" } else { lane } };
        let many =
            Call { messages: 2 + self.below(300), lane: if lane == "express" { "bulk" } else { lane } };
        if self.below(4) > 0 { single } else { many }
    }
}

/// Equal calls: exactly as many are accepted as the balance covers, none of them is refused
/// later, and all others are told at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_balance_many_calls_and_one_process() {
    let gateway = gateway(&[]).await;
    let process = [Arc::new(gateway.start("all", "all").await)];
    let customer = Arc::new(gateway.customer(30_500));
    let accepted = at_once(&customer, &process, &[Call { messages: 1, lane: "standard" }; 120]).await;
    assert_eq!(accepted.iter().filter(|price| **price > 0).count(), 30);
    assert_eq!(taken(&gateway, &customer).await, 30_000, "what was accepted was judged at once");

    // A charge counts for the very next call, and a call for all that is left waits for the
    // verdict, which is that it is paid.
    gateway.must(&["account", "charge", &customer.account.to_string(), "1000"]);
    assert_eq!(Call { messages: 1, lane: "express" }.send(&customer, &process[0]).await, 1_500);
    assert!(counted(&process, "smshub_ingest_verdict_calls_total", "verdict=\"paid\"").await > 0);

    // Whatever is asked for: what is accepted is what is taken.
    for seed in 0..4 {
        let (mut random, balance) = (Random(seed), [40_000, 400_000][usize::try_from(seed % 2).unwrap()]);
        let customer = Arc::new(gateway.customer(balance));
        let calls: Vec<Call> = (0..100).map(|_| random.call()).collect();
        let accepted: i64 = at_once(&customer, &process, &calls).await.iter().sum();
        assert!(accepted <= balance, "seed {seed}: {accepted}");
        let all_is_taken = async || taken(&gateway, &customer).await == accepted;
        testkit::until(&format!("seed {seed}: {accepted} is taken"), END, all_is_taken).await;
    }
    gateway.quiescent(END).await;
    assert_eq!(counted(&process, LATER, "").await, 0, "nobody else takes from these balances");
    // Submissions by the operator: nothing that was refused went out.
    let paid: i64 = sqlx::query_scalar("select sum(paid)::bigint from hold")
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap();
    assert_eq!(gateway.submissions().len(), usize::try_from(paid).unwrap());
    gateway.close().await;
}

/// Two processes that do not know of each other's promises: never more is taken than paid for;
/// what was accepted is paid, but for what they count.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_balance_many_calls_and_two_processes() {
    let gateway = gateway(&[]).await;
    let processes =
        [Arc::new(gateway.start("all", "all").await), Arc::new(gateway.start("door", "ingest").await)];
    let customer = Arc::new(gateway.customer(30_500));
    let accepted = at_once(&customer, &processes, &[Call { messages: 1, lane: "standard" }; 120]).await;
    let accepted = i64::try_from(accepted.iter().filter(|price| **price > 0).count()).unwrap();
    gateway.quiescent(END).await;
    assert_eq!(taken(&gateway, &customer).await, 30_000);
    refused_later(&processes, accepted - 30).await;

    for seed in 10..14 {
        let (mut random, balance) = (Random(seed), [40_000, 400_000][usize::try_from(seed % 2).unwrap()]);
        let customer = Arc::new(gateway.customer(balance));
        // All messages of one price, so that amounts tell how many were refused later.
        let calls: Vec<Call> =
            (0..100).map(|_| random.call()).filter(|call| call.lane != "express").collect();
        let before = counted(&processes, LATER, "").await;
        let accepted: i64 = at_once(&customer, &processes, &calls).await.iter().sum();
        gateway.quiescent(END).await;
        let taken = taken(&gateway, &customer).await;
        assert!(taken <= balance, "seed {seed}: {taken}");
        refused_later(&processes, before + (accepted - taken) / 1_000).await;
    }
    gateway.must(&["audit", "--quiescent"]);
    gateway.close().await;
}

/// While nothing is billed there is no verdict: a call that is close is accepted after a time.
/// Two processes then accept more than there is; the ledger takes no more, and they count it.
/// A lane in which nothing is billed for long takes no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_verdict_a_call_is_accepted_and_what_is_refused_is_counted() {
    let settings = [("INGEST__FUNDS__VERDICT_MS", "300"), ("INGEST__FUNDS__BEHIND_MS__EXPRESS", "1000")];
    let gateway = gateway(&settings).await;
    let doors =
        [Arc::new(gateway.start("one", "ingest").await), Arc::new(gateway.start("two", "ingest").await)];
    let customer = Arc::new(gateway.customer(3_000));
    let (express, standard) = (Call { messages: 1, lane: "express" }, Call { messages: 3, lane: "standard" });
    assert_eq!(standard.send(&customer, &doors[0]).await, 3_000);
    assert_eq!(express.send(&customer, &doors[0]).await, 0, "its own promises are counted");
    assert_eq!(express.send(&customer, &doors[1]).await, 1_500);
    assert_eq!(express.send(&customer, &doors[1]).await, 1_500);

    // Express waits for longer than its lane may now; another lane goes on.
    let other = Arc::new(gateway.customer(100_000));
    let body = json!({"to": "09120000001", "text": "hello", "lane": "express"});
    testkit::until("express is overloaded", END, async || {
        let (status, answer) = customer.post(doors[1].api, "/v1/messages", &body).await.unwrap();
        (status.as_u16(), &answer["code"]) == (503, &json!("overloaded"))
    })
    .await;
    assert_eq!(Call { messages: 1, lane: "standard" }.send(&other, &doors[1]).await, 1_000);

    let billing = gateway.start("billing", "billing-consumer,sender,dlr-reconciler").await;
    gateway.quiescent(END).await;
    let taken = taken(&gateway, &customer).await;
    assert_eq!(taken, 3_000, "in whatever order the lanes were billed");
    let by_lane = async |lane: &str| -> i64 {
        sqlx::query_scalar(
            "select coalesce(sum(size - paid), 0)::bigint from hold where account_id = $1 and topic like '%' || $2",
        )
        .bind(customer.account)
        .bind(lane)
        .fetch_one(gateway.schema.pool())
        .await
        .unwrap()
    };
    let refused = by_lane("express").await + by_lane("standard").await;
    assert!(refused >= 2, "{refused}");
    refused_later(&doors, refused).await;
    assert_eq!(counted(&doors, LATER, "why=\"late\"").await, refused);

    // What was waited for is billed: express goes on.
    gateway.must(&["account", "charge", &customer.account.to_string(), "10000"]);
    testkit::until("express goes on", END, async || {
        let (status, _) = customer.post(doors[1].api, "/v1/messages", &body).await.unwrap();
        status == StatusCode::ACCEPTED
    })
    .await;
    gateway.quiescent(END).await;
    drop(billing);
    gateway.close().await;
}

/// An ample balance costs no round trip: between two refreshes as many calls as come are answered
/// by what was read before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ample_balance_is_not_read_for_a_call() {
    let gateway = gateway(&[]).await;
    let process = [Arc::new(gateway.start("all", "all").await)];
    let customer = Arc::new(gateway.customer(10_000_000));
    let one = Call { messages: 1, lane: "express" };
    one.send(&customer, &process[0]).await;
    at_once(&customer, &process, &[one; 200]).await;
    let reads = counted(&process, "smshub_ingest_balance_reads_total", "express").await;
    let answered = counted(&process, "smshub_ingest_funds_calls_total", "how=\"at_once\"").await;
    assert_eq!((reads, answered), (1, 200));
    gateway.quiescent(END).await;
    gateway.close().await;
}
