//! Opt-outs of the last days as numbers of 64 bits. Pure.

use domain::phone::Msisdn;
use std::collections::HashMap;
use xxhash_rust::xxh3::Xxh3;

/// One change of the list of opt-outs.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Change {
    /// Of two changes of one recipient the later has the higher id.
    pub(super) id: i64,
    #[sqlx(rename = "account_id")]
    pub(super) account: i64,
    pub(super) number: i64,
    /// Empty: all lines of the account.
    pub(super) line: String,
    pub(super) removed: bool,
}

/// The last change of each recipient.
///
/// A hash stands for account, line and number: that two of them share one and a message is
/// withheld for it happens once in 10,000,000,000 messages where a million are known, and the
/// customer sees why it was.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<u64, Last>);

#[derive(Clone, Copy, Debug)]
struct Last {
    id: i64,
    removed: bool,
}

impl Known {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes a change in. It may be known already, or come after a later one.
    pub(super) fn take(&mut self, change: &Change) {
        let last = Last { id: change.id, removed: change.removed };
        let known =
            self.0.entry(hash(change.account, &change.line, change.number.unsigned_abs())).or_insert(last);
        if known.id < last.id {
            *known = last;
        }
    }

    /// Forgets changes before this one; all, where there is none any more.
    pub(super) fn forget_before(&mut self, oldest: Option<i64>) {
        match oldest {
            Some(oldest) => self.0.retain(|_, last| last.id >= oldest),
            None => self.0.clear(),
        }
    }

    /// Whether the recipient opted out of this line, or of all of the account's.
    pub(super) fn contains(&self, account: i64, line: &str, recipient: Msisdn) -> bool {
        let is_out =
            |line: &str| self.0.get(&hash(account, line, recipient.get())).is_some_and(|last| !last.removed);
        !self.0.is_empty() && (is_out("") || is_out(line))
    }
}

fn hash(account: i64, line: &str, number: u64) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(&account.to_le_bytes());
    hash.update(&number.to_le_bytes());
    hash.update(line.as_bytes());
    hash.digest()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NUMBER: i64 = 989_121_234_567;

    fn change(id: i64, line: &str, removed: bool) -> Change {
        Change { id, account: 7, number: NUMBER, line: line.into(), removed }
    }

    fn known(changes: &[Change]) -> Known {
        let mut known = Known::default();
        changes.iter().for_each(|change| known.take(change));
        known
    }

    fn is_out(known: &Known, account: i64, line: &str) -> bool {
        known.contains(account, line, Msisdn::from_canonical(NUMBER.unsigned_abs()).unwrap())
    }

    #[test]
    fn of_one_line_or_of_all_of_one_account() {
        let of_one = known(&[change(1, "100002", false)]);
        assert!(is_out(&of_one, 7, "100002"));
        assert!(!is_out(&of_one, 7, "100003") && !is_out(&of_one, 8, "100002"));
        let of_all = known(&[change(1, "", false)]);
        assert!(is_out(&of_all, 7, "100003") && !is_out(&of_all, 8, "100003"));
    }

    #[test]
    fn the_last_change_counts_in_whatever_order_they_are_read() {
        let (out, back) = (change(1, "", false), change(2, "", true));
        assert!(!is_out(&known(&[out.clone(), back.clone()]), 7, "x"));
        assert!(!is_out(&known(&[back.clone(), out.clone()]), 7, "x"));
        assert!(!is_out(&known(&[back, out.clone(), out.clone()]), 7, "x"));
        assert!(is_out(&known(&[change(3, "", false), out]), 7, "x"));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let mut known = known(&[change(1, "a", false), change(5, "b", false)]);
        known.forget_before(Some(5));
        assert!(known.len() == 1 && is_out(&known, 7, "b"));
        known.forget_before(None);
        assert_eq!(known.len(), 0);
    }
}
