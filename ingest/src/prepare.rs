//! From a body to a call: read, checked, measured, priced. No waiting, nothing outside: what
//! a bulk call needs of the processor is spent here and in encoding.

mod bulk;
mod campaign;
mod ground;
mod message;
mod rows;
mod texts;

use std::borrow::Cow;

use domain::lane::Lane;
use domain::money::Money;
use domain::phone::Msisdn;
use domain::tariff::Tariff;
use domain::time::UnixMillis;
use platform::http::problem::{FieldCode, Problem};

pub(crate) use bulk::{Bulk, Rejected, bulk};
pub(crate) use campaign::campaign;
pub(crate) use ground::Ground;
pub(crate) use message::{Checked, Message, message};
pub(crate) use rows::{CheckedRows, rows};

use crate::keys::Identity;
use crate::request::{Errors, Got, Path};
use crate::rules::{Fault, Measured, Rules};

/// What a body is checked against.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) caller: &'a Identity,
    pub(crate) tariff: &'a Tariff,
    pub(crate) now: UnixMillis,
}

impl Context<'_> {
    /// What a message costs: by the lane asked for.
    pub(crate) fn price(&self, lane: Lane, measured: Measured, to: Msisdn) -> Result<Money, Fault> {
        let price = self.tariff.price(lane, measured.encoding, to, measured.segments.into());
        price.map_err(|error| Fault { code: FieldCode::OutOfRange, detail: error.to_string().into() })
    }

    /// The line and the reference that messages have which do not name their own.
    fn line_and_reference(
        &self,
        from: Got<Cow<'_, str>>,
        reference: Got<Cow<'_, str>>,
        errors: &mut Errors,
    ) -> (Option<String>, String) {
        let line = self.rules.line(from.optional().as_deref(), &self.caller.lines);
        let line = note(line, "from", errors);
        let reference = reference.optional().unwrap_or_default();
        note(self.rules.reference(&reference), "reference", errors);
        (line, reference.into_owned())
    }

    fn send_by(&self, ttl_seconds: Option<u32>, lane: Lane) -> UnixMillis {
        let seconds = ttl_seconds.unwrap_or(self.rules.limits.ttl_seconds_default.of(lane));
        self.now.plus(i64::from(seconds) * 1_000)
    }
}

/// What is wrong with a recipient that opted out.
pub(crate) fn opted_out() -> Fault {
    Fault { code: FieldCode::RecipientBlocked, detail: "the recipient opted out".into() }
}

/// The value, or a note of what is wrong with the field.
fn note<T>(checked: Result<T, Fault>, field: &str, errors: &mut Errors) -> Option<T> {
    checked.map_err(|fault| errors.add(&Path::Field(&Path::Root, field), fault.code, fault.detail)).ok()
}

/// The sum of prices is an amount; else the call asks for what nobody can have.
fn sum(prices: impl Iterator<Item = Money>) -> Result<Money, Problem> {
    Money::checked_sum(prices).ok_or_else(|| {
        let mut errors = Errors::default();
        errors.add(&Path::Root, FieldCode::OutOfRange, "the price of the call is beyond 63 bits");
        errors.into_problem()
    })
}
