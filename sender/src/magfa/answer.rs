//! Magfa's answers. Fields that we do not use are not read; what is not JSON of this shape
//! is no answer, and its messages are unknown.

use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// The answer to `/send`.
#[derive(Debug, Deserialize)]
pub(super) struct SendAnswer<'a> {
    pub(super) status: i16,
    #[serde(default, borrow)]
    pub(super) messages: Vec<Element<'a>>,
}

/// One message of it. A refused one has a status and no id.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Element<'a> {
    pub(super) status: i16,
    #[serde(default, deserialize_with = "number")]
    pub(super) id: i64,
    /// Our id, zero where it was not echoed.
    #[serde(default, deserialize_with = "number")]
    pub(super) user_id: i64,
    #[serde(default, borrow)]
    pub(super) recipient: Cow<'a, str>,
}

/// The answer to `/mid/{uid}`.
#[derive(Debug, Deserialize)]
pub(super) struct MidAnswer {
    pub(super) status: i16,
    #[serde(default, deserialize_with = "number")]
    pub(super) mid: i64,
}

/// The answer to `/statuses/{mids}`.
#[derive(Debug, Deserialize)]
pub(super) struct StatusesAnswer {
    pub(super) status: i16,
    #[serde(default)]
    pub(super) dlrs: Vec<Dlr>,
}

/// One receipt of it.
#[derive(Debug, Deserialize)]
pub(super) struct Dlr {
    #[serde(default, deserialize_with = "number")]
    pub(super) mid: i64,
    pub(super) status: i16,
}

impl<'a> SendAnswer<'a> {
    pub(super) fn read(octets: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(octets).ok()
    }
}

impl MidAnswer {
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        serde_json::from_slice(octets).ok()
    }
}

impl StatusesAnswer {
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        serde_json::from_slice(octets).ok()
    }
}

/// An id as a number or as a text of digits; zero where it is missing or null.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Id<'a> {
        Number(i64),
        #[serde(borrow)]
        Text(Cow<'a, str>),
        Nothing,
    }
    match Id::deserialize(deserializer)? {
        Id::Number(number) => Ok(number),
        Id::Text(text) => text.parse().map_err(serde::de::Error::custom),
        Id::Nothing => Ok(0),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn answers_as_published() {
        let answer = br#"{"status":0,"messages":[
            {"status":0,"id":134512228059,"userId":0,"parts":1,"tariff":1320.0,"alphabet":"DEFAULT","recipient":"989353837909"},
            {"status":27,"userId":"512","recipient":"98912"},
            {"status":1,"id":null,"userId":null}]}"#;
        let answer = SendAnswer::read(answer).unwrap();
        let read: Vec<_> =
            answer.messages.iter().map(|e| (e.status, e.id, e.user_id, e.recipient.as_ref())).collect();
        assert_eq!(read, [(0, 134_512_228_059, 0, "989353837909"), (27, 0, 512, "98912"), (1, 0, 0, "")]);
        assert_eq!(SendAnswer::read(br#"{"status":18}"#).unwrap().status, 18);
        assert_eq!(MidAnswer::read(br#"{"status":0,"mid":-1}"#).unwrap().mid, -1);
        let statuses = br#"{"status":0,"dlrs":[{"mid":7,"status":1,"date":"2026-11-21 10:00:00"},{"mid":"8","status":-1,"date":null}]}"#;
        let dlrs: Vec<_> =
            StatusesAnswer::read(statuses).unwrap().dlrs.iter().map(|d| (d.mid, d.status)).collect();
        assert_eq!(dlrs, [(7, 1), (8, -1)]);
    }

    #[test]
    fn garbage_is_no_answer() {
        for garbage in
            [&b""[..], b"<html>", br#"{"status":"ok"}"#, br#"{"status":0,"messages":[{"status":0,"#]
        {
            assert!(SendAnswer::read(garbage).is_none());
        }
    }
}
