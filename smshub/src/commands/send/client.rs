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

/// No upload takes so long.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(7 * 86_400);

/// An API key, on its way into a header.
pub(in crate::commands) struct Key(HeaderValue);

impl Key {
    /// What cannot stand in a header is no key.
    pub(in crate::commands) fn new(key: String) -> anyhow::Result<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.trim()))
            .ok()
            .context("SMSHUB_KEY holds characters that no key has")?;
        value.set_sensitive(true);
        Ok(Key(value))
    }
}

/// What an account has.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::commands) struct Balance {
    pub(in crate::commands) balance: i64,
    pub(in crate::commands) held: i64,
    pub(in crate::commands) currency: String,
}

/// A bulk call that was accepted.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::commands) struct Accepted {
    pub(in crate::commands) batch_id: String,
    pub(in crate::commands) accepted: u64,
    pub(in crate::commands) price: i64,
    pub(in crate::commands) rejected: Vec<Rejected>,
}

/// A message that was left out.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::commands) struct Rejected {
    pub(in crate::commands) index: u64,
    pub(in crate::commands) code: String,
}

/// What became of a bulk call so far.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::commands) struct Report {
    pub(in crate::commands) messages: u64,
    pub(in crate::commands) counts: BTreeMap<String, u64>,
    pub(in crate::commands) price: i64,
    pub(in crate::commands) refunded: i64,
}

/// What a message would cost.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::commands) struct Preview {
    pub(in crate::commands) segments: i64,
    pub(in crate::commands) price: i64,
    pub(in crate::commands) currency: String,
}

/// The API of one installation, with one key.
pub(in crate::commands) struct Client {
    http: reqwest::Client,
    base: String,
    key: HeaderValue,
}

impl Client {
    /// Keeps connections open between calls; follows no redirects, which would carry the key
    /// elsewhere.
    pub(in crate::commands) fn new(url: &str, key: Key) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(CALL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("smshub/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("the HTTP client could not be made")?;
        Ok(Client { http, base: base_url(url)?, key: key.0 })
    }

    /// An upload, which may take as long as it likes.
    pub(in crate::commands) fn put(&self, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.put(format!("{}{path}", self.base)).timeout(UPLOAD_TIMEOUT);
        request.header(AUTHORIZATION, self.key.clone())
    }

    /// The account's balance.
    pub(in crate::commands) async fn balance(&self, patience: Patience) -> anyhow::Result<Balance> {
        let answer = self.call(patience, Method::GET, "/v1/balance", None, None).await;
        Ok(read(&answer.with_context(|| format!("the balance could not be read from {}", self.base))?)?)
    }

    /// Submits a bulk call, once for all calls with this key.
    pub(in crate::commands) async fn submit(&self, body: Bytes, key: &str) -> Result<Accepted, Refusal> {
        read(&self.call(Patience::LONG, Method::POST, "/v1/messages/bulk", Some(body), Some(key)).await?)
    }

    /// What became of a bulk call; nothing while it is not recorded.
    pub(in crate::commands) async fn report(&self, batch_id: &str) -> Result<Option<Report>, Refusal> {
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
    pub(in crate::commands) async fn preview(&self, body: Bytes) -> Result<Preview, Refusal> {
        read(&self.call(Patience::SHORT, Method::POST, "/v1/messages/preview", Some(body), None).await?)
    }

    /// Any call.
    pub(in crate::commands) async fn call(
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

/// An answer's body.
pub(in crate::commands) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::Unclear(format!("an answer that cannot be read: {error}")))
}
