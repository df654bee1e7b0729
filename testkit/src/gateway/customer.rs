//! A customer that sends through the public API and remembers what it was promised.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// A customer with a key.
pub struct Customer {
    /// Its account.
    pub account: i64,
    key: String,
    client: Client,
    ttl_seconds: Option<u32>,
}

impl Customer {
    pub(super) fn new(account: i64, key: String) -> Self {
        Customer { account, key, client: crate::http_client(), ttl_seconds: None }
    }

    /// Its key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// All that it sends from now on must be handed over within so many seconds.
    #[must_use]
    pub fn with_ttl(self, seconds: u32) -> Self {
        Customer { ttl_seconds: Some(seconds), ..self }
    }

    /// Any request.
    ///
    /// # Errors
    /// Where the process died or did not answer.
    pub async fn post(
        &self,
        api: SocketAddr,
        path: &str,
        body: &Value,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        let request = self.client.post(format!("http://{api}{path}")).bearer_auth(&self.key).json(body);
        let response = request.send().await?;
        let status = response.status();
        Ok((status, response.json().await?))
    }

    /// A request with an `Idempotency-Key`: its answer, and whether it says that it was given
    /// before.
    ///
    /// # Errors
    /// Where the process died or did not answer.
    pub async fn post_keyed(
        &self,
        api: SocketAddr,
        path: &str,
        key: &str,
        body: &Value,
    ) -> Result<(StatusCode, bool, Value), reqwest::Error> {
        let request = self.client.post(format!("http://{api}{path}")).bearer_auth(&self.key).json(body);
        let response = request.header("Idempotency-Key", key).send().await?;
        let (status, replayed) = (response.status(), response.headers().contains_key("idempotent-replayed"));
        Ok((status, replayed, response.json().await?))
    }

    /// Reads.
    ///
    /// # Errors
    /// Where the process died or did not answer.
    pub async fn get(&self, api: SocketAddr, path: &str) -> Result<(StatusCode, Value), reqwest::Error> {
        let response = self.client.get(format!("http://{api}{path}")).bearer_auth(&self.key).send().await?;
        let status = response.status();
        Ok((status, response.json().await.unwrap_or(Value::Null)))
    }

    /// One message; returns its id where it was accepted.
    ///
    /// # Errors
    /// Where the process died or did not answer.
    pub async fn send(
        &self,
        api: SocketAddr,
        number: usize,
        lane: &str,
    ) -> Result<Option<i64>, reqwest::Error> {
        let (status, answer) = self.submit(api, number, lane).await?;
        let id = || answer["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
        Ok((status == StatusCode::ACCEPTED).then(id))
    }

    /// As [`Customer::send`], with the whole answer.
    ///
    /// # Errors
    /// Where the process died or did not answer.
    pub async fn submit(
        &self,
        api: SocketAddr,
        number: usize,
        lane: &str,
    ) -> Result<(StatusCode, Value), reqwest::Error> {
        let text = format!("code {number}");
        let ttl_seconds = self.ttl_seconds;
        let body = json!({"to": recipient(number), "text": text, "lane": lane, "ttl_seconds": ttl_seconds});
        self.post(api, "/v1/messages", &body).await
    }

    /// A call of many messages; returns the ids of those that were accepted.
    ///
    /// # Errors
    /// Where the process died or did not answer.
    pub async fn send_bulk(
        &self,
        api: SocketAddr,
        first: usize,
        count: usize,
    ) -> Result<Vec<i64>, reqwest::Error> {
        let message = |n: usize| json!({"to": recipient(n), "text": format!("سلام {n}")});
        let messages: Vec<Value> = (first..first + count).map(message).collect();
        let body = json!({"messages": messages, "ttl_seconds": self.ttl_seconds});
        let (status, answer) = self.post(api, "/v1/messages/bulk", &body).await?;
        if status != StatusCode::ACCEPTED {
            return Ok(vec![]);
        }
        let mut ids = Vec::with_capacity(count);
        for range in answer["ranges"].as_array().expect("ranges") {
            let first: i64 = range["first_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            ids.extend((0..range["count"].as_i64().expect("a count")).map(|k| first + k));
        }
        Ok(ids)
    }
}

/// A valid number that is plainly synthetic.
pub(super) fn recipient(number: usize) -> String {
    format!("0912000{:04}", number % 10_000)
}
