//! The look-up of a price within a lane.

use super::{Prefix, Row, TariffError};
use crate::lane::Lane;
use crate::money::Money;
use crate::phone::Msisdn;
use crate::text::Encoding;
use std::cmp::Reverse;

/// The prices of one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LanePrices {
    /// The special rows, the one that wins before those it wins over.
    special: Vec<Row>,
    /// The price where no special row matches.
    otherwise: Money,
}

impl LanePrices {
    /// The rows of this lane among all rows, which are unique.
    pub(super) fn new(lane: Lane, rows: &[Row]) -> Result<LanePrices, TariffError> {
        let of_lane = rows.iter().copied().filter(|row| row.lane == lane);
        let (catch_all, mut special): (Vec<Row>, Vec<Row>) = of_lane.partition(Row::is_catch_all);
        let otherwise = catch_all.first().ok_or(TariffError::NoCatchAll(lane))?.price;
        special.sort_unstable_by_key(|row| (Reverse(row.prefix), row.encoding.is_none(), row.encoding));
        Ok(LanePrices { special, otherwise })
    }

    /// The price of one segment.
    pub(super) fn find(&self, encoding: Encoding, msisdn: Msisdn) -> Money {
        self.special(encoding, msisdn).unwrap_or(self.otherwise)
    }

    /// The price of one segment to all numbers with this prefix, where no row names a longer one.
    pub(super) fn of_prefix(&self, encoding: Encoding, prefix: Prefix) -> Money {
        let matches =
            |row: &&Row| prefix.begins_with(row.prefix) && row.encoding.is_none_or(|named| named == encoding);
        self.special.iter().find(matches).map_or(self.otherwise, |row| row.price)
    }

    /// The rows that were given: that of every number first, then the special ones, the one that
    /// wins before those it wins over.
    pub(super) fn rows(&self, lane: Lane) -> impl Iterator<Item = Row> {
        let catch_all = Row { lane, encoding: None, prefix: Prefix::EMPTY, price: self.otherwise };
        std::iter::once(catch_all).chain(self.special.iter().copied())
    }

    /// The price of the first special row that matches. Two binary searches for each
    /// length of prefix that occurs: no slower with a thousand rows than with ten.
    fn special(&self, encoding: Encoding, msisdn: Msisdn) -> Option<Money> {
        let mut rest = self.special.as_slice();
        while let Some(longest) = rest.first() {
            let wanted = Prefix::of(msisdn, longest.prefix.digits());
            rest = &rest[rest.partition_point(|row| row.prefix > wanted)..];
            let mut equal = rest.iter().take_while(|row| row.prefix == wanted);
            if let Some(row) = equal.find(|row| row.encoding.is_none_or(|named| named == encoding)) {
                return Some(row.price);
            }
            rest = &rest[rest.partition_point(|row| row.prefix.digits() >= wanted.digits())..];
        }
        None
    }
}
