//! Cutting a text into the parts that are sent.

use super::{Encoding, measure};

/// Cuts a text into exactly the [`segments`](super::Measure::segments) that [`measure`]
/// counts: each part as full as it can be, no two-unit character cut. The parts together
/// are the text. Nothing is copied.
pub fn split(text: &str) -> Parts<'_> {
    let measure = measure(text);
    let limit = match measure.segments {
        0 | 1 => measure.encoding.single_limit(),
        _ => measure.encoding.part_limit(),
    };
    Parts::new(text, measure.encoding, limit)
}

/// The parts of a text, in order; made by [`split`].
#[derive(Clone)]
pub struct Parts<'a> {
    rest: &'a str,
    encoding: Encoding,
    limit: usize,
}

impl<'a> Parts<'a> {
    pub(super) fn new(text: &'a str, encoding: Encoding, limit: usize) -> Self {
        Parts { rest: text, encoding, limit }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() {
            return None;
        }
        let mut units = 0;
        let end = self.rest.char_indices().find_map(|(at, character)| {
            units += self.encoding.width(character);
            (units > self.limit).then_some(at)
        });
        let (part, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        Some(part)
    }
}
