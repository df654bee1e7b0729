//! What each final status costs: a table of the installation's settings.

use super::Status;
use crate::bits::Bits;
use serde::{Deserialize, Serialize};

/// What becomes of a message's hold when the message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cost {
    /// It is settled: held → revenue.
    Paid,
    /// It is voided: held → balance.
    Refunded,
}

/// The policy table: one entry for each final status of a message that was held for.
/// `refused` is not among them: it was never held for and never costs anything.
///
/// It is asked once, when a message becomes final; what was decided then stands, whatever
/// the table says later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Costs {
    /// It reached the handset.
    pub delivered: Cost,
    /// It finally did not, or nobody ever said.
    pub undelivered: Cost,
    /// Finally refused by the operator, or dropped by a person.
    pub failed: Cost,
    /// Not handed over in time.
    pub expired: Cost,
    /// The recipient opted out, or is on the operator's blacklist.
    pub blocked: Cost,
    /// Cancelled by the customer before it was sent.
    pub canceled: Cost,
}

impl Default for Costs {
    /// Delivered is paid, everything else refunded.
    fn default() -> Self {
        Costs {
            delivered: Cost::Paid,
            undelivered: Cost::Refunded,
            failed: Cost::Refunded,
            expired: Cost::Refunded,
            blocked: Cost::Refunded,
            canceled: Cost::Refunded,
        }
    }
}

impl Costs {
    /// What a message that ended so costs. Nothing moves where it is not final, or was never
    /// held for.
    pub const fn of(&self, status: Status) -> Option<Cost> {
        match status {
            Status::Queued | Status::Sent | Status::Refused => None,
            Status::Delivered => Some(self.delivered),
            Status::Undelivered => Some(self.undelivered),
            Status::Failed => Some(self.failed),
            Status::Expired => Some(self.expired),
            Status::Blocked => Some(self.blocked),
            Status::Canceled => Some(self.canceled),
        }
    }

    /// Of messages by position: those whose hold is settled, and those whose hold is voided.
    pub fn split(&self, ended: impl IntoIterator<Item = (u8, Status)>) -> (Bits, Bits) {
        let (mut settle, mut void) = (Bits::EMPTY, Bits::EMPTY);
        for (position, status) in ended {
            match self.of(status) {
                Some(Cost::Paid) => settle.insert(position),
                Some(Cost::Refunded) => void.insert(position),
                None => {}
            }
        }
        (settle, void)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost() -> impl Strategy<Value = Cost> {
        prop::sample::select(&[Cost::Paid, Cost::Refunded][..])
    }

    prop_compose! {
        fn any_table()(
            delivered in cost(), undelivered in cost(), failed in cost(),
            expired in cost(), blocked in cost(), canceled in cost(),
        ) -> Costs {
            Costs { delivered, undelivered, failed, expired, blocked, canceled }
        }
    }

    proptest! {
        /// Whatever the table: final statuses that were held for cost one or the other, all
        /// others nothing.
        #[test]
        fn only_final_statuses_that_were_held_for_cost(costs in any_table()) {
            for (position, status) in (0..).zip(Status::ALL) {
                let held_for = status.is_final() && status != Status::Refused;
                prop_assert_eq!(costs.of(status).is_some(), held_for);
                let (settle, void) = costs.split([(position, status)]);
                prop_assert_eq!(settle.contains(position), costs.of(status) == Some(Cost::Paid));
                prop_assert_eq!(void.contains(position), costs.of(status) == Some(Cost::Refunded));
            }
        }
    }

    #[test]
    fn by_default_delivered_is_paid_and_everything_else_refunded() {
        let paid: Vec<_> = Status::ALL
            .into_iter()
            .filter(|status| Costs::default().of(*status) == Some(Cost::Paid))
            .collect();
        assert_eq!(paid, [Status::Delivered]);
    }
}
