//! Recipients that are valid, and plainly nobody's: the last seven digits are 000xxxx, as
//! in `samples/make_recipients.py`.

const PREFIXES: [&str; 12] =
    ["910", "912", "914", "915", "917", "919", "901", "921", "933", "935", "936", "990"];
const TAILS: usize = 10_000;

/// The number at a place of the list (which is repeated after 120,000), in the forms that
/// most customers use.
pub(crate) fn written(place: usize) -> String {
    let prefix = PREFIXES[place % PREFIXES.len()];
    let tail = place / PREFIXES.len() % TAILS;
    let before = match place % 5 {
        0 => "+98",
        1 => "98",
        _ => "0",
    };
    format!("{before}{prefix}000{tail:04}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn numbers_are_synthetic_and_differ() {
        let all: HashSet<String> = (0..PREFIXES.len() * TAILS).map(written).collect();
        assert_eq!(all.len(), PREFIXES.len() * TAILS);
        for number in &all {
            let national = &number[number.len() - 10..];
            assert!(national.starts_with('9') && &national[3..6] == "000", "{number}");
        }
    }
}
