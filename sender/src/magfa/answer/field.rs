//! Fields as Magfa writes them: numbers also as texts, nothing also as `null`. What is
//! neither is passed over here and judged by who asks.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A number, or digits in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::magfa) enum Number {
    /// Not there, or `null`.
    #[default]
    Missing,
    /// This one.
    Is(i64),
    /// There, and no whole number of 64 bits.
    Unreadable,
}

impl Number {
    /// As one of Magfa's codes, if it can be one.
    pub(super) fn code(self) -> Option<i16> {
        match self {
            Number::Is(number) => i16::try_from(number).ok(),
            Number::Missing | Number::Unreadable => None,
        }
    }
}

/// A text, or the digits of a number; empty where it is missing or anything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match deserializer.deserialize_any(AnyValue)? {
            Value::Nothing => Number::Missing,
            Value::Number(number) => Number::Is(number),
            Value::Text(text) => text.parse().map_or(Number::Unreadable, Number::Is),
            Value::Other => Number::Unreadable,
        })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Text(match deserializer.deserialize_any(AnyValue)? {
            Value::Text(text) => text,
            Value::Number(number) => number.to_string().into(),
            Value::Nothing | Value::Other => Cow::default(),
        }))
    }
}

enum Value<'a> {
    Nothing,
    Number(i64),
    Text(Cow<'a, str>),
    Other,
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(number).map_or(Value::Other, Value::Number))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}
