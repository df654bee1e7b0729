//! The connector to Magfa's HTTP API, version 2: sends, looks up, polls.
//!
//! One call has up to 100 messages. Our ids travel as `uids` and come back as `userId`, so
//! answers are matched by id, never by position. Nothing is retried here: what is unclear
//! is said to be unknown.

mod answer;
mod codes;

use crate::config::MagfaSettings;
use answer::{MidAnswer, SendAnswer, StatusesAnswer};
pub(crate) use codes::{Class, class_of, receipt_of};
use domain::id::MessageId;
use domain::outcome::Receipt;
use domain::phone::Msisdn;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// Operator's ids asked about in one call at most.
pub(crate) const STATUSES_MAX: usize = 100;

/// An answer is at most this long: a hundred elements take a tenth of it.
const ANSWER_OCTETS_MAX: usize = 1 << 20;

/// One message of a call.
#[derive(Clone, Debug)]
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

/// A link to Magfa, for one lane: lanes share no sockets.
pub(crate) struct Magfa {
    client: Client,
    settings: MagfaSettings,
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
    pub(crate) fn new(settings: &MagfaSettings, connections: usize) -> reqwest::Result<Self> {
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
        Ok(Magfa { client, settings: settings.clone() })
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
        let response = match self.ask(self.client.post(self.url("/send")).json(&body)).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => return all(Sent::Unreached),
            Err(error) => {
                tracing::warn!(error = %error.without_url(), "a call to the operator failed");
                return all(Sent::Unknown);
            }
        };
        if let Some(said) = said_by_http(response.status()) {
            return all(said);
        }
        let Some(octets) = whole(response).await else { return all(Sent::Unknown) };
        match SendAnswer::read(&octets) {
            None => all(Sent::Unknown),
            Some(answer) if answer.status != 0 => all(Sent::Said(class_of(answer.status), answer.status)),
            Some(answer) => matched(messages, &answer),
        }
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
        let Some(octets) = whole(response).await else { return LookUp::NoAnswer };
        match MidAnswer::read(&octets) {
            Some(answer) if answer.status != 0 => LookUp::Said(class_of(answer.status), answer.status),
            Some(answer) if answer.status == 0 && answer.mid == -1 => LookUp::NeverSeen,
            Some(answer) if answer.status == 0 && answer.mid > 0 => LookUp::Known(answer.mid.to_string()),
            _ => LookUp::NoAnswer,
        }
    }

    /// Asks what became of messages, by Magfa's ids (at most [`STATUSES_MAX`]). Nothing
    /// where Magfa could not be asked; an id missing from the answer is missing here.
    pub(crate) async fn poll(&self, operator_ids: &[&str]) -> Option<HashMap<String, Polled>> {
        let url = self.url(&format!("/statuses/{}", operator_ids.join(",")));
        let response = self.ask(self.client.get(url)).await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        let octets = whole(response).await?;
        let answer = StatusesAnswer::read(&octets).filter(|answer| answer.status == 0)?;
        let polled = answer.dlrs.into_iter().map(|dlr| {
            let polled = Polled { receipt: receipt_of(dlr.status), code: dlr.status };
            (dlr.mid.to_string(), polled)
        });
        Some(polled.collect())
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

/// The body of an answer; nothing where it breaks off or is longer than any of Magfa's.
async fn whole(mut response: Response) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    while let Some(piece) = response.chunk().await.ok()? {
        if octets.len() + piece.len() > ANSWER_OCTETS_MAX {
            tracing::warn!("an operator's answer is longer than any that it may give");
            return None;
        }
        octets.extend_from_slice(&piece);
    }
    Some(octets)
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

/// Finds each message's element by our id, else by its recipient, which is unique in a call.
fn matched(messages: &[Outgoing<'_>], answer: &SendAnswer) -> Vec<Sent> {
    let by_id: HashMap<i64, &answer::Element> = answer
        .messages
        .iter()
        .filter(|element| element.user_id > 0)
        .map(|element| (element.user_id, element))
        .collect();
    let by_recipient: HashMap<&str, &answer::Element> = answer
        .messages
        .iter()
        .filter(|element| element.user_id == 0)
        .map(|element| (last_ten(&element.recipient), element))
        .collect();
    messages
        .iter()
        .map(|message| {
            let by_recipient = || by_recipient.get(last_ten(&message.recipient.get().to_string()));
            match by_id.get(&message.id.get()).or_else(by_recipient) {
                Some(element) if element.status != 0 => Sent::Said(class_of(element.status), element.status),
                Some(element) if element.id > 0 => Sent::Taken(element.id.to_string()),
                _ => Sent::Unknown,
            }
        })
        .collect()
}

/// Recipients are echoed with or without the country's code.
fn last_ten(digits: &str) -> &str {
    digits.get(digits.len().saturating_sub(10)..).unwrap_or(digits)
}

#[cfg(test)]
mod tests;
