//! How the rows of a file are recognised when the file comes again: by how many they are, and
//! by a hash that rolls over them. It is over what a row says (its values), not over how it
//! is written: line ends, quotes, compression and columns that nobody asked for may differ.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The first rows of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefix {
    /// How many they are.
    pub rows: u64,
    /// The hash over them; that of none is 0.
    pub hash: u64,
}

impl Prefix {
    /// These rows and one more, of these values. (Each value is hashed with its length: "a", "bc"
    /// is another row than "ab", "c".)
    #[must_use]
    pub fn then<'v>(self, values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        let mut row = Vec::new();
        for value in values {
            row.extend_from_slice(&(value.len() as u64).to_le_bytes());
            row.extend_from_slice(value);
        }
        Prefix { rows: self.rows + 1, hash: xxh3_64_with_seed(&row, self.hash) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(rows: &[&[&str]]) -> Prefix {
        let row = |prefix: Prefix, row: &&[&str]| prefix.then(row.iter().map(|value| value.as_bytes()));
        rows.iter().fold(Prefix::default(), row)
    }

    #[test]
    fn other_rows_are_another_prefix() {
        let all = [
            of(&[]),
            of(&[&["a", "bc"]]),
            of(&[&["ab", "c"]]),
            of(&[&["a"], &["bc"]]),
            of(&[&["bc"], &["a"]]),
            of(&[&["a", "bc"], &[]]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "{at}");
        }
    }

    /// Golden: with other numbers no upload that broke off could go on after an update.
    #[test]
    fn golden_vector() {
        let prefix = of(&[&["09120000001", "Sara"], &["09120000002", "رضا"]]);
        assert_eq!(prefix, Prefix { rows: 2, hash: GOLDEN });
    }

    const GOLDEN: u64 = 7_062_427_360_530_084_432;
}
