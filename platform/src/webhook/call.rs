//! One call to an endpoint.

use super::resolve::{Judging, LookUp, NoAddress, system};
use super::{Forbidden, Networks, Target, UrlError, WebhookSecret, WebhookSettings, signature};
use domain::time::UnixMillis;
use reqwest::{Client, Response, StatusCode};
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

const USER_AGENT: &str = concat!("smshub-webhooks/", env!("CARGO_PKG_VERSION"));
/// Bytes of an answer's body that are read, and for how long, so that the connection can be used
/// again; they are looked at by nobody.
const ANSWER_BYTES_MAX: usize = 4 * 1_024;
const ANSWER_TIME: Duration = Duration::from_millis(500);
/// An idle connection is kept for so long.
const IDLE: Duration = Duration::from_secs(30);

/// What is to be said to an endpoint.
#[derive(Clone)]
pub struct Call {
    /// The endpoint's URL.
    pub url: String,
    /// Stays the same however often the same thing is said: receivers drop what they had.
    pub id: String,
    /// Those that sign.
    pub secrets: Vec<WebhookSecret>,
    /// JSON.
    pub body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Its address may not be called, or its URL not be used.
    Forbidden,
    /// Its name has no address.
    NoAddress,
    /// No connection: refused, unreachable, or reset.
    NoConnection,
    /// No TLS: its certificate, most likely.
    Tls,
    /// It took too long.
    Timeout,
    /// What it answered is no HTTP.
    NoHttp,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// The status, or why there is none.
    pub answer: Result<u16, Trouble>,
    /// How long it took, in milliseconds.
    pub took_ms: u32,
}

/// Calls endpoints. One a process; connections are kept and used again.
pub struct Caller {
    networks: Arc<Networks>,
    encrypted: Client,
    plain: Client,
}

impl Trouble {
    /// A stable word, for logs and lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Trouble::Forbidden => "forbidden_address",
            Trouble::NoAddress => "no_address",
            Trouble::NoConnection => "no_connection",
            Trouble::Tls => "tls",
            Trouble::Timeout => "timeout",
            Trouble::NoHttp => "no_http",
        }
    }
}

impl Called {
    /// Whether the endpoint has it: any 2xx. A redirect is none, and nobody follows it.
    pub fn is_taken(&self) -> bool {
        self.answer.is_ok_and(|status| (200..300).contains(&status))
    }

    /// Whether the endpoint wants nothing any more.
    pub fn is_gone(&self) -> bool {
        self.answer == Ok(StatusCode::GONE.as_u16())
    }
}

impl Caller {
    /// Calls as the settings say.
    ///
    /// # Errors
    /// When the TLS side cannot be set up.
    pub fn new(settings: &WebhookSettings) -> reqwest::Result<Self> {
        Caller::resolving(settings, &system(settings.look_ups))
    }

    pub(super) fn resolving(settings: &WebhookSettings, look_up: &LookUp) -> reqwest::Result<Self> {
        // Whoever comes first sets the process's provider; a second one is told so, no more.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let networks = Arc::new(settings.networks());
        let client = |encrypted: bool| {
            let resolver = Judging { look_up: look_up.clone(), networks: Arc::clone(&networks), encrypted };
            Client::builder()
                .http1_only()
                .https_only(encrypted)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .tcp_nodelay(true)
                .user_agent(USER_AGENT)
                .dns_resolver(Arc::new(resolver))
                .pool_max_idle_per_host(1)
                .pool_idle_timeout(IDLE)
                .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
                .timeout(settings.call_timeout())
                .build()
        };
        Ok(Caller { encrypted: client(true)?, plain: client(false)?, networks })
    }

    /// Reads the URL of an endpoint.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn target(&self, url: &str) -> Result<Target, UrlError> {
        Target::read(url, &self.networks)
    }

    /// Makes the call once. `now` is what the signature says.
    pub async fn call(&self, call: Call, now: UnixMillis) -> Called {
        let started = Instant::now();
        let answer = self.answer(call, now).await;
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        Called { answer, took_ms }
    }

    async fn answer(&self, call: Call, now: UnixMillis) -> Result<u16, Trouble> {
        // Read again at each call: an address is not asked of the resolver, and what is allowed
        // may have changed since it was stored.
        let target = self.target(&call.url).map_err(|_| Trouble::Forbidden)?;
        let client = if target.is_encrypted() { &self.encrypted } else { &self.plain };
        let timestamp = now.0.div_euclid(1_000);
        let signature = signature(&call.secrets, &call.id, timestamp, &call.body);
        let request = client
            .post(target.url().clone())
            .header("content-type", "application/json")
            .header("webhook-id", call.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(call.body);
        let response = request.send().await.map_err(|error| trouble(&error))?;
        let status = response.status().as_u16();
        let _ = tokio::time::timeout(ANSWER_TIME, read(response)).await;
        Ok(status)
    }
}

async fn read(mut response: Response) {
    let mut bytes = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes += chunk.len();
        if bytes > ANSWER_BYTES_MAX {
            return;
        }
    }
}

fn trouble(error: &reqwest::Error) -> Trouble {
    if caused_by::<Forbidden>(error) {
        Trouble::Forbidden
    } else if caused_by::<NoAddress>(error) {
        Trouble::NoAddress
    } else if caused_by::<rustls::Error>(error) {
        Trouble::Tls
    } else if error.is_timeout() {
        Trouble::Timeout
    } else if error.is_connect() || caused_by::<io::Error>(error) {
        Trouble::NoConnection
    } else {
        Trouble::NoHttp
    }
}

/// Whether there is an `E` among its causes. An I/O error does not name what it holds as its
/// source, so that is looked into.
fn caused_by<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<E>()
        || inside.is_some_and(|inside| caused_by::<E>(inside))
        || error.source().is_some_and(|source| caused_by::<E>(source))
}
