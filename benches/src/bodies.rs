//! Request bodies, made before the clock starts.

use crate::numbers;
use bytes::Bytes;
use clap::ValueEnum;
use serde_json::json;
use std::fmt;

/// Different bulk bodies, which take turns: 1.2 million messages have 12 × 10,000 different
/// recipients and texts, and the generator does not keep gigabytes.
const BULK_BODIES: usize = 12;
/// Different bodies of single messages, which take turns.
const SINGLE_BODIES: usize = 1_000;

const FIRST: [&str; 10] =
    ["علی", "مریم", "رضا", "زهرا", "حسین", "فاطمه", "محمدرضا", "سارا", "امیرحسین", "نگار"];
const LAST: [&str; 7] = ["احمدی", "محمدی", "رضایی", "کریمی", "حسینی", "موسوی", "گلپایگانی"];

/// What a bulk call looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// A different Persian text for each recipient (`messages`)
    Messages,
    /// One Persian text for all (`text` and `to`)
    OneText,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Form::Messages => "a text for each message",
            Form::OneText => "one text for all messages",
        })
    }
}

/// The bodies of bulk calls.
pub(crate) fn bulk(form: Form, per_call: u32) -> Vec<Bytes> {
    let per_call = per_call as usize;
    let body = |turn: usize| {
        let places = turn * per_call..(turn + 1) * per_call;
        let body = match form {
            Form::Messages => {
                let messages =
                    places.map(|place| json!({"to": numbers::written(place), "text": text(place)}));
                json!({"messages": messages.collect::<Vec<_>>()})
            }
            Form::OneText => {
                let to: Vec<String> = places.map(numbers::written).collect();
                json!({"text": "مشتری گرامی، جشنواره پاییزی ما از فردا آغاز می‌شود. لغو۱۱", "to": to})
            }
        };
        Bytes::from(body.to_string())
    };
    (0..BULK_BODIES).map(body).collect()
}

/// The bodies of single express messages.
pub(crate) fn single() -> Vec<Bytes> {
    let body = |place: usize| {
        let text = format!("کد ورود شما: {:06}", place * 7_919 % 1_000_000);
        Bytes::from(json!({"to": numbers::written(place), "text": text, "lane": "express"}).to_string())
    };
    (0..SINGLE_BODIES).map(body).collect()
}

/// A text of one part (70 characters at most).
fn text(place: usize) -> String {
    let (first, last) = (FIRST[place % FIRST.len()], LAST[place / FIRST.len() % LAST.len()]);
    format!("{first} {last} گرامی، سفارش {} آماده شد و امروز ارسال می‌شود.", 100_000 + place % 900_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn bodies_have_the_messages_of_one_call() {
        for (form, list) in [(Form::Messages, "messages"), (Form::OneText, "to")] {
            for body in bulk(form, 3) {
                let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                assert_eq!(body[list].as_array().unwrap().len(), 3);
            }
        }
    }

    #[test]
    fn texts_differ_and_have_one_part() {
        let texts: HashSet<String> = (0..120_000).map(text).collect();
        assert_eq!(texts.len(), 120_000);
        assert!(texts.iter().all(|text| text.chars().count() <= 70));
    }
}
