//! Prices: what one segment costs, by lane, encoding and prefix of the number.
//!
//! A price is a pure function of a tariff version, so the price that was shown is the
//! price that is billed, in whichever process and however much later.

mod compare;
mod lane_prices;
mod prefix;
#[cfg(test)]
mod tests;

pub use compare::{Compared, compare};
pub use prefix::{Prefix, PrefixError};

use crate::lane::Lane;
use crate::money::Money;
use crate::phone::Msisdn;
use crate::text::Encoding;
use lane_prices::LanePrices;

/// Rows of a tariff at most.
pub const ROWS_MAX: usize = 1_000;

/// One price: of a segment in this lane, in this encoding, to numbers of this prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The lane that was asked for.
    pub lane: Lane,
    /// The encoding, or none for either.
    pub encoding: Option<Encoding>,
    /// What the number begins with; the empty prefix is that of every number.
    pub prefix: Prefix,
    /// The price of one segment, not negative.
    pub price: Money,
}

/// A version of the price list, which has a price for every message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tariff {
    version: u32,
    /// By [`Lane::index`].
    lanes: [LanePrices; Lane::ALL.len()],
}

/// Why rows are not a tariff. Rows are counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TariffError {
    /// Too many rows.
    #[error("expected at most {ROWS_MAX} rows")]
    TooManyRows,
    /// A price below zero.
    #[error("expected a price of zero or more in row {0}")]
    NegativePrice(usize),
    /// Two prices for the same lane, encoding and prefix.
    #[error("expected one row for each lane, encoding and prefix, but row {0} repeats an earlier one")]
    DuplicateRow(usize),
    /// A lane without a row for any encoding and every number.
    #[error("expected a row for lane {0} with neither encoding nor prefix")]
    NoCatchAll(Lane),
}

/// A price beyond 63 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a price that fits in 63 bits")]
pub struct PriceOverflow;

impl Tariff {
    /// Checks rows and orders them for look-up.
    pub fn new(version: u32, rows: Vec<Row>) -> Result<Tariff, TariffError> {
        if rows.len() > ROWS_MAX {
            return Err(TariffError::TooManyRows);
        }
        if let Some(at) = rows.iter().position(|row| row.price < Money::ZERO) {
            return Err(TariffError::NegativePrice(at));
        }
        if let Some(at) = (0..rows.len()).find(|&at| rows[..at].iter().any(|row| row.key() == rows[at].key()))
        {
            return Err(TariffError::DuplicateRow(at));
        }
        let [express, standard, bulk] = Lane::ALL.map(|lane| LanePrices::new(lane, &rows));
        Ok(Tariff { version, lanes: [express?, standard?, bulk?] })
    }

    /// The prices of a new installation, in rial.
    pub fn default_rows() -> Vec<Row> {
        let catch_all =
            |lane, price| Row { lane, encoding: None, prefix: Prefix::EMPTY, price: Money::new(price) };
        vec![catch_all(Lane::Express, 1_500), catch_all(Lane::Standard, 1_000), catch_all(Lane::Bulk, 1_000)]
    }

    /// The number under which records refer to these prices.
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The rows it was made of, lane by lane: that of every number first, then the special ones,
    /// the one that wins before those it wins over.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        Lane::ALL.into_iter().flat_map(|lane| self.lanes[lane.index()].rows(lane))
    }

    /// The price of one segment: that of the longest matching prefix; among equals, of
    /// the row that names the encoding.
    pub fn unit_price(&self, lane: Lane, encoding: Encoding, msisdn: Msisdn) -> Money {
        self.lanes[lane.index()].find(encoding, msisdn)
    }

    /// The price of a message of so many segments.
    pub fn price(
        &self,
        lane: Lane,
        encoding: Encoding,
        msisdn: Msisdn,
        segments: u32,
    ) -> Result<Money, PriceOverflow> {
        self.unit_price(lane, encoding, msisdn).checked_mul(segments).ok_or(PriceOverflow)
    }
}

impl Row {
    fn key(&self) -> (Lane, Option<Encoding>, Prefix) {
        (self.lane, self.encoding, self.prefix)
    }

    fn is_catch_all(&self) -> bool {
        self.encoding.is_none() && self.prefix == Prefix::EMPTY
    }
}
