//! A client for the tests, and the simulator inside the test's own process.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use simulator::fault::Fault;
use simulator::journal::What;
use simulator::{Operator, Settings};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A client of one simulator.
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) address: SocketAddr,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| rustls::crypto::ring::default_provider().install_default().unwrap());
        let (user, password) = ("demo/demo".to_owned(), "demo".to_owned());
        Self { http: reqwest::Client::new(), address, user, password }
    }

    pub(crate) async fn magfa(&self, method: &str, path: &str, body: impl Into<reqwest::Body>) -> Value {
        let url = format!("http://{}/api/http/sms/v2/{path}", self.address);
        let request = self.http.request(method.parse().unwrap(), url);
        let request = request.basic_auth(&self.user, Some(&self.password)).body(body);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.magfa("GET", path, "").await
    }

    pub(crate) async fn send(&self, body: &Value) -> Value {
        self.magfa("POST", "send", body.to_string()).await
    }

    /// Sends one text to one number for each uid.
    pub(crate) async fn send_uids(&self, uids: &[i64]) -> Value {
        self.send(&request(uids)).await
    }

    pub(crate) async fn control(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let request = self.http.request(method.parse().unwrap(), url).body(body.to_owned());
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// As `magfa`, whatever comes of it within `limit`.
    pub(crate) async fn attempt(
        &self,
        path: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> reqwest::Result<(u16, Vec<u8>)> {
        let url = format!("http://{}/api/http/sms/v2/{path}", self.address);
        let request = match body {
            Some(body) => self.http.post(url).body(body.to_string()),
            None => self.http.get(url),
        };
        let request = request.basic_auth(&self.user, Some(&self.password)).timeout(limit);
        let response = request.send().await?;
        let status = response.status().as_u16();
        Ok((status, response.bytes().await?.to_vec()))
    }

    /// Puts fault rules into force.
    pub(crate) async fn faults(&self, rules: &Value) {
        let (status, answer) = self.control("PUT", "/control/faults", &rules.to_string()).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// How often each fault was applied.
    pub(crate) async fn applied(&self) -> Value {
        self.control("GET", "/control/stats", "").await.1["faults"].clone()
    }

    /// The statuses of these mids, in order.
    pub(crate) async fn statuses(&self, mids: &[i64]) -> Vec<i64> {
        let mids: Vec<String> = mids.iter().map(ToString::to_string).collect();
        let answer = self.get(&format!("statuses/{}", mids.join(","))).await;
        let dlrs = answer["dlrs"].as_array().unwrap();
        dlrs.iter().map(|dlr| dlr["status"].as_i64().unwrap()).collect()
    }

    /// Polls until all of these are final.
    pub(crate) async fn finals(&self, mids: &[i64]) -> Vec<i64> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let statuses = self.statuses(mids).await;
            if statuses.iter().all(|status| [1, 2, 16].contains(status)) {
                return statuses;
            }
            assert!(Instant::now() < deadline, "not final: {statuses:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

pub(crate) fn request(uids: &[i64]) -> Value {
    json!({
        "senders": vec!["3000123"; uids.len()],
        "recipients": vec!["09120000001"; uids.len()],
        "messages": vec!["hello"; uids.len()],
        "encodings": vec![0; uids.len()],
        "uids": uids,
    })
}

/// The mids of a send call's answer, all of whose elements were accepted.
pub(crate) fn mids(answer: &Value) -> Vec<i64> {
    assert_eq!(answer["status"], 0, "{answer}");
    let messages = answer["messages"].as_array().unwrap();
    messages.iter().map(|message| message["id"].as_i64().expect("accepted")).collect()
}

/// A simulator in memory, served on a free port.
pub(crate) struct InProcess {
    pub(crate) client: Client,
    pub(crate) operator: Arc<Operator>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) served: JoinHandle<std::io::Result<()>>,
}

/// Everything accepted and delivered, at once.
pub(crate) fn quick() -> Settings {
    Settings { delivery_ratio: 1.0, delivery_min_ms: 0, delivery_max_ms: 0, ..Settings::default() }
}

impl InProcess {
    /// The uids that were taken, in order, by the journal.
    pub(crate) fn taken(&self) -> Vec<i64> {
        let events = self.operator.remembered();
        events.iter().flat_map(|event| event.taken().map(|(uid, _)| uid).collect::<Vec<_>>()).collect()
    }

    /// The calls of the journal that met a fault, with it.
    pub(crate) fn met(&self) -> Vec<(What, Fault)> {
        let events = self.operator.remembered().into_iter();
        events.filter_map(|event| event.fault.map(|fault| (event.what, fault))).collect()
    }

    pub(crate) async fn start(settings: Settings) -> Self {
        Self::serve(Operator::in_memory(settings, 100_000, 1 << 20).unwrap()).await
    }

    pub(crate) async fn serve(operator: Operator) -> Self {
        let operator = Arc::new(operator);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        let serving = simulator::serve(listener, Arc::clone(&operator), shutdown.clone());
        Self { client, operator, shutdown, served: tokio::spawn(serving) }
    }
}
