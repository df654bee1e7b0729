//! `{"prices": [{"lane", "encoding"?, "prefix"?, "price"}, …], "effective_at"?}`: a version of the
//! tariff to be made.

use chrono::{DateTime, Utc};
use domain::lane::Lane;
use domain::money::Money;
use domain::tariff::{Prefix, ROWS_MAX, Row};
use domain::text::Encoding;
use ledger::admin::fields::PRICE;
use platform::http::problem::{FieldCode, Problem};
use serde::de::MapAccess;

use crate::request::kinds::{Amount, Ruled};
use crate::request::object::{Fields, Object, Value};
use crate::request::value::{List, Word};
use crate::request::{Errors, Got, Path};

#[derive(Default)]
struct Version {
    prices: Got<Vec<Got<Price>>>,
    effective_at: Got<DateTime<Utc>>,
}

#[derive(Default)]
struct Price {
    lane: Got<Lane>,
    encoding: Got<Encoding>,
    prefix: Got<Prefix>,
    price: Got<i64>,
}

/// Reads the prices, and since when they are to hold.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(body: &[u8]) -> Result<(Vec<Row>, Option<DateTime<Utc>>), Problem> {
    let mut errors = Errors::default();
    let version = crate::request::read(body, Version::default(), &mut errors)?;
    let at = Path::Field(&Path::Root, "prices");
    let prices = version.prices.required(&at, &mut errors).unwrap_or_default();
    if prices.is_empty() && errors.is_empty() {
        errors.add(&at, FieldCode::OutOfRange, "expected at least one price");
    }
    let mut rows = Vec::with_capacity(prices.len());
    for (index, price) in prices.into_iter().enumerate() {
        let at = Path::Index(&at, index);
        rows.extend(price.optional().and_then(|price| row(price, &at, &mut errors)));
    }
    errors.into_result()?;
    Ok((rows, version.effective_at.optional()))
}

fn row(price: Price, at: &Path<'_>, errors: &mut Errors) -> Option<Row> {
    let lane = price.lane.required(&Path::Field(at, "lane"), errors);
    let amount = price.price.required(&Path::Field(at, "price"), errors);
    Some(Row {
        lane: lane?,
        encoding: price.encoding.optional(),
        prefix: price.prefix.optional().unwrap_or(Prefix::EMPTY),
        price: Money::new(amount?),
    })
}

impl<'de> Fields<'de> for Version {
    const NAMES: &'static [&'static str] = &["prices", "effective_at"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "prices" => self.prices = value.of(List { max: ROWS_MAX, of: || Object(Price::default()) })?,
            _ => self.effective_at = value.of(Ruled(crate::admin::time))?,
        }
        Ok(())
    }
}

impl<'de> Fields<'de> for Price {
    const NAMES: &'static [&'static str] = &["lane", "encoding", "prefix", "price"];

    fn read<A: MapAccess<'de>>(&mut self, name: &'static str, value: Value<'_, A>) -> Result<(), A::Error> {
        match name {
            "lane" => self.lane = value.of(Word(&Lane::ALL))?,
            "encoding" => self.encoding = value.of(Word(&Encoding::ALL))?,
            "prefix" => self.prefix = value.of(Ruled(prefix))?,
            _ => self.price = value.of(Amount(PRICE))?,
        }
        Ok(())
    }
}

fn prefix(text: &str) -> Result<Prefix, String> {
    text.parse().map_err(|error: domain::tariff::PrefixError| error.to_string())
}
