//! Reading one value, whatever it turns out to be.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use platform::http::problem::FieldCode;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Errors, Path};

/// What stood in a field.
#[derive(Debug, Default)]
pub(crate) enum Got<T> {
    /// Nothing.
    #[default]
    Missing,
    /// `null`, which for an optional field means the same.
    Null,
    /// Something that is noted as an error already.
    Wrong,
    /// A value of the right type.
    Value(T),
}

impl<T> Got<T> {
    /// The value of a field that must be there; where it is not, that is noted.
    pub(crate) fn required(self, at: &Path<'_>, errors: &mut Errors) -> Option<T> {
        if matches!(self, Got::Missing | Got::Null) {
            errors.add(at, FieldCode::Required, "this field is required");
        }
        self.optional()
    }

    /// The value, where there is one.
    pub(crate) fn optional(self) -> Option<T> {
        match self {
            Got::Value(value) => Some(value),
            Got::Missing | Got::Null | Got::Wrong => None,
        }
    }

    /// Whether the field was given, rightly or wrongly.
    pub(crate) fn is_given(&self) -> bool {
        matches!(self, Got::Wrong | Got::Value(_))
    }
}

/// A type of value. Each reads what it can; everything else is noted as of the wrong type.
pub(super) trait Kind<'de>: Sized {
    /// What is read.
    type Value;
    /// In words: "a string".
    const EXPECTED: &'static str;

    fn string(self, _: Cow<'de, str>, at: &Path<'_>, errors: &mut Errors) -> Got<Self::Value> {
        wrong::<Self>(at, errors)
    }

    fn integer(self, _: i128, at: &Path<'_>, errors: &mut Errors) -> Got<Self::Value> {
        wrong::<Self>(at, errors)
    }

    fn boolean(self, _: bool, at: &Path<'_>, errors: &mut Errors) -> Got<Self::Value> {
        wrong::<Self>(at, errors)
    }

    fn list<A: SeqAccess<'de>>(
        self,
        mut list: A,
        at: &Path<'_>,
        errors: &mut Errors,
    ) -> Result<Got<Self::Value>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(wrong::<Self>(at, errors))
    }

    fn object<A: MapAccess<'de>>(
        self,
        mut object: A,
        at: &Path<'_>,
        errors: &mut Errors,
    ) -> Result<Got<Self::Value>, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(wrong::<Self>(at, errors))
    }
}

fn wrong<'de, K: Kind<'de>>(at: &Path<'_>, errors: &mut Errors) -> Got<K::Value> {
    errors.wrong_type(at, K::EXPECTED);
    Got::Wrong
}

/// A string.
#[derive(Clone, Copy)]
pub(super) struct Text;

impl<'de> Kind<'de> for Text {
    type Value = Cow<'de, str>;
    const EXPECTED: &'static str = "a string";

    fn string(self, text: Cow<'de, str>, _: &Path<'_>, _: &mut Errors) -> Got<Self::Value> {
        Got::Value(text)
    }
}

/// An integer within a range. `1.0` and `"1"` are none.
pub(super) struct Integer(pub(super) RangeInclusive<u32>);

impl<'de> Kind<'de> for Integer {
    type Value = u32;
    const EXPECTED: &'static str = "an integer";

    fn integer(self, number: i128, at: &Path<'_>, errors: &mut Errors) -> Got<u32> {
        match u32::try_from(number) {
            Ok(number) if self.0.contains(&number) => Got::Value(number),
            _ => {
                let (least, most) = self.0.into_inner();
                errors.add(at, FieldCode::OutOfRange, format_args!("expected {least} to {most}"));
                Got::Wrong
            }
        }
    }
}

/// One of a few words.
pub(super) struct Word<T: 'static>(pub(super) &'static [T]);

impl<'de, T: FromStr + Copy + PartialEq + fmt::Display> Kind<'de> for Word<T> {
    type Value = T;
    const EXPECTED: &'static str = "a string";

    fn string(self, text: Cow<'de, str>, at: &Path<'_>, errors: &mut Errors) -> Got<T> {
        if let Some(word) = text.parse().ok().filter(|word| self.0.contains(word)) {
            return Got::Value(word);
        }
        let words: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        errors.add(at, FieldCode::OutOfRange, format_args!("expected one of {}", words.join(", ")));
        Got::Wrong
    }
}

/// A list of at most so many elements. A longer one is noted, and nothing is kept of it.
pub(super) struct List<F> {
    /// Elements at most.
    pub(super) max: usize,
    /// The kind of each element.
    pub(super) of: F,
}

impl<'de, K: Kind<'de>, F: Fn() -> K> Kind<'de> for List<F> {
    type Value = Vec<Got<K::Value>>;
    const EXPECTED: &'static str = "a list";

    fn list<A: SeqAccess<'de>>(
        self,
        mut list: A,
        at: &Path<'_>,
        errors: &mut Errors,
    ) -> Result<Got<Self::Value>, A::Error> {
        let mut elements = Vec::new();
        while elements.len() < self.max {
            let place = Path::Index(at, elements.len());
            let seed = Seed { kind: (self.of)(), at: place, errors };
            match list.next_element_seed(seed)? {
                None => return Ok(Got::Value(elements)),
                Some(Got::Null) => elements.push(wrong::<K>(&place, errors)),
                Some(element) => elements.push(element),
            }
        }
        let mut beyond = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            beyond += 1;
        }
        if beyond == 0 {
            return Ok(Got::Value(elements));
        }
        let count = self.max + beyond;
        let detail = format_args!("expected at most {} elements, found {count}", self.max);
        errors.add(at, FieldCode::TooMany, detail);
        Ok(Got::Wrong)
    }
}

/// Reads a value of a kind at a place.
pub(super) struct Seed<'w, K> {
    pub(super) kind: K,
    pub(super) at: Path<'w>,
    pub(super) errors: &'w mut Errors,
}

impl<'de, K: Kind<'de>> DeserializeSeed<'de> for Seed<'_, K> {
    type Value = Got<K::Value>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de, K: Kind<'de>> Visitor<'de> for Seed<'_, K> {
    type Value = Got<K::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(K::EXPECTED)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(self.kind.string(Cow::Borrowed(text), &self.at, self.errors))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(self.kind.string(Cow::Owned(text.to_owned()), &self.at, self.errors))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(self.kind.integer(number.into(), &self.at, self.errors))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(self.kind.integer(number.into(), &self.at, self.errors))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        // So an integer beyond 64 bits arrives here; it is one, but in no range of ours.
        if number.abs() >= 9.2e18 {
            return Ok(self.kind.integer(i128::MAX, &self.at, self.errors));
        }
        Ok(wrong::<K>(&self.at, self.errors))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(self.kind.boolean(value, &self.at, self.errors))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Got::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        self.kind.list(list, &self.at, self.errors)
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
        self.kind.object(object, &self.at, self.errors)
    }
}
