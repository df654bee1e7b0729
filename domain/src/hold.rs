//! Billing: what a chunk costs, and how much of it a balance pays for.

use crate::bits::Bits;
use crate::id::CHUNK_MESSAGES_MAX;
use crate::money::Money;

/// Different prices inside one chunk at most; ingest cuts a chunk before it has more.
pub const DISTINCT_PRICES_MAX: usize = 16;

/// The price of every message of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    distinct: Vec<Money>,
    /// For each message the position in `distinct`; empty where there is one price.
    index: Vec<u8>,
    count: u16,
}

/// Why a list of prices is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    /// A chunk has 1 to 256 messages.
    #[error("a chunk has 1 to 256 messages")]
    Count,
    /// More than [`DISTINCT_PRICES_MAX`] different prices, or none.
    #[error("a chunk has 1 to 16 different prices")]
    Distinct,
    /// The index does not name a price for each message.
    #[error("the price index does not fit the messages")]
    Index,
    /// A price below zero, or a sum beyond 63 bits.
    #[error("the prices do not add up to an amount")]
    Amount,
}

impl Prices {
    /// From what a ledger row stores: the different prices, one index byte a message
    /// (empty where there is one price), and the number of messages.
    pub fn new(distinct: Vec<Money>, index: Vec<u8>, count: usize) -> Result<Self, PricesError> {
        let short = u16::try_from(count).map_err(|_| PricesError::Count)?;
        if count == 0 || count > CHUNK_MESSAGES_MAX {
            return Err(PricesError::Count);
        }
        if distinct.is_empty() || distinct.len() > DISTINCT_PRICES_MAX {
            return Err(PricesError::Distinct);
        }
        let one_each = index.len() == count && index.iter().all(|i| usize::from(*i) < distinct.len());
        if !(one_each || index.is_empty() && distinct.len() == 1) {
            return Err(PricesError::Index);
        }
        if distinct.iter().any(|price| *price < Money::ZERO) {
            return Err(PricesError::Amount);
        }
        let prices = Prices { distinct, index, count: short };
        Money::checked_sum((0..count).map(|i| prices.at(i))).ok_or(PricesError::Amount)?;
        Ok(prices)
    }

    /// From the price of each message, in order.
    pub fn of_each(each: &[Money]) -> Result<Self, PricesError> {
        let mut distinct: Vec<Money> = Vec::new();
        let mut index = Vec::with_capacity(each.len());
        for price in each {
            let position = distinct.iter().position(|known| known == price).unwrap_or_else(|| {
                distinct.push(*price);
                distinct.len() - 1
            });
            index.push(u8::try_from(position).map_err(|_| PricesError::Distinct)?);
        }
        if distinct.len() == 1 {
            index.clear();
        }
        Prices::new(distinct, index, each.len())
    }

    /// The different prices.
    pub fn distinct(&self) -> &[Money] {
        &self.distinct
    }

    /// One byte a message, the position in [`Prices::distinct`]; empty where uniform.
    pub fn index(&self) -> &[u8] {
        &self.index
    }

    /// How many messages are priced: 1 to 256.
    pub fn count(&self) -> usize {
        usize::from(self.count)
    }

    /// The price of the message at `index`, nothing beyond the end.
    pub fn get(&self, index: usize) -> Option<Money> {
        (index < self.count()).then(|| self.at(index))
    }

    /// The sum over the positions of `bits`; positions beyond the end cost nothing.
    pub fn cost_of(&self, bits: &Bits) -> Money {
        // The sum over all positions was checked when this was built.
        Money::checked_sum(bits.iter().filter_map(|i| self.get(usize::from(i)))).unwrap_or(Money::ZERO)
    }

    fn at(&self, index: usize) -> Money {
        let position = self.index.get(index).copied().unwrap_or(0);
        self.distinct.get(usize::from(position)).copied().unwrap_or(Money::ZERO)
    }
}

/// What billing decided of one chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The length of the prefix that is paid for; zero: the chunk is refused.
    pub paid: u16,
    /// What is held for that prefix.
    pub cost: Money,
}

/// The longest prefix of the chunk that `available` covers, and its cost.
///
/// `available` is the balance less what the account's earlier chunks of the same
/// transaction took.
pub fn decide(available: Money, prices: &Prices) -> Hold {
    let mut hold = Hold { paid: 0, cost: Money::ZERO };
    for index in 0..prices.count() {
        match hold.cost.checked_add(prices.at(index)) {
            Some(cost) if cost <= available => hold = Hold { paid: hold.paid + 1, cost },
            _ => break,
        }
    }
    hold
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn some_prices() -> impl Strategy<Value = Vec<Money>> {
        prop::collection::vec((0i64..10).prop_map(|units| Money::new(units * 1000)), 1..=256)
    }

    proptest! {
        #[test]
        fn prices_lead_back(each in some_prices()) {
            let prices = Prices::of_each(&each).unwrap();
            let back: Vec<_> = (0..each.len()).map(|i| prices.get(i).unwrap()).collect();
            prop_assert_eq!(back, each.clone());
            prop_assert_eq!(prices.get(each.len()), None);
            let stored = Prices::new(prices.distinct().to_vec(), prices.index().to_vec(), prices.count());
            prop_assert_eq!(stored, Ok(prices));
        }

        /// The prefix is affordable, and one message more would not be.
        #[test]
        fn the_longest_affordable_prefix(each in some_prices(), available in 0i64..600_000) {
            let prices = Prices::of_each(&each).unwrap();
            let hold = decide(Money::new(available), &prices);
            let sum = |n: usize| each[..n].iter().map(|price| price.get()).sum::<i64>();
            let paid = usize::from(hold.paid);
            prop_assert_eq!(hold.cost.get(), sum(paid));
            prop_assert_eq!(hold.cost, prices.cost_of(&Bits::prefix(paid)));
            prop_assert!(hold.cost.get() <= available);
            prop_assert!(paid == each.len() || sum(paid + 1) > available);
        }
    }

    #[test]
    fn what_cannot_be_prices_is_refused() {
        let one = Money::new(1);
        assert_eq!(Prices::of_each(&[]), Err(PricesError::Count));
        assert_eq!(Prices::of_each(&[one; 257]), Err(PricesError::Count));
        assert_eq!(Prices::new(vec![], vec![], 1), Err(PricesError::Distinct));
        assert_eq!(Prices::new(vec![one; 2], vec![], 1), Err(PricesError::Index));
        assert_eq!(Prices::new(vec![one; 2], vec![2], 1), Err(PricesError::Index));
        assert_eq!(Prices::of_each(&[Money::new(-1)]), Err(PricesError::Amount));
        assert_eq!(Prices::of_each(&[Money::new(i64::MAX); 2]), Err(PricesError::Amount));
        let many: Vec<_> = (0..17).map(Money::new).collect();
        assert_eq!(Prices::of_each(&many), Err(PricesError::Distinct));
    }
}
