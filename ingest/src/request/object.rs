//! Reading an object field by field.

use std::fmt;

use platform::http::problem::FieldCode;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::value::{Kind, Seed};
use super::{Errors, Got, Path};

/// Characters of an unknown field's name that are repeated in an answer.
const NAME_SHOWN_MAX: usize = 64;

/// The fields of an object.
pub(super) trait Fields<'de>: Sized {
    /// Their names, at most 16.
    const NAMES: &'static [&'static str];

    /// Reads the value of the field of this name, one of [`Fields::NAMES`].
    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error>;
}

/// A value that is to be read next.
pub(super) struct Value<'w, A> {
    object: &'w mut A,
    at: Path<'w>,
    errors: &'w mut Errors,
}

impl<'de, A: MapAccess<'de>> Value<'_, A> {
    /// Reads it as of this kind.
    pub(super) fn of<K: Kind<'de>>(self, kind: K) -> Result<Got<K::Value>, A::Error> {
        self.object.next_value_seed(Seed { kind, at: self.at, errors: self.errors })
    }
}

/// The kind of an object with these fields.
pub(super) struct Object<F>(pub(super) F);

impl<'de, F: Fields<'de>> Kind<'de> for Object<F> {
    type Value = F;
    const EXPECTED: &'static str = "an object";

    fn object<A: MapAccess<'de>>(
        self,
        mut object: A,
        at: &Path<'_>,
        errors: &mut Errors,
    ) -> Result<Got<F>, A::Error> {
        let mut fields = self.0;
        let mut seen = 0_u16;
        while let Some(key) = object.next_key_seed(Names(F::NAMES))? {
            match key {
                Key::Known(place) => {
                    let name = F::NAMES[place];
                    if seen >> place & 1 == 1 {
                        return Err(A::Error::custom(format_args!("the key \"{name}\" stands here twice")));
                    }
                    seen |= 1 << place;
                    let value = Value { object: &mut object, at: Path::Field(at, name), errors };
                    fields.read(name, value)?;
                }
                Key::Unknown(name) => {
                    let known = F::NAMES.join(", ");
                    let place = Path::Field(at, &name);
                    errors.add(&place, FieldCode::UnknownField, format_args!("known are {known}"));
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Got::Value(fields))
    }
}

enum Key {
    Known(usize),
    Unknown(String),
}

/// Finds a key among the names.
struct Names(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Names {
    type Value = Key;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Key, D::Error> {
        json.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Names {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        let known = self.0.iter().position(|known| *known == name).map(Key::Known);
        Ok(known.unwrap_or_else(|| Key::Unknown(name.chars().take(NAME_SHOWN_MAX).collect())))
    }
}
