//! How many parts a text takes, counted as an operator does, apart from smshub's own rule.

/// Characters of GSM 03.38's basic table beyond ASCII.
const GSM_BEYOND_ASCII: &str = "£¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";

/// The alphabet a text is sent in, as the answer names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alphabet {
    Default,
    Ucs2,
    Binary,
}

impl Alphabet {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "DEFAULT",
            Self::Ucs2 => "UCS2",
            Self::Binary => "BINARY",
        }
    }
}

/// The alphabet and the number of parts under one of Magfa's encodings (0 automatic,
/// 2 UCS-2, 5 8-bit, 6 binary as hex digits); none for an unknown encoding.
pub(crate) fn parts(text: &str, encoding: i64) -> Option<(Alphabet, u32)> {
    let counted = match encoding {
        0 => match text.chars().map(gsm_width).collect::<Option<Fits>>() {
            Some(Fits { units, widest }) => {
                (Alphabet::Default, count(units, widest, [160, 153], text.chars().filter_map(gsm_width)))
            }
            None => (Alphabet::Ucs2, ucs2(text)),
        },
        2 => (Alphabet::Ucs2, ucs2(text)),
        5 => (Alphabet::Binary, count(text.len(), 1, [140, 134], std::iter::empty())),
        6 => (Alphabet::Binary, count(text.len() / 2, 1, [140, 134], std::iter::empty())),
        _ => return None,
    };
    Some(counted)
}

/// The length of a text in units and the widest of its characters.
struct Fits {
    units: usize,
    widest: usize,
}

impl FromIterator<usize> for Fits {
    fn from_iter<I: IntoIterator<Item = usize>>(widths: I) -> Self {
        let start = Self { units: 0, widest: 1 };
        widths
            .into_iter()
            .fold(start, |fits, width| Self { units: fits.units + width, widest: fits.widest.max(width) })
    }
}

fn ucs2(text: &str) -> u32 {
    let fits: Fits = text.chars().map(char::len_utf16).collect();
    count(fits.units, fits.widest, [70, 67], text.chars().map(char::len_utf16))
}

/// Parts of a text of so many units: whole in `one`, else cut every `many` units, but never
/// inside a character.
fn count(units: usize, widest: usize, [one, many]: [usize; 2], widths: impl Iterator<Item = usize>) -> u32 {
    let parts = if units <= one {
        1
    } else if widest == 1 {
        units.div_ceil(many)
    } else {
        let (full, _) = widths.fold((0, many), |(parts, used), width| {
            if used + width > many { (parts + 1, width) } else { (parts, used + width) }
        });
        full
    };
    u32::try_from(parts).unwrap_or(u32::MAX)
}

/// Septets of a character in GSM 03.38; none if it is not there.
fn gsm_width(character: char) -> Option<usize> {
    match character {
        '^' | '{' | '}' | '\\' | '[' | '~' | ']' | '|' | '€' | '\u{c}' => Some(2),
        '`' => None,
        '\n' | '\r' | ' '..='~' => Some(1),
        other if other.is_ascii() => None,
        // Persian and Arabic, the bulk of the traffic, need no search.
        '\u{600}'..='\u{6ff}' => None,
        other => GSM_BEYOND_ASCII.contains(other).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gsm_borders() {
        for (length, parts_wanted) in [(0, 1), (1, 1), (160, 1), (161, 2), (306, 2), (307, 3)] {
            assert_eq!(parts(&"a".repeat(length), 0), Some((Alphabet::Default, parts_wanted)), "{length}");
        }
    }

    #[test]
    fn escapes_cost_two_and_are_not_cut() {
        assert_eq!(parts(&"€".repeat(80), 0), Some((Alphabet::Default, 1)));
        // 76 escapes (152 septets) fit into a part of 153.
        assert_eq!(parts(&"€".repeat(152), 0), Some((Alphabet::Default, 2)));
        assert_eq!(parts(&"€".repeat(153), 0), Some((Alphabet::Default, 3)));
    }

    #[test]
    fn persian_borders() {
        for (length, parts_wanted) in [(70, 1), (71, 2), (134, 2), (135, 3)] {
            assert_eq!(parts(&"س".repeat(length), 0), Some((Alphabet::Ucs2, parts_wanted)), "{length}");
        }
        assert_eq!(parts("hello", 2), Some((Alphabet::Ucs2, 1)));
        assert_eq!(parts("a\u{200c}`", 0), Some((Alphabet::Ucs2, 1)));
    }

    #[test]
    fn surrogates_are_not_cut() {
        assert_eq!(parts(&"😀".repeat(35), 0), Some((Alphabet::Ucs2, 1)));
        assert_eq!(parts(&"😀".repeat(66), 0), Some((Alphabet::Ucs2, 2)));
        assert_eq!(parts(&"😀".repeat(67), 0), Some((Alphabet::Ucs2, 3)));
    }

    #[test]
    fn other_encodings() {
        assert_eq!(parts(&"00".repeat(141), 6), Some((Alphabet::Binary, 2)));
        assert_eq!(parts("x", 5), Some((Alphabet::Binary, 1)));
        assert_eq!(parts("x", 1), None);
    }
}
