//! Rows that are left out because they are not valid: counted by code, the first of the file named.

use std::collections::BTreeMap;
use std::io::Write;

/// Rows named of those left out: a file may hold millions of them.
const NAMED_MAX: usize = 5;

/// The rows left out, told in any order.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    by_code: BTreeMap<String, u64>,
    /// The lowest of the rows told so far, at most `NAMED_MAX`: calls end in any order, and a
    /// person reads the file from its beginning.
    first: BTreeMap<u64, String>,
}

impl LeftOut {
    /// This row is left out; each is told once.
    pub(super) fn add(&mut self, row: u64, code: &str) {
        if let Some(count) = self.by_code.get_mut(code) {
            *count += 1;
        } else {
            self.by_code.insert(code.to_owned(), 1);
        }
        let last = self.first.last_key_value().map(|(last, _)| *last);
        if self.first.len() < NAMED_MAX || last.is_some_and(|last| row < last) {
            self.first.insert(row, code.to_owned());
        }
        if self.first.len() > NAMED_MAX {
            self.first.pop_last();
        }
    }

    /// How many, by code.
    pub(super) fn by_code(&self) -> &BTreeMap<String, u64> {
        &self.by_code
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.by_code.values().sum()
    }

    /// The first of them in the order of the file, a line each, and how many are not named.
    pub(super) fn write_rows(&self, out: &mut impl Write) -> std::io::Result<()> {
        for (row, code) in &self.first {
            writeln!(out, "              row {row}: {code}")?;
        }
        match self.count() - self.first.len() as u64 {
            0 => Ok(()),
            more => writeln!(out, "              and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn written(left_out: &LeftOut) -> String {
        let mut out = Vec::new();
        left_out.write_rows(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn as_many_as_are_named_need_no_more() {
        let mut left_out = LeftOut::default();
        assert_eq!(written(&left_out), "");
        for row in (1..=NAMED_MAX as u64).rev() {
            left_out.add(row, "text_empty");
        }
        assert!(written(&left_out).starts_with("              row 1: text_empty\n"));
        assert!(!written(&left_out).contains("more"));
        left_out.add(9, "text_empty");
        assert!(written(&left_out).ends_with("row 5: text_empty\n              and 1 more\n"));
    }

    proptest! {
        /// In whatever order they are told: the first of the file, none lost from the count,
        /// and no more kept than are named.
        #[test]
        fn the_order_of_the_answers_does_not_show(
            rows in Just((1..=200).collect::<Vec<u64>>()).prop_shuffle(),
            count in 0..40_usize,
        ) {
            let told = &rows[..count];
            let mut sorted = told.to_vec();
            sorted.sort_unstable();
            let mut left_out = LeftOut::default();
            for row in told {
                left_out.add(*row, if row % 2 == 0 { "even" } else { "odd" });
                prop_assert!(left_out.first.len() <= NAMED_MAX);
            }
            prop_assert_eq!(left_out.count(), count as u64);
            let named: Vec<u64> = left_out.first.keys().copied().collect();
            prop_assert_eq!(&named[..], &sorted[..count.min(NAMED_MAX)]);
            prop_assert!(left_out.first.iter().all(|(row, code)| (row % 2 == 0) == (code == "even")));
        }
    }
}
