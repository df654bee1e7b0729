//! The codes of Magfa's receipts, as data: the sender that asks for receipts and ingest that
//! is told of them read them alike.

use crate::outcome::Receipt;

/// What a receipt's status says; nothing where the operator's contract does not have the code.
/// An id that Magfa does not know (−1) says nothing: it may be older than a day.
pub const fn receipt_of(status: i16) -> Option<Receipt> {
    match status {
        -1 | 0 => Some(Receipt::Nothing),
        1 => Some(Receipt::Delivered),
        2 | 16 => Some(Receipt::Undelivered),
        8 => Some(Receipt::OnTheWay),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_table() {
        use Receipt::{Delivered, Nothing, OnTheWay, Undelivered};
        let known: Vec<_> =
            (i16::MIN..=i16::MAX).filter_map(|code| Some((code, receipt_of(code)?))).collect();
        let table =
            [(-1, Nothing), (0, Nothing), (1, Delivered), (2, Undelivered), (8, OnTheWay), (16, Undelivered)];
        assert_eq!(known, table);
    }
}
