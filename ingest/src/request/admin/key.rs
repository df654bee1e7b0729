//! `{"scopes"}`: a key to be made; `{"grace_seconds"?}`: how long one goes on that is replaced.

use std::time::Duration;

use platform::http::problem::{FieldCode, Problem};
use serde::de::MapAccess;

use crate::keys::{GRACE_MAX, Scope};
use crate::request::object::{Fields, Value};
use crate::request::value::{Integer, List, Word};
use crate::request::{Errors, Got, Path};

#[derive(Default)]
struct NewKey {
    scopes: Got<Vec<Got<Scope>>>,
}

/// Reads what a new key may do.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn create(body: &[u8]) -> Result<Vec<Scope>, Problem> {
    let mut errors = Errors::default();
    let key = crate::request::read(body, NewKey::default(), &mut errors)?;
    let at = Path::Field(&Path::Root, "scopes");
    let scopes = key.scopes.required(&at, &mut errors).unwrap_or_default();
    if scopes.is_empty() && errors.is_empty() {
        errors.add(&at, FieldCode::OutOfRange, "expected at least one scope");
    }
    errors.into_result()?;
    Ok(scopes.into_iter().filter_map(Got::optional).collect())
}

#[derive(Default)]
struct Rotation {
    grace_seconds: Got<u32>,
}

/// Reads how long the old key is to go on, where it is said.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn rotate(body: &[u8]) -> Result<Option<Duration>, Problem> {
    let mut errors = Errors::default();
    let rotation = crate::request::read(body, Rotation::default(), &mut errors)?;
    errors.into_result()?;
    Ok(rotation.grace_seconds.optional().map(|seconds| Duration::from_secs(seconds.into())))
}

impl<'de> Fields<'de> for NewKey {
    const NAMES: &'static [&'static str] = &["scopes"];

    fn read<A: MapAccess<'de>>(&mut self, _: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        self.scopes = value.of(List { max: Scope::ALL.len(), of: || Word(&Scope::ALL) })?;
        Ok(())
    }
}

impl<'de> Fields<'de> for Rotation {
    const NAMES: &'static [&'static str] = &["grace_seconds"];

    fn read<A: MapAccess<'de>>(&mut self, _: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        let most = u32::try_from(GRACE_MAX.as_secs()).unwrap_or(u32::MAX);
        self.grace_seconds = value.of(Integer(0..=most))?;
        Ok(())
    }
}
