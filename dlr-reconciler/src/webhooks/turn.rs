//! A turn of an endpoint: what it is told before others come, one call after the other.

use super::rules::{Health, Tried};
use domain::time::UnixMillis;
use platform::webhook::{Call, Called, Caller, WebhookSecret};
use sqlx::types::Uuid;
use std::time::{Duration, Instant};

/// An endpoint, as a turn knows it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) id: i64,
    pub(crate) partition: i32,
    pub(crate) url: String,
    pub(crate) batch_size: usize,
    /// Those that sign, the newest first.
    pub(crate) secrets: Vec<WebhookSecret>,
    pub(crate) health: Health,
}

/// What is said in one call.
pub(crate) struct Job {
    pub(crate) delivery: i64,
    pub(crate) webhook_id: Uuid,
    pub(crate) tried: Tried,
    /// Events in it.
    pub(crate) messages: u64,
    pub(crate) body: Vec<u8>,
}

/// What an endpoint is told.
pub(crate) struct Turn {
    pub(crate) endpoint: Endpoint,
    pub(crate) jobs: Vec<Job>,
}

/// One call that was made.
pub(crate) struct Made {
    pub(crate) delivery: i64,
    pub(crate) webhook_id: Uuid,
    pub(crate) tried: Tried,
    pub(crate) messages: u64,
    pub(crate) called: Called,
    pub(crate) at: UnixMillis,
}

/// A turn that was made.
pub(crate) struct Done {
    pub(crate) endpoint: Endpoint,
    pub(crate) made: Vec<Made>,
}

impl Turn {
    /// Makes the calls, until one fails or the time is over: what was not said stays due.
    pub(crate) async fn make(self, caller: &Caller, now: UnixMillis, longest: Duration) -> Done {
        let started = Instant::now();
        let elapsed = || now.plus(i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX));
        let mut made = Vec::new();
        for job in self.jobs {
            let Job { delivery, webhook_id, tried, messages, body } = job;
            let call = Call {
                url: self.endpoint.url.clone(),
                id: webhook_id.to_string(),
                secrets: self.endpoint.secrets.clone(),
                body,
            };
            let called = caller.call(call, elapsed()).await;
            made.push(Made { delivery, webhook_id, tried, messages, called, at: elapsed() });
            if !called.is_taken() || started.elapsed() >= longest {
                break;
            }
        }
        Done { endpoint: self.endpoint, made }
    }
}
