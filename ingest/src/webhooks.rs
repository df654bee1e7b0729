//! Customers' webhook endpoints: making, listing and deleting them, their secrets, and what
//! became of what they were told. dlr-reconciler tells them; here is only the sample of a test.

mod deliveries;
mod endpoints;
mod sample;

use platform::config::Violations;
use platform::http::problem::{Code, Problem};
use platform::webhook::{Caller, WebhookSettings};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

pub(crate) use deliveries::{Delivery, page};
pub(crate) use endpoints::{Endpoint, NewEndpoint, create, delete, exists, list, rotate};
pub(crate) use sample::{Tested, test};

/// What customers may have: section `ingest.webhooks`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookLimits {
    /// Endpoints of an account.
    pub per_account: u32,
    /// How long the former secret signs too after a rotation, in hours.
    pub rotation_hours: u32,
    /// Samples sent at once by this process; above it: 503.
    pub tests_at_once: usize,
}

/// What the handlers need.
pub(crate) struct Webhooks {
    pub(crate) limits: WebhookLimits,
    pub(crate) caller: Caller,
    tests: Semaphore,
}

/// Why something could not be done with an endpoint.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// The account has none of this id.
    #[error("not found")]
    NotFound,
    /// The account has as many as it may have.
    #[error("the account has {0} endpoints, which is as many as it may have")]
    TooMany(u32),
    /// The system gave no randomness.
    #[error("no randomness: {0}")]
    Randomness(#[from] rand::rand_core::OsError),
    /// Postgres.
    #[error("postgres: {0}")]
    Postgres(#[from] sqlx::Error),
}

impl WebhookLimits {
    pub(crate) fn check(&self, violations: &mut Violations) {
        violations.range("ingest.webhooks.per_account", self.per_account, 1..=100);
        violations.range("ingest.webhooks.rotation_hours", self.rotation_hours, 0..=720);
        violations.range("ingest.webhooks.tests_at_once", self.tests_at_once, 1..=1_000);
    }
}

impl Webhooks {
    pub(crate) fn new(limits: &WebhookLimits, calls: &WebhookSettings) -> anyhow::Result<Self> {
        let caller = Caller::new(calls)?;
        Ok(Webhooks { limits: limits.clone(), caller, tests: Semaphore::new(limits.tests_at_once) })
    }
}

impl From<WebhookError> for Problem {
    fn from(error: WebhookError) -> Self {
        match error {
            WebhookError::NotFound => {
                Problem::new(Code::NotFound).detail("this account has no such webhook endpoint")
            }
            WebhookError::TooMany(count) => {
                let detail =
                    format!("the account has {count} endpoints, which is all it may have; delete one");
                Problem::new(Code::InvalidRequest).detail(detail)
            }
            WebhookError::Randomness(_) => {
                tracing::error!(%error, "no secret could be made");
                Problem::new(Code::InternalError)
            }
            WebhookError::Postgres(_) => {
                tracing::warn!(%error, "webhook endpoints could not be read or written");
                Problem::new(Code::Unavailable).detail("webhooks cannot be read or changed now")
            }
        }
    }
}
