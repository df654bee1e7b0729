//! Magfa's codes, each to its class. The table of the operator's contract.

use domain::outcome::{Receipt, Refusal};

/// What follows a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Too much at once: later, and it does not count as a try.
    Throttle,
    /// Our own configuration is refused: a person must look; messages wait.
    Stop,
    /// Our own defect: sending it again as it is would be refused again.
    Defect,
    /// Finally refused.
    Final(Refusal),
}

/// The class of a code of `/send`, whether of the whole call or of one message.
pub(crate) const fn class_of(code: i16) -> Class {
    match code {
        15 | 23 | 429 => Class::Throttle,
        2 | 14 | 16 | 18 | 20 | 22 | 29 => Class::Stop,
        1 | 8 | 13 | 28 | 30 | 34 | 35 => Class::Final(Refusal::Operator),
        27 | 33 => Class::Final(Refusal::Blocked),
        // 3, 4, 6, 17, 19, 24, 25, 31, 101 to 110, and whatever is added later.
        _ => Class::Defect,
    }
}

/// What a status of `/statuses` says; nothing where the contract does not have it.
pub(crate) const fn receipt_of(status: i16) -> Receipt {
    match domain::magfa::receipt_of(status) {
        Some(receipt) => receipt,
        None => Receipt::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_table() {
        let classes: [(&[i16], Class); 5] = [
            (&[15, 23], Class::Throttle),
            (&[2, 14, 16, 18, 20, 22, 29], Class::Stop),
            (&[3, 4, 6, 17, 19, 24, 25, 31, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110], Class::Defect),
            (&[1, 8, 13, 28, 30, 34, 35], Class::Final(Refusal::Operator)),
            (&[27, 33], Class::Final(Refusal::Blocked)),
        ];
        for (codes, class) in classes {
            for code in codes {
                assert_eq!(class_of(*code), class, "code {code}");
            }
        }
        let receipts = [-1, 0, 1, 2, 8, 16].map(receipt_of);
        use Receipt::{Delivered, Nothing, OnTheWay, Undelivered};
        assert_eq!(receipts, [Nothing, Nothing, Delivered, Undelivered, OnTheWay, Undelivered]);
    }
}
