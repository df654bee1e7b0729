//! The status of a message: what the customer sees, and how it ends.

mod costs;
mod counts;
mod merge;

pub use costs::{Cost, Costs};
pub use counts::{COUNTS_BYTES, StatusCounts};
pub use merge::{Corrupt, Fact, MessageState, STATE_BYTES};

/// Where a message is on its way. The order of the numbers is the order of the journey:
/// a status never moves backwards (M2), and the final ones never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// Ours, not yet taken by an operator.
    Queued = 1,
    /// An operator took it, or may have.
    Sent = 2,
    /// Final receipt: it reached the handset.
    Delivered = 10,
    /// Final receipt: it did not, or none came within the operator's window.
    Undelivered = 11,
    /// Finally refused by the operator, or by us after paying.
    Failed = 12,
    /// Not handed over before `send_by`.
    Expired = 13,
    /// Not enough balance when its turn came; never held.
    Refused = 14,
    /// The recipient opted out, or is on an operator's blacklist.
    Blocked = 15,
    /// Cancelled by the customer before it was sent.
    Canceled = 16,
}

impl Status {
    /// All statuses, in the order of the journey.
    pub const ALL: [Status; 9] = [
        Status::Queued,
        Status::Sent,
        Status::Delivered,
        Status::Undelivered,
        Status::Failed,
        Status::Expired,
        Status::Refused,
        Status::Blocked,
        Status::Canceled,
    ];

    /// Whether nothing changes it any more.
    pub const fn is_final(self) -> bool {
        self as u8 >= Status::Delivered as u8
    }

    /// The number stored in rows; it never changes meaning.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The status with this stored number.
    pub fn from_code(code: u8) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.code() == code)
    }

    /// The word the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Queued => "queued",
            Status::Sent => "sent",
            Status::Delivered => "delivered",
            Status::Undelivered => "undelivered",
            Status::Failed => "failed",
            Status::Expired => "expired",
            Status::Refused => "refused",
            Status::Blocked => "blocked",
            Status::Canceled => "canceled",
        }
    }
}

/// Why a message is in its status, where the status alone does not say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Nothing to add.
    #[default]
    None = 0,
    /// The operator may have it, but never confirmed it.
    Unconfirmed = 1,
    /// The operator refused it.
    RefusedByOperator = 2,
    /// On an operator's blacklist.
    Blacklisted = 3,
    /// The recipient opted out.
    OptedOut = 4,
    /// Dropped by a person from the dead letters.
    Dropped = 5,
    /// The balance did not suffice.
    InsufficientFunds = 6,
    /// The handset was not reached.
    NotReached = 7,
}

impl Reason {
    const ALL: [Reason; 8] = [
        Reason::None,
        Reason::Unconfirmed,
        Reason::RefusedByOperator,
        Reason::Blacklisted,
        Reason::OptedOut,
        Reason::Dropped,
        Reason::InsufficientFunds,
        Reason::NotReached,
    ];

    fn from_code(code: u8) -> Option<Reason> {
        Reason::ALL.get(usize::from(code)).copied()
    }

    /// The stable word the API uses; nothing for [`Reason::None`].
    pub const fn as_str(self) -> Option<&'static str> {
        match self {
            Reason::None => None,
            Reason::Unconfirmed => Some("unconfirmed"),
            Reason::RefusedByOperator => Some("refused_by_operator"),
            Reason::Blacklisted => Some("blacklisted"),
            Reason::OptedOut => Some("opted_out"),
            Reason::Dropped => Some("dropped"),
            Reason::InsufficientFunds => Some("insufficient_funds"),
            Reason::NotReached => Some("not_reached"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back() {
        for status in Status::ALL {
            assert_eq!(Status::from_code(status.code()), Some(status));
        }
        for (code, reason) in (0u8..).zip(Reason::ALL) {
            assert_eq!(reason as u8, code);
            assert_eq!(Reason::from_code(code), Some(reason));
        }
        assert_eq!(Status::from_code(3), None);
        assert_eq!(Reason::from_code(8), None);
    }

    #[test]
    fn only_queued_and_sent_are_open() {
        let open: Vec<_> = Status::ALL.into_iter().filter(|status| !status.is_final()).collect();
        assert_eq!(open, [Status::Queued, Status::Sent]);
    }
}
