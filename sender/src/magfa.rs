//! The connector to Magfa's HTTP API, version 2: sends, looks up, polls.
//!
//! One call has up to 100 messages. Our ids travel as `uids` and come back as `userId`, so
//! answers are matched by id, never by position. Nothing is retried here: what is unclear
//! is said to be unknown.

mod answer;
mod codes;
mod matched;

use crate::config::MagfaSettings;
use crate::metrics::{Cause, Unknowns};
use answer::{MidAnswer, Number, SendAnswer};
pub(crate) use codes::{Class, class_of, receipt_of};
use domain::id::MessageId;
use domain::outcome::Receipt;
use domain::phone::Msisdn;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

/// Operator's ids asked about in one call at most.
pub(crate) const STATUSES_MAX: usize = 100;

/// An answer is at most this long: a hundred elements take a tenth of it.
const ANSWER_OCTETS_MAX: usize = 1 << 20;

/// One message of a call. `Debug` shows its id alone.
#[derive(Clone)]
pub(crate) struct Outgoing<'a> {
    /// Our id.
    pub(crate) id: MessageId,
    /// To whom. Recipients of a call differ from each other.
    pub(crate) recipient: Msisdn,
    /// From which line.
    pub(crate) line: &'a str,
    /// What.
    pub(crate) text: &'a str,
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What became of one message of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// Magfa has it, under this id.
    Taken(String),
    /// Magfa said no, for a reason of this class.
    Said(Class, i16),
    /// It certainly did not reach Magfa.
    Unreached,
    /// It may have reached Magfa.
    Unknown,
}

/// The answer to a look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LookUp {
    /// Magfa has it, under this id.
    Known(String),
    /// Magfa never saw it.
    NeverSeen,
    /// Magfa did not answer the question, for a reason of this class.
    Said(Class, i16),
    /// Magfa could not be asked.
    NoAnswer,
}

/// One receipt of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Polled {
    /// What it says.
    pub(crate) receipt: Receipt,
    /// Magfa's own code.
    pub(crate) code: i16,
}

impl Polled {
    /// How far it says the message came. The customer has what was delivered, whatever else
    /// is said.
    fn rank(&self) -> (u8, i16) {
        let rank = match self.receipt {
            Receipt::Nothing => 0,
            Receipt::OnTheWay => 1,
            Receipt::Undelivered => 2,
            Receipt::Delivered => 3,
        };
        (rank, self.code)
    }
}

/// A link to Magfa, for one lane: lanes share no sockets.
pub(crate) struct Magfa {
    client: Client,
    settings: MagfaSettings,
    unknowns: Unknowns,
}

#[derive(Serialize)]
struct SendBody<'a> {
    senders: Vec<&'a str>,
    recipients: Vec<String>,
    messages: Vec<&'a str>,
    uids: Vec<i64>,
}

impl Magfa {
    /// A link with connections of its own, at most `connections` idle ones.
    ///
    /// # Errors
    /// When the TLS side cannot be set up.
    pub(crate) fn new(
        settings: &MagfaSettings,
        connections: usize,
        unknowns: Unknowns,
    ) -> reqwest::Result<Self> {
        // Whoever comes first sets the process's provider; a second one is told so, no more.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .tcp_nodelay(true)
            .pool_max_idle_per_host(connections)
            .timeout(Duration::from_millis(settings.call_timeout_ms))
            .build()?;
        Ok(Magfa { client, settings: settings.clone(), unknowns })
    }

    /// Messages in one call at most.
    pub(crate) fn call_messages(&self) -> usize {
        self.settings.call_messages
    }

    /// How long a call may take.
    pub(crate) fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.settings.call_timeout_ms)
    }

    /// Sends one call. One answer for each message, in their order.
    pub(crate) async fn send(&self, messages: &[Outgoing<'_>]) -> Vec<Sent> {
        let body = SendBody {
            senders: messages.iter().map(|message| message.line).collect(),
            recipients: messages.iter().map(|message| message.recipient.get().to_string()).collect(),
            messages: messages.iter().map(|message| message.text).collect(),
            uids: messages.iter().map(|message| message.id.get()).collect(),
        };
        let all = |sent: Sent| vec![sent; messages.len()];
        let unknown = |cause| {
            self.unknowns.count(cause, messages.len());
            all(Sent::Unknown)
        };
        let response = match self.ask(self.client.post(self.url("/send")).json(&body)).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return all(Sent::Unreached),
            Err(error) => return unknown(cause_of(&error)),
        };
        match said_by_http(response.status()) {
            None => {}
            Some(Sent::Unknown) => return unknown(Cause::Status),
            Some(said) => return all(said),
        }
        let octets = match whole(response).await {
            Ok(octets) => octets,
            Err(cause) => return unknown(cause),
        };
        let Some(answer) = SendAnswer::read(&octets) else { return unknown(Cause::Unreadable) };
        let sent = matched::matched(messages, &answer);
        match sent.iter().filter(|sent| **sent == Sent::Unknown).count() {
            0 => {}
            missing => self.unknowns.count(Cause::Missing, missing),
        }
        sent
    }

    /// Asks whether Magfa has a message of ours.
    pub(crate) async fn look_up(&self, id: MessageId) -> LookUp {
        let url = self.url(&format!("/mid/{id}"));
        let Ok(response) = self.ask(self.client.get(url)).await else { return LookUp::NoAnswer };
        match said_by_http(response.status()) {
            None => {}
            Some(Sent::Said(class, code)) => return LookUp::Said(class, code),
            Some(_) => return LookUp::NoAnswer,
        }
        let Ok(octets) = whole(response).await else { return LookUp::NoAnswer };
        let Some(answer) = MidAnswer::read(&octets) else { return LookUp::NoAnswer };
        match (answer.status(), answer.mid) {
            (Some(0), Number::Is(-1)) => LookUp::NeverSeen,
            (Some(0), Number::Is(mid)) if mid > 0 => LookUp::Known(mid.to_string()),
            (Some(0) | None, _) => LookUp::NoAnswer,
            (Some(code), _) => LookUp::Said(class_of(code), code),
        }
    }

    /// Asks what became of messages, by Magfa's ids (at most [`STATUSES_MAX`]). Nothing
    /// where Magfa did not answer that; an id missing from the answer is missing here, and
    /// what nobody asked for is left out. Where an id has several receipts the furthest
    /// counts, whatever their order.
    pub(crate) async fn poll(&self, operator_ids: &[&str]) -> Option<HashMap<String, Polled>> {
        let url = self.url(&format!("/statuses/{}", operator_ids.join(",")));
        let response = self.ask(self.client.get(url)).await.ok()?;
        if response.status() != StatusCode::OK {
            return None;
        }
        let octets = whole(response).await.ok()?;
        let asked: HashSet<&str> = operator_ids.iter().copied().collect();
        let mut polled: HashMap<String, Polled> = HashMap::with_capacity(asked.len());
        for (mid, code) in answer::statuses(&octets)? {
            let (mid, said) = (mid.to_string(), Polled { receipt: receipt_of(code), code });
            if asked.contains(mid.as_str()) {
                let known = polled.entry(mid).or_insert(said);
                *known = std::cmp::max_by_key(*known, said, Polled::rank);
            }
        }
        Some(polled)
    }

    async fn ask(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        request
            .basic_auth(&self.settings.user, Some(self.settings.password.expose()))
            .header("accept", "application/json")
            .send()
            .await
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.settings.base_url)
    }
}

/// The body of an answer; not where it breaks off or is longer than any of Magfa's.
async fn whole(mut response: Response) -> Result<Vec<u8>, Cause> {
    let mut octets = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| cause_of(&error))? {
        if octets.len() + piece.len() > ANSWER_OCTETS_MAX {
            tracing::warn!("an operator's answer is longer than any that it may give");
            return Err(Cause::Unreadable);
        }
        octets.extend_from_slice(&piece);
    }
    Ok(octets)
}

/// Why a call that reached the operator, or may have, has no answer.
fn cause_of(error: &reqwest::Error) -> Cause {
    if error.is_timeout() { Cause::Timeout } else { Cause::Lost }
}

/// What an HTTP status alone says of a call, where it says enough.
fn said_by_http(status: StatusCode) -> Option<Sent> {
    match status.as_u16() {
        200 => None,
        429 => Some(Sent::Said(Class::Throttle, 429)),
        401 | 403 | 404 => Some(Sent::Said(Class::Stop, i16::try_from(status.as_u16()).unwrap_or(0))),
        _ => Some(Sent::Unknown),
    }
}

#[cfg(test)]
mod tests;
