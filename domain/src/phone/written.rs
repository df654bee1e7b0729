//! What is left of an input when everything that only serves the eye is taken away.

use super::INPUT_CHARACTERS_MAX;

/// A number as it was written: a leading `+` or none, then ASCII digits. On the stack.
pub(super) struct Written {
    text: [u8; INPUT_CHARACTERS_MAX],
    len: usize,
    /// The digits as a number; wrapped, so of no meaning, beyond nineteen digits.
    value: u64,
}

impl Written {
    /// Reads an input; nothing where it is too long or has a character that no number has.
    pub(super) fn read(input: &str) -> Option<Written> {
        let mut written = Written { text: [0; INPUT_CHARACTERS_MAX], len: 0, value: 0 };
        for (at, character) in input.chars().enumerate() {
            if at == INPUT_CHARACTERS_MAX {
                return None;
            }
            match character {
                '0'..='9' => written.push_digit(character, '0'),
                '۰'..='۹' => written.push_digit(character, '۰'),
                '٠'..='٩' => written.push_digit(character, '٠'),
                '+' if written.len == 0 => written.push(b'+'),
                _ if is_separator(character) => {}
                _ => return None,
            }
        }
        Some(written)
    }

    /// The `+`, if any, and the digits.
    pub(super) fn as_str(&self) -> &str {
        // Only ASCII is ever pushed, so this never falls back.
        std::str::from_utf8(&self.text[..self.len]).unwrap_or_default()
    }

    /// Whether it begins with `+`.
    pub(super) fn international(&self) -> bool {
        self.text[0] == b'+'
    }

    /// How many digits, and their value; the value holds up to nineteen digits.
    pub(super) fn digits(&self) -> (usize, u64) {
        (self.len - usize::from(self.international()), self.value)
    }

    fn push_digit(&mut self, character: char, zero: char) {
        #[allow(clippy::cast_possible_truncation)] // a difference of 0 to 9
        let digit = (character as u32 - zero as u32) as u8;
        self.value = self.value.wrapping_mul(10).wrapping_add(u64::from(digit));
        self.push(b'0' + digit);
    }

    /// One push for each character at most, and their number was checked: it fits.
    fn push(&mut self, byte: u8) {
        self.text[self.len] = byte;
        self.len += 1;
    }
}

/// Spaces, marks without width, dashes, dots and parentheses. Tabs and line ends are not
/// among them: they rather part two numbers than the groups of one.
fn is_separator(character: char) -> bool {
    matches!(character,
        ' ' | '\u{A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' | '\u{3000}'
        | '\u{200C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' | '\u{FF0D}'
        | '.' | '(' | ')')
}
