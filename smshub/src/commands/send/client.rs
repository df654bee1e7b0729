//! The public API, as a customer's program uses it.

use super::base_url;
use super::call::{Call, Patience, Refusal};
use anyhow::Context;
use bytes::Bytes;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

/// One call may take so long: longer than the server waits for Kafka.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// An API key, on its way into a header.
pub(super) struct Key(HeaderValue);

impl Key {
    /// What cannot stand in a header is no key.
    pub(super) fn new(key: String) -> anyhow::Result<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.trim()))
            .ok()
            .context("SMSHUB_KEY holds characters that no key has")?;
        value.set_sensitive(true);
        Ok(Key(value))
    }
}

/// What an account has.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Balance {
    pub(super) balance: i64,
    pub(super) held: i64,
    pub(super) currency: String,
}

/// A bulk call that was accepted.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Accepted {
    pub(super) batch_id: String,
    pub(super) accepted: u64,
    pub(super) price: i64,
    pub(super) rejected: Vec<Rejected>,
}

/// A message that was left out.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Rejected {
    pub(super) index: u64,
    pub(super) code: String,
}

/// What became of a bulk call so far.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Report {
    pub(super) messages: u64,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) price: i64,
    pub(super) refunded: i64,
}

/// What a message would cost.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Preview {
    pub(super) segments: i64,
    pub(super) price: i64,
    pub(super) currency: String,
}

/// The API of one installation, with one key.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: HeaderValue,
}

impl Client {
    /// Keeps connections open between calls; follows no redirects, which would carry the key
    /// elsewhere.
    pub(super) fn new(url: &str, key: Key) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("smshub/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("the HTTP client could not be made")?;
        Ok(Client { http, base: base_url(url)?, key: key.0 })
    }

    /// The account's balance.
    pub(super) async fn balance(&self, patience: Patience) -> anyhow::Result<Balance> {
        let answer = self.call(patience, Method::GET, "/v1/balance", None, None).await;
        Ok(read(&answer.with_context(|| format!("the balance could not be read from {}", self.base))?)?)
    }

    /// Submits a bulk call, once for all calls with this key.
    pub(super) async fn submit(&self, body: Bytes, key: &str) -> Result<Accepted, Refusal> {
        read(&self.call(Patience::LONG, Method::POST, "/v1/messages/bulk", Some(body), Some(key)).await?)
    }

    /// What became of a bulk call; nothing while it is not recorded.
    pub(super) async fn report(&self, batch_id: &str) -> Result<Option<Report>, Refusal> {
        let answer = self
            .call(Patience::SHORT, Method::GET, &format!("/v1/messages/bulk/{batch_id}"), None, None)
            .await;
        match answer {
            Ok(answer) => Ok(Some(read(&answer)?)),
            Err(Refusal::Problem(problem)) if problem.status == StatusCode::NOT_FOUND.as_u16() => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// What a message would cost.
    pub(super) async fn preview(&self, body: Bytes) -> Result<Preview, Refusal> {
        read(&self.call(Patience::SHORT, Method::POST, "/v1/messages/preview", Some(body), None).await?)
    }

    async fn call(
        &self,
        patience: Patience,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        idempotency_key: Option<&str>,
    ) -> Result<Bytes, Refusal> {
        let build = || {
            let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
            request = request.header(AUTHORIZATION, self.key.clone());
            if let Some(body) = &body {
                request = request.header("Content-Type", "application/json").body(body.clone());
            }
            if let Some(key) = idempotency_key {
                request = request.header("Idempotency-Key", key);
            }
            request
        };
        Call { build }.answer(patience).await
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Unclear(format!("an answer that cannot be read: {error}")))
}
