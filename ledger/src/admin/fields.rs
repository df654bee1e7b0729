//! What the values must be that people write. The errors are for them, and say what was expected.

use std::ops::RangeInclusive;

/// Characters of a name, a note or the reference of a charge at most.
pub const TEXT_CHARACTERS_MAX: usize = 200;
/// Characters of a sender line at most: no operator takes longer ones.
pub const LINE_CHARACTERS_MAX: usize = 20;
/// Sender lines of an account at most.
pub const LINES_MAX: usize = 1_000;
/// What a limit of segments a minute may be.
pub const RATE_LIMIT: RangeInclusive<u32> = 1..=100_000_000;
/// What a segment may cost, in the smallest unit: more is a slip of the pen, and a message of ten
/// segments still has a price that fits.
pub const PRICE: RangeInclusive<i64> = 0..=1_000_000_000_000;

/// A name, or a reference: some characters of one line, without white space around them.
///
/// # Errors
/// What was expected.
pub fn text(written: &str) -> Result<String, String> {
    let trimmed = written.trim();
    if (1..=TEXT_CHARACTERS_MAX).contains(&trimmed.chars().count()) && !trimmed.chars().any(char::is_control)
    {
        return Ok(trimmed.to_owned());
    }
    Err(format!("expected 1 to {TEXT_CHARACTERS_MAX} characters of one line"))
}

/// The same, or nothing.
///
/// # Errors
/// What was expected.
pub fn note(written: &str) -> Result<String, String> {
    if written.trim().is_empty() { Ok(String::new()) } else { text(written) }
}

/// A sender line.
///
/// # Errors
/// What was expected.
pub fn line(written: &str) -> Result<String, String> {
    let length = (1..=LINE_CHARACTERS_MAX).contains(&written.len());
    if length && written.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(written.to_owned());
    }
    Err(format!("expected 1 to {LINE_CHARACTERS_MAX} letters or digits"))
}

/// The place of the first line that stands in the list twice.
pub fn repeated(lines: &[String]) -> Option<usize> {
    let mut seen = std::collections::BTreeSet::new();
    lines.iter().position(|line| !seen.insert(line))
}
