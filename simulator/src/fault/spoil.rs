//! What faults make of an answer.

use super::active::Hit;
use super::word::Fault;
use crate::fate::{CUT, GARBAGE, ORDER, below, draw};

impl Hit<'_> {
    /// Which of an answer's elements are given, in which order; for faults that leave the
    /// elements alone all, as they are.
    pub(crate) fn arranged(&self, seed: u64, elements: usize) -> Vec<usize> {
        let all = 0..elements;
        let is_hit = |index: &usize| self.elements.binary_search(index).is_ok();
        match self.rule.fault {
            Fault::Partial => all.filter(|index| !is_hit(index)).collect(),
            Fault::Duplicated => {
                all.flat_map(|index| std::iter::repeat_n(index, 1 + usize::from(is_hit(&index)))).collect()
            }
            Fault::Reordered => shuffled(all.collect(), |index| draw(seed, ORDER + index, self.call)),
            _ => all.collect(),
        }
    }

    /// An answer that is none, one of five kinds.
    pub(crate) fn garbage(&self, seed: u64, answer: &[u8]) -> Vec<u8> {
        match below(seed, GARBAGE, self.call, 4) {
            0 => answer[..self.cut(seed, answer.len())].to_vec(),
            1 => b"<html><body>Bad Gateway</body></html>".to_vec(),
            2 => Vec::new(),
            3 => answer.iter().map(|octet| !octet).collect(),
            // JSON, but a status is never a text.
            _ => br#"{"status":"OK","result":[]}"#.to_vec(),
        }
    }

    /// Where to cut something of this many octets: after the first at the earliest, before
    /// the last at the latest.
    pub(crate) fn cut(&self, seed: u64, octets: usize) -> usize {
        let most = u32::try_from(octets.saturating_sub(2)).unwrap_or(u32::MAX);
        let cut = 1 + below(seed, CUT, self.call, most);
        usize::try_from(cut).unwrap_or(1).min(octets)
    }
}

/// Another order of the same: any but the one there is, where there is another.
fn shuffled(mut items: Vec<usize>, draw: impl Fn(u64) -> u64) -> Vec<usize> {
    for (index, length) in (1..=items.len()).rev().zip(1_u64..) {
        let other = draw(length) % index as u64;
        items.swap(index - 1, usize::try_from(other).unwrap_or(0));
    }
    if items.is_sorted() && items.len() > 1 {
        items.rotate_left(1);
    }
    items
}
