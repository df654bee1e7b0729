//! The two encodings of a text on the air.

use super::gsm7;
use std::fmt;
use std::str::FromStr;

/// How a text is carried, which decides how much of it fits into a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// The GSM 03.38 default alphabet with its extension table, in septets.
    Gsm7,
    /// UCS-2, in practice UTF-16: everything else, so all Persian text.
    Ucs2,
}

impl Encoding {
    /// Both encodings.
    pub const ALL: [Encoding; 2] = [Encoding::Gsm7, Encoding::Ucs2];

    /// The name used in records, rows, settings and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Encoding::Gsm7 => "gsm7",
            Encoding::Ucs2 => "ucs2",
        }
    }

    /// Units (septets or UTF-16 units) that a single part holds.
    pub const fn single_limit(self) -> usize {
        match self {
            Encoding::Gsm7 => 160,
            Encoding::Ucs2 => 70,
        }
    }

    /// Units that each of several parts holds, beside its six-octet header.
    pub const fn part_limit(self) -> usize {
        match self {
            Encoding::Gsm7 => 153,
            Encoding::Ucs2 => 67,
        }
    }

    /// Units that a character costs, in a text known to be of this encoding.
    pub(super) fn width(self, character: char) -> usize {
        match self {
            Encoding::Gsm7 => gsm7::width(character),
            Encoding::Ucs2 => character.len_utf16(),
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected one of gsm7, ucs2")]
pub struct UnknownEncoding;

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Encoding::ALL.into_iter().find(|encoding| encoding.as_str() == text).ok_or(UnknownEncoding)
    }
}
