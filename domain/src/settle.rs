//! The end of a hold: what is paid for in the end is settled, what is refunded is voided.
//! The first final decision of a message wins; nothing that comes later moves money.

use crate::bits::Bits;
use crate::hold::Prices;
use crate::money::Money;

/// The final decisions of a chunk so far. It cannot be built in breach of L4: the two maps
/// are disjoint and lie inside the paid prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    paid: u16,
    settled: Bits,
    voided: Bits,
}

/// The maps overlap or reach past the paid prefix (L4).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("settled and voided must be disjoint and inside the paid prefix")]
pub struct BreaksL4;

/// What one more set of final outcomes changes. Empty maps mean: no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Newly settled positions.
    pub settle: Bits,
    /// Newly voided positions.
    pub void: Bits,
}

impl Decided {
    /// A chunk with a paid prefix of `paid` messages of which nothing is decided yet.
    pub fn open(paid: u16) -> Self {
        Decided { paid, settled: Bits::EMPTY, voided: Bits::EMPTY }
    }

    /// From what a ledger row stores.
    pub fn new(paid: u16, settled: Bits, voided: Bits) -> Result<Self, BreaksL4> {
        let inside = settled.union(voided).is_subset(&Bits::prefix(usize::from(paid)));
        let disjoint = settled.intersection(voided).is_empty();
        if inside && disjoint { Ok(Decided { paid, settled, voided }) } else { Err(BreaksL4) }
    }

    /// The positions that were paid for and are not yet decided.
    pub fn undecided(&self) -> Bits {
        Bits::prefix(usize::from(self.paid)).minus(self.settled).minus(self.voided)
    }

    /// Settled positions.
    pub fn settled(&self) -> Bits {
        self.settled
    }

    /// Voided positions.
    pub fn voided(&self) -> Bits {
        self.voided
    }

    /// Takes the costs of final outcomes in: a decided position never changes, and of
    /// contradicting costs that come together the settlement wins.
    pub fn decide(&mut self, settle: Bits, void: Bits) -> Movement {
        let open = self.undecided();
        let settle = settle.intersection(open);
        let void = void.intersection(open).minus(settle);
        self.settled = self.settled.union(settle);
        self.voided = self.voided.union(void);
        Movement { settle, void }
    }
}

impl Movement {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.settle.is_empty() && self.void.is_empty()
    }

    /// What moves from held to revenue, and what from held back to the balance (the refund).
    pub fn amounts(&self, prices: &Prices) -> (Money, Money) {
        (prices.cost_of(&self.settle), prices.cost_of(&self.void))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn bits() -> impl Strategy<Value = Bits> {
        prop::collection::vec(any::<u8>(), 0..64).prop_map(|positions| positions.into_iter().collect())
    }

    proptest! {
        /// Whatever outcomes come in whatever order: L4 holds after each, decisions never
        /// change, and what moved is exactly what the maps show.
        #[test]
        fn decisions_stand(paid in 0u16..=256, outcomes in prop::collection::vec((bits(), bits()), 0..8)) {
            let mut row = Decided::open(paid);
            let (mut settled, mut voided) = (Bits::EMPTY, Bits::EMPTY);
            for (settle, void) in outcomes {
                let before = row;
                let movement = row.decide(settle, void);
                prop_assert_eq!(Decided::new(paid, row.settled(), row.voided()), Ok(row));
                prop_assert!(before.settled().is_subset(&row.settled()));
                prop_assert!(before.voided().is_subset(&row.voided()));
                prop_assert!(movement.settle.intersection(settled.union(voided)).is_empty());
                prop_assert!(movement.void.intersection(settled.union(voided)).is_empty());
                settled = settled.union(movement.settle);
                voided = voided.union(movement.void);
                prop_assert!(row.decide(settle, void).is_empty());
            }
            prop_assert_eq!((row.settled(), row.voided()), (settled, voided));
        }

        #[test]
        fn every_rial_goes_one_way(settle in bits(), void in bits(), paid in 1u16..=256) {
            let prices = Prices::new(vec![Money::new(7)], vec![], 256).unwrap();
            let mut row = Decided::open(paid);
            let held = prices.cost_of(&row.undecided());
            let (settled, refunded) = row.decide(settle, void).amounts(&prices);
            let left = prices.cost_of(&row.undecided());
            prop_assert_eq!(Money::checked_sum([settled, refunded, left]), Some(held));
        }
    }

    #[test]
    fn together_the_settlement_wins_and_first_decisions_stand() {
        let one: Bits = [0].into_iter().collect();
        let mut row = Decided::open(1);
        assert_eq!(row.decide(one, one), Movement { settle: one, void: Bits::EMPTY });
        assert!(row.decide(Bits::EMPTY, one).is_empty());
        assert_eq!(Decided::new(1, one, one), Err(BreaksL4));
        assert_eq!(Decided::new(0, one, Bits::EMPTY), Err(BreaksL4));
    }
}
