//! One call, repeated where the API asks for it.
//!
//! What the API says it cannot do now (429, 503, 409 while the first runs), or does not answer, is
//! sent again, no earlier than Retry-After says, for so long. A submission may have been taken
//! all the same: it goes out with the same `Idempotency-Key` each time, so it is taken once.

use bytes::Bytes;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use std::fmt;
use std::time::{Duration, Instant};

/// A Retry-After is believed up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// The longest answer that is read, in bytes: 10,000 rejected messages with room.
const ANSWER_BYTES_MAX: usize = 16 << 20;
/// Characters of an answer that is none of ours which are shown.
const SHOWN: usize = 120;

/// How long and how often is tried again.
#[derive(Clone, Copy, Debug)]
pub(in crate::commands) struct Patience {
    /// The first pause; doubled each time.
    pub(in crate::commands) first: Duration,
    /// The longest pause.
    pub(in crate::commands) longest: Duration,
    /// No try begins later than this after the first.
    pub(in crate::commands) total: Duration,
}

impl Patience {
    /// While messages are under way: an installation that is restarted comes back.
    pub(in crate::commands) const LONG: Patience = Patience {
        first: Duration::from_millis(200),
        longest: Duration::from_secs(5),
        total: Duration::from_secs(120),
    };
    /// Before anything was sent: a wrong address is to be said at once.
    pub(in crate::commands) const SHORT: Patience =
        Patience { total: Duration::from_secs(1), ..Patience::LONG };
}

/// Why a call was not answered as hoped.
#[derive(Clone, Debug)]
pub(in crate::commands) enum Refusal {
    /// The API said no.
    Problem(Box<Problem>),
    /// It could not be reached: nothing was taken.
    Unreachable(String),
    /// No answer came, or none that can be read, as often as it was asked for: it may have been
    /// done.
    Unclear(String),
}

/// An error of the API.
#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::commands) struct Problem {
    #[serde(default)]
    pub(in crate::commands) status: u16,
    #[serde(default)]
    pub(in crate::commands) code: String,
    #[serde(default)]
    pub(in crate::commands) title: String,
    #[serde(default)]
    pub(in crate::commands) detail: Option<String>,
    #[serde(default)]
    pub(in crate::commands) errors: Vec<FieldError>,
    #[serde(default)]
    balance: Option<i64>,
    #[serde(default)]
    required: Option<i64>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::commands) struct FieldError {
    pub(in crate::commands) field: String,
    pub(in crate::commands) code: String,
    #[serde(default)]
    detail: String,
}

/// A call that can be made again: what spends has a key.
pub(in crate::commands) struct Call<F> {
    pub(in crate::commands) build: F,
}

impl<F: Fn() -> RequestBuilder> Call<F> {
    /// Makes the call until it is answered for good.
    pub(in crate::commands) async fn answer(&self, patience: Patience) -> Result<Bytes, Refusal> {
        let began = Instant::now();
        let (mut pause, mut unclear) = (patience.first, None);
        loop {
            let (refusal, again, retry_after) = match self.once().await {
                Ok(body) => return Ok(body),
                Err(once) => once,
            };
            let wait = retry_after.map_or(pause, |asked| asked.clamp(pause, RETRY_AFTER_MAX.max(pause)));
            if !again || began.elapsed() + wait > patience.total {
                // What cannot be reached now may have taken what it did not answer before.
                let unreachable = matches!(refusal, Refusal::Unreachable(_));
                return Err(unclear.filter(|_| unreachable).unwrap_or(refusal));
            }
            if matches!(refusal, Refusal::Unclear(_)) {
                unclear = Some(refusal);
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(patience.longest);
        }
    }

    /// One try: the body, or why not, whether to try again, and after how long at least.
    async fn once(&self) -> Result<Bytes, (Refusal, bool, Option<Duration>)> {
        let response = match (self.build)().send().await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return Err((Refusal::Unreachable(said(&error)), true, None)),
            Err(error) => return Err((Refusal::Unclear(said(&error)), true, None)),
        };
        let (status, retry_after) = (response.status(), retry_after(&response));
        let body = read(response).await.map_err(|why| (Refusal::Unclear(why), true, None))?;
        if status.is_success() {
            return Ok(body);
        }
        let problem = Problem::read(status, &body);
        let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let again = busy || problem.code == "idempotency_in_progress";
        Err((Refusal::Problem(Box::new(problem)), again, retry_after))
    }
}

impl Problem {
    fn read(status: StatusCode, body: &[u8]) -> Self {
        let mut problem: Problem = serde_json::from_slice(body).unwrap_or_default();
        if problem.code.is_empty() {
            let shown: String =
                String::from_utf8_lossy(body).chars().take(SHOWN).filter(|c| !c.is_control()).collect();
            problem.detail = Some(format!("the answer is not of this API: {shown:?}"));
        }
        problem.status = status.as_u16();
        problem
    }
}

async fn read(mut response: Response) -> Result<Bytes, String> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| said(&error))? {
        if body.len() + piece.len() > ANSWER_BYTES_MAX {
            return Err("an answer longer than any of this API".to_owned());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get("Retry-After")?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The error with its causes; reqwest's own words do not hold them.
fn said(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let words = next.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = next.source();
    }
    text
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Problem(problem) => problem.fmt(f),
            Refusal::Unreachable(why) => write!(f, "the API cannot be reached: is it up? (--url): {why}"),
            Refusal::Unclear(why) => write!(f, "no clear answer, so it may have been done or not: {why}"),
        }
    }
}

impl std::error::Error for Refusal {}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.status, self.code)?;
        let words = self.detail.as_deref().unwrap_or(&self.title);
        if !words.is_empty() {
            write!(f, ": {words}")?;
        }
        if let (Some(balance), Some(required)) = (self.balance, self.required) {
            write!(f, " (balance {balance}, required {required})")?;
        }
        if let Some(first) = self.errors.first() {
            let words = if first.detail.is_empty() { String::new() } else { format!(": {}", first.detail) };
            write!(f, " ({}: {}{words})", first.field, first.code)?;
        }
        Ok(())
    }
}
