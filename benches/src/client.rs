//! smshub's public API, as a customer sees it.

use anyhow::{Context, bail};
use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a request may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long we wait before we ask again where a 503 does not say it.
const PAUSE: Duration = Duration::from_millis(100);

/// One smshub.
#[derive(Clone)]
pub(crate) struct Gateway {
    client: reqwest::Client,
    url: String,
}

/// What became of a submission.
pub(crate) enum Answer<T> {
    /// 202.
    Taken(T),
    /// 503 `overloaded`: nothing was taken, and it may be tried again after so long.
    Overloaded(Duration),
}

/// The 202 of a bulk call, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) batch_id: String,
    pub(crate) accepted: u64,
    pub(crate) segments: u64,
    pub(crate) price: i64,
}

/// The 202 of a single message, as far as it matters here.
#[derive(Debug, Deserialize)]
pub(crate) struct AcceptedOne {
    pub(crate) id: String,
    pub(crate) price: i64,
}

/// What an account has.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Balance {
    pub(crate) balance: i64,
    pub(crate) held: i64,
}

/// What became of a bulk call.
#[derive(Debug, Deserialize)]
pub(crate) struct BatchReport {
    pub(crate) messages: u64,
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) price: i64,
    pub(crate) refunded: i64,
}

impl BatchReport {
    /// How many are not final.
    pub(crate) fn open(&self) -> u64 {
        ["queued", "sent"].iter().filter_map(|status| self.counts.get(*status)).sum()
    }
}

/// What an error says, as far as it matters here.
#[derive(Default, Deserialize)]
struct Problem {
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
}

impl Gateway {
    pub(crate) fn new(url: &str) -> anyhow::Result<Self> {
        Ok(Gateway { client: Gateway::plain_client()?, url: url.trim_end_matches('/').to_owned() })
    }

    /// HTTP/1.1 without encryption or proxy.
    pub(crate) fn plain_client() -> anyhow::Result<reqwest::Client> {
        let builder = reqwest::Client::builder().no_proxy().http1_only().timeout(TIMEOUT);
        // As many as are used at once stay open.
        builder.pool_max_idle_per_host(usize::MAX).build().context("no HTTP client can be made")
    }

    pub(crate) async fn submit_bulk(&self, key: &str, body: Bytes) -> anyhow::Result<Answer<Accepted>> {
        self.submit("/v1/messages/bulk", key, body).await
    }

    pub(crate) async fn submit_one(&self, key: &str, body: Bytes) -> anyhow::Result<Answer<AcceptedOne>> {
        self.submit("/v1/messages", key, body).await
    }

    pub(crate) async fn balance(&self, key: &str) -> anyhow::Result<Balance> {
        self.read("/v1/balance", key).await?.context("the balance is not found")
    }

    /// The report of a bulk call; nothing while its first chunk is not recorded.
    pub(crate) async fn batch(&self, key: &str, id: &str) -> anyhow::Result<Option<BatchReport>> {
        self.read(&format!("/v1/messages/bulk/{id}"), key).await
    }

    async fn submit<T: DeserializeOwned>(
        &self,
        path: &str,
        key: &str,
        body: Bytes,
    ) -> anyhow::Result<Answer<T>> {
        let request = self.client.post(format!("{}{path}", self.url)).bearer_auth(key);
        let response = request
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .with_context(|| format!("POST {path}"))?;
        if response.status() == StatusCode::ACCEPTED {
            return Ok(Answer::Taken(json(response).await?));
        }
        let pause = pause(&response);
        let status = response.status();
        let problem = problem(response).await;
        // Of another 503 the outcome may be unknown: a second try could send twice.
        if problem.code == "overloaded" {
            return Ok(Answer::Overloaded(pause));
        }
        bail!("POST {path} was answered with {status} {}: {}", problem.code, problem.detail)
    }

    /// The answer to a GET; nothing where it is 404.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str, key: &str) -> anyhow::Result<Option<T>> {
        let response = self.client.get(format!("{}{path}", self.url)).bearer_auth(key).send().await;
        let response = response.with_context(|| format!("GET {path}"))?;
        match response.status() {
            StatusCode::OK => Ok(Some(json(response).await?)),
            StatusCode::NOT_FOUND => Ok(None),
            status => {
                let problem = problem(response).await;
                bail!("GET {path} was answered with {status} {}: {}", problem.code, problem.detail)
            }
        }
    }
}

async fn json<T: DeserializeOwned>(response: Response) -> anyhow::Result<T> {
    let body = response.bytes().await.context("an answer broke off")?;
    serde_json::from_slice(&body).context("an answer is not what was expected")
}

async fn problem(response: Response) -> Problem {
    let body = response.bytes().await.unwrap_or_default();
    serde_json::from_slice(&body).unwrap_or_default()
}

fn pause(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs)
}
