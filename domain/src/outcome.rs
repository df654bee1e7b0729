//! What became of one attempt to hand a message to an operator.

/// Why a message was finally refused, which decides the status it ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The operator finally refused it.
    Operator,
    /// The recipient is on the operator's blacklist.
    Blocked,
    /// The recipient opted out with us.
    OptedOut,
    /// The customer cancelled it.
    Canceled,
    /// A person dropped it from the dead letters.
    Dropped,
}

/// What became of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The operator has it, under an id of its own.
    Taken,
    /// It is finally refused.
    Refused(Refusal),
    /// `send_by` passed before an operator took it.
    Expired,
    /// The operator may have it and cannot be asked: a receipt will tell.
    LeftToReceipt,
    /// The operator refused it as transient: it may be tried again.
    Retry,
    /// It certainly did not reach the operator.
    NotSent,
    /// It may have reached the operator: it is looked up before anything else.
    Unknown,
}

impl Outcome {
    /// Whether no attempt may follow this outcome.
    pub const fn closes(self) -> bool {
        match self {
            Outcome::Taken | Outcome::Refused(_) | Outcome::Expired | Outcome::LeftToReceipt => true,
            Outcome::Retry | Outcome::NotSent | Outcome::Unknown => false,
        }
    }

    /// The number stored in records; it never changes meaning.
    pub const fn code(self) -> u8 {
        match self {
            Outcome::Taken => 1,
            Outcome::Refused(Refusal::Operator) => 2,
            Outcome::Refused(Refusal::Blocked) => 3,
            Outcome::Refused(Refusal::OptedOut) => 4,
            Outcome::Refused(Refusal::Canceled) => 5,
            Outcome::Refused(Refusal::Dropped) => 6,
            Outcome::Expired => 7,
            Outcome::LeftToReceipt => 8,
            Outcome::Retry => 9,
            Outcome::NotSent => 10,
            Outcome::Unknown => 11,
        }
    }

    /// All outcomes, in the order of their numbers.
    pub const ALL: [Outcome; 11] = [
        Outcome::Taken,
        Outcome::Refused(Refusal::Operator),
        Outcome::Refused(Refusal::Blocked),
        Outcome::Refused(Refusal::OptedOut),
        Outcome::Refused(Refusal::Canceled),
        Outcome::Refused(Refusal::Dropped),
        Outcome::Expired,
        Outcome::LeftToReceipt,
        Outcome::Retry,
        Outcome::NotSent,
        Outcome::Unknown,
    ];

    /// The outcome with this stored number.
    pub fn from_code(code: u8) -> Option<Outcome> {
        Outcome::ALL.get(usize::from(code.checked_sub(1)?)).copied()
    }

    /// The word for logs, metrics and `trace`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Taken => "taken",
            Outcome::Refused(Refusal::Operator) => "refused",
            Outcome::Refused(Refusal::Blocked) => "blocked",
            Outcome::Refused(Refusal::OptedOut) => "opted_out",
            Outcome::Refused(Refusal::Canceled) => "canceled",
            Outcome::Refused(Refusal::Dropped) => "dropped",
            Outcome::Expired => "expired",
            Outcome::LeftToReceipt => "left_to_receipt",
            Outcome::Retry => "retry",
            Outcome::NotSent => "not_sent",
            Outcome::Unknown => "unknown",
        }
    }
}

/// The attempt of a receipt that comes with our id alone and so does not say which attempt it
/// belongs to: it belongs to whichever closed the message, since no other reached the operator.
pub const CLOSING_ATTEMPT: u8 = 0;

/// What an operator's receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Receipt {
    /// Nothing is known yet.
    Nothing,
    /// It reached the operator's network; a final receipt follows.
    OnTheWay,
    /// It reached the handset.
    Delivered,
    /// It finally did not reach the handset.
    Undelivered,
}

impl Receipt {
    /// The number stored in records; it never changes meaning.
    pub const fn code(self) -> u8 {
        match self {
            Receipt::Nothing => 1,
            Receipt::OnTheWay => 2,
            Receipt::Delivered => 3,
            Receipt::Undelivered => 4,
        }
    }

    /// The receipt with this stored number.
    pub const fn from_code(code: u8) -> Option<Receipt> {
        match code {
            1 => Some(Receipt::Nothing),
            2 => Some(Receipt::OnTheWay),
            3 => Some(Receipt::Delivered),
            4 => Some(Receipt::Undelivered),
            _ => None,
        }
    }

    /// The word for logs, metrics and `trace`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Receipt::Nothing => "nothing",
            Receipt::OnTheWay => "on_the_way",
            Receipt::Delivered => "delivered",
            Receipt::Undelivered => "undelivered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_lead_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::from_code(outcome.code()), Some(outcome));
        }
        assert_eq!(Outcome::from_code(0), None);
        assert_eq!(Outcome::from_code(12), None);
        for code in 0..=u8::MAX {
            assert!(Receipt::from_code(code).is_none_or(|receipt| receipt.code() == code));
        }
    }

    #[test]
    fn only_what_an_operator_holds_or_never_will_closes() {
        let open: Vec<_> = Outcome::ALL.into_iter().filter(|outcome| !outcome.closes()).collect();
        assert_eq!(open, [Outcome::Retry, Outcome::NotSent, Outcome::Unknown]);
    }
}
