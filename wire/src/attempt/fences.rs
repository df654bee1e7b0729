//! Which records of a partition of sms.attempts count, for every reader.

use domain::outcome::Outcome;

/// The fences of a partition, as its records are read in order.
///
/// What a lower epoch wrote behind a higher fence never happened: its writer's deadline had
/// passed, so no bytes went out. Closing outcomes count whatever their epoch, because a call
/// that was under way when its writer lost the partition did end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fences {
    highest: i64,
}

/// A record behind the fence of a later holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The epoch of that holder.
    pub epoch: i64,
}

impl Fences {
    /// Of records that lie behind the fence of `epoch`.
    pub const fn behind(epoch: i64) -> Self {
        Fences { highest: epoch }
    }

    /// Passes the next record, of this epoch. Where it lies behind a higher fence its intents
    /// are void, and so are its outcomes but those of which [`Behind::voids`] says no.
    pub fn pass(&mut self, epoch: i64) -> Option<Behind> {
        let behind = (epoch < self.highest).then_some(Behind { epoch: self.highest });
        // Any record of an epoch proves that its fence lies before it.
        self.highest = self.highest.max(epoch);
        behind
    }
}

impl Behind {
    /// Whether an outcome in the record is void.
    pub const fn voids(self, outcome: Outcome) -> bool {
        !outcome.closes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lower_epoch_behind_a_higher_fence_is_void_unless_it_closes() {
        let mut fences = Fences::default();
        let found: Vec<_> = [1, 1, 3, 2, 3, 1, 4, 3].map(|epoch| fences.pass(epoch)).to_vec();
        let behind = |epoch| Some(Behind { epoch });
        assert_eq!(found, [None, None, None, behind(3), None, behind(3), None, behind(4)]);
        assert_eq!(Fences::behind(5).pass(4), behind(5));
        for outcome in Outcome::ALL {
            assert_eq!(Behind { epoch: 1 }.voids(outcome), !outcome.closes());
        }
    }
}
