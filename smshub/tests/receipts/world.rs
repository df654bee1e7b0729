//! A gateway, an operator and customers, and what must be true of them at the end.

use domain::id::MessageId;
use domain::status::{MessageState, STATE_BYTES, Status};
use serde_json::{Value, json};
use simulator::Settings;
use simulator::fate::{Fate, Outcome};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use testkit::gateway::{Customer, Gateway, Process};

const BINARY: &str = env!("CARGO_BIN_EXE_smshub");
/// How long anything may take.
pub(crate) const END: Duration = Duration::from_secs(100);
/// What the operator sends in `X-Receipt-Secret`.
pub(crate) const SECRET: &str = "the-secret-of-magfa";
/// What a customer of these tests has.
pub(crate) const CHARGE: i64 = 100_000_000;
/// Customers: so many that several partitions have work.
const CUSTOMERS: usize = 3;

/// Everything but the processes.
pub(crate) struct World {
    pub(crate) gateway: Gateway,
    pub(crate) customers: Vec<Arc<Customer>>,
    /// What was accepted so far, by message.
    pub(crate) sent: HashMap<i64, Sent>,
    /// In which status what was sent came to its end.
    pub(crate) due: HashMap<i64, Status>,
    calls: usize,
}

/// A message that was accepted.
#[derive(Clone, Copy)]
pub(crate) struct Sent {
    /// Which of the customers sent it.
    pub(crate) by: usize,
    /// What it costs.
    pub(crate) price: i64,
}

/// An operator of which half of the messages are delivered, all within a moment.
pub(crate) fn operator() -> Settings {
    Settings { delivery_ratio: 0.5, delivery_min_ms: 0, delivery_max_ms: 200, ..Settings::default() }
}

/// The price of a message of one segment.
pub(crate) fn price(lane: &str) -> i64 {
    if lane == "express" { 1_500 } else { 1_000 }
}

impl World {
    /// A gateway that is quick to store what it hears, with these settings besides.
    pub(crate) async fn new(operator: Settings, settings: &[(&str, &str)]) -> Self {
        let mut gateway = Gateway::new(Path::new(BINARY), &ledger::MIGRATIONS, operator).await;
        let quick = [
            ("INGEST__RECEIPTS__MAGFA__SECRET", SECRET),
            ("SENDER__POLL_AGAIN_AFTER_MS", "2000"),
            ("DLR_RECONCILER__EXPRESS_FLUSH_MS", "50"),
            ("DLR_RECONCILER__STANDARD_FLUSH_MS", "100"),
            ("DLR_RECONCILER__BULK_FLUSH_MS", "100"),
            ("DLR_RECONCILER__RECEIPTS_FLUSH_MS", "100"),
            ("DLR_RECONCILER__PENDING_EVERY_MS", "500"),
        ];
        for (key, value) in quick.iter().chain(settings) {
            gateway.set(key, value);
        }
        let customer = |_| Arc::new(gateway.customer(CHARGE));
        let customers = (0..CUSTOMERS).map(customer).collect();
        World { gateway, customers, sent: HashMap::new(), due: HashMap::new(), calls: 0 }
    }

    /// All that is sent from now on must be handed over within so many seconds.
    pub(crate) fn set_ttl(&mut self, seconds: u32) {
        let customer =
            |of: Arc<Customer>| Arc::new(Arc::into_inner(of).expect("nobody else").with_ttl(seconds));
        self.customers = std::mem::take(&mut self.customers).into_iter().map(customer).collect();
    }

    /// From now on the operator pushes final statuses to this process.
    pub(crate) fn pushes_to(&self, process: &Process) {
        let push_url = format!("http://{}/receipts/magfa", process.api);
        let settings = self.gateway.operator.settings();
        let settings = Settings { push_url, push_secret: SECRET.to_owned(), push_retry_ms: 100, ..settings };
        self.gateway.operator.set(settings).expect("the settings are right");
    }

    pub(crate) fn faults(&self, rules: &str) {
        self.gateway.operator.set_faults_json(rules.as_bytes()).expect("the rules are right");
    }

    /// Each customer sends a campaign, and some messages one by one in the other lanes.
    pub(crate) async fn send(&mut self, api: SocketAddr, bulk: usize, each: usize) -> Vec<i64> {
        let mut ids = Vec::new();
        for by in 0..CUSTOMERS {
            let customer = Arc::clone(&self.customers[by]);
            self.calls += bulk + 2 * each;
            let campaign = customer.send_bulk(api, self.calls, bulk).await.unwrap();
            ids.extend(campaign.into_iter().map(|id| (id, Sent { by, price: price("bulk") })));
            for k in 0..each {
                for lane in ["express", "standard"] {
                    let id = accepted(&customer, api, self.calls + k, lane).await;
                    ids.push((id, Sent { by, price: price(lane) }));
                }
            }
        }
        assert_eq!(ids.len(), CUSTOMERS * (bulk + 2 * each), "all are accepted");
        self.sent.extend(ids.iter().copied());
        ids.into_iter().map(|(id, _)| id).collect()
    }

    /// Pushes the same of all these messages, as the operator does.
    pub(crate) async fn push(&self, api: SocketAddr, ids: &[i64], code: i16) {
        let body: Vec<Value> = ids.iter().map(|id| json!({"uid": id, "status": code})).collect();
        self.push_said(api, &body).await;
    }

    /// The same in whatever words.
    pub(crate) async fn push_said(&self, api: SocketAddr, body: &[Value]) {
        let request = testkit::http_client().post(format!("http://{api}/receipts/magfa"));
        let answer = request.header("x-receipt-secret", SECRET).json(body).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"receipts": body.len()}));
    }

    /// What each of these messages is due to end in, all of which the operator took.
    pub(crate) fn by_fate(&self, ids: &[i64]) -> HashMap<i64, Status> {
        let status = |id: i64| match self.fate(id) {
            Fate::Accepted { outcome: Outcome::Delivered, .. } => Status::Delivered,
            Fate::Accepted { .. } => Status::Undelivered,
            Fate::Refused(code) => panic!("{id} was refused: {code}"),
        };
        ids.iter().map(|id| (*id, status(*id))).collect()
    }

    /// What the operator decided about a message.
    pub(crate) fn fate(&self, id: i64) -> Fate {
        self.gateway.operator.submissions(id).last().expect("it was submitted").2
    }

    /// The stored states of these messages, in open tables or history; of those that nothing
    /// was heard of yet, none.
    pub(crate) async fn states(&self, ids: &[i64]) -> HashMap<i64, MessageState> {
        let chunks: Vec<i64> = ids.iter().map(|id| id & !255).collect();
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("select chunk_id, states from all_chunk_state where chunk_id = any($1)")
                .bind(chunks)
                .fetch_all(self.gateway.schema.pool())
                .await
                .unwrap();
        let rows: HashMap<i64, Vec<u8>> = rows.into_iter().collect();
        let state = |id: &i64| {
            let states = rows.get(&(id & !255))?.as_chunks::<STATE_BYTES>().0;
            let bytes = states.get(usize::from(MessageId::new(*id)?.index()))?;
            (*bytes != [0; STATE_BYTES]).then(|| (*id, MessageState::from_bytes(*bytes).unwrap()))
        };
        ids.iter().filter_map(state).collect()
    }

    /// Waits until the states of all these messages are so.
    pub(crate) async fn until(&self, what: &str, ids: &[i64], is: impl Fn(&MessageState) -> bool) {
        let all = async || {
            let states = self.states(ids).await;
            ids.iter().all(|id| states.get(id).is_some_and(&is))
        };
        until(what, all).await;
    }

    pub(crate) async fn until_final(&self, ids: &[i64]) {
        self.until("all are final", ids, |state| state.status().is_final()).await;
    }

    /// Waits until of each of these messages a receipt is recorded that contradicts its end.
    pub(crate) async fn until_late(&self, ids: &[i64]) {
        self.until("the late receipts are recorded", ids, MessageState::late_receipt).await;
    }

    /// Waits until no receipt waits for what it belongs to any more.
    pub(crate) async fn until_none_waits(&self) {
        until("no receipt waits", async || self.pending().await == 0).await;
    }

    /// Receipts that wait for what they belong to.
    pub(crate) async fn pending(&self) -> i64 {
        self.count("select count(*) from pending_receipt").await
    }

    pub(crate) async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.gateway.schema.pool()).await.unwrap()
    }

    /// Stops the processes, which must be clean, and looks into the books once more.
    pub(crate) async fn end(self, processes: Vec<Process>) {
        for process in processes {
            assert!(process.stop().await, "a clean stop");
        }
        self.gateway.must(&["audit", "--quiescent"]);
        self.gateway.close().await;
    }
}

/// Sends a message, which must be accepted.
pub(crate) async fn accepted(customer: &Customer, api: SocketAddr, number: usize, lane: &str) -> i64 {
    let (status, answer) = customer.submit(api, number, lane).await.unwrap();
    assert_eq!(status, 202, "{answer}");
    answer["id"].as_str().and_then(|id| id.parse().ok()).unwrap()
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, is: impl AsyncFnMut() -> bool) {
    testkit::until(what, END, is).await;
}

/// What `/readyz` of a process says.
pub(crate) async fn report(process: &Process) -> Value {
    let url = format!("http://{}/readyz", process.management);
    testkit::http_client().get(url).send().await.unwrap().json().await.unwrap()
}

/// A metric of a process: the sum over those of this name whose labels have all of these.
pub(crate) async fn metric(process: &Process, name: &str, labels: &[&str]) -> f64 {
    let url = format!("http://{}/metrics", process.management);
    let text = testkit::http_client().get(url).send().await.unwrap().text().await.unwrap();
    let of_name = |line: &&str| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with([' ', '{']))
    };
    let lines = text.lines().filter(of_name).filter(|line| labels.iter().all(|label| line.contains(label)));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}
