//! `{"amount", "reference"?}`: a charge.

use domain::money::Money;
use ledger::admin::fields::text;
use platform::http::problem::Problem;
use serde::de::MapAccess;

use super::kinds::{Amount, Ruled};
use super::object::{Fields, Value};
use super::{Errors, Got, Path};

/// What is to be charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    /// How much, at least 1.
    pub(crate) amount: Money,
    /// What it belongs to, for people.
    pub(crate) reference: Option<String>,
}

#[derive(Default)]
struct Body {
    amount: Got<i64>,
    reference: Got<String>,
}

/// Reads the body.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(body: &[u8]) -> Result<Charge, Problem> {
    let mut errors = Errors::default();
    let body = super::read(body, Body::default(), &mut errors)?;
    let amount = body.amount.required(&Path::Field(&Path::Root, "amount"), &mut errors);
    errors.into_result()?;
    Ok(Charge { amount: Money::new(amount.unwrap_or_default()), reference: body.reference.optional() })
}

impl<'de> Fields<'de> for Body {
    const NAMES: &'static [&'static str] = &["amount", "reference"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "amount" => self.amount = value.of(Amount(1..=i64::MAX))?,
            _ => self.reference = value.of(Ruled(text))?,
        }
        Ok(())
    }
}
