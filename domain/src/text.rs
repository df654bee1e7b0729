//! The text of a message: its encoding, its length in that encoding, and its parts.
//!
//! An operator counts and charges parts ("segments"). A text of GSM 03.38 characters has
//! 160 septets in a single part and 153 in each of several; any other text is sent as
//! UCS-2, with 70 and 67 UTF-16 units. A character that costs two units (one of the GSM
//! extension table, or a surrogate pair) never lies across two parts, so a long text can
//! need one part more than its length suggests.

mod encoding;
mod gsm7;
mod split;
#[cfg(test)]
mod tests;

pub use encoding::{Encoding, UnknownEncoding};
pub use split::{Parts, split};

/// What a text costs to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// GSM-7 where it has every character of the text, else UCS-2.
    pub encoding: Encoding,
    /// Length in septets, with their escapes, or in UTF-16 units.
    pub units: u32,
    /// Length in Unicode characters (scalar values), as a person would count them.
    pub characters: u32,
    /// Parts to send. Only the empty text has none; the caller refuses it.
    pub segments: u32,
}

/// Measures a text without allocating.
///
/// Any text can be measured; lengths beyond 32 bits are reported as `u32::MAX`.
pub fn measure(text: &str) -> Measure {
    let (encoding, length) = match gsm7::length(text) {
        Some(length) => (Encoding::Gsm7, length),
        None => (Encoding::Ucs2, ucs2_length(text)),
    };
    Measure {
        encoding,
        units: bounded(length.units()),
        characters: bounded(length.characters),
        segments: bounded(segments(text, encoding, length)),
    }
}

/// How many characters a text has, and how many of them cost two units.
#[derive(Clone, Copy)]
struct Length {
    characters: usize,
    double: usize,
}

impl Length {
    fn units(self) -> usize {
        self.characters + self.double
    }
}

/// Counts characters by their first bytes, several times faster than decoding them.
/// Four-byte characters are those beyond the basic plane, which UTF-16 writes as a
/// surrogate pair.
fn ucs2_length(text: &str) -> Length {
    const CONTINUATION: std::ops::RangeInclusive<u8> = 0x80..=0xBF;
    const FIRST_OF_FOUR: u8 = 0xF0;
    Length {
        characters: count_bytes(text, |byte| !CONTINUATION.contains(&byte)),
        double: count_bytes(text, |byte| byte >= FIRST_OF_FOUR),
    }
}

/// Counts in blocks whose count fits in a byte, which compiles to dense vector code.
fn count_bytes(text: &str, counted: impl Fn(u8) -> bool) -> usize {
    const BLOCK: usize = u8::MAX as usize;
    let blocks = text.as_bytes().chunks(BLOCK);
    let in_block = |block: &[u8]| block.iter().map(|&byte| u8::from(counted(byte))).sum::<u8>();
    blocks.map(|block| usize::from(in_block(block))).sum()
}

/// The parts needed. Only a long text with two-unit characters has to be walked again to
/// see where its parts end.
fn segments(text: &str, encoding: Encoding, length: Length) -> usize {
    let units = length.units();
    if units == 0 {
        0
    } else if units <= encoding.single_limit() {
        1
    } else if length.double == 0 {
        units.div_ceil(encoding.part_limit())
    } else {
        Parts::new(text, encoding, encoding.part_limit()).count()
    }
}

fn bounded(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
