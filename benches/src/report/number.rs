//! Numbers as people read them.

use std::fmt;
use std::time::Duration;

/// The figures here are far below 2^52.
#[allow(clippy::cast_precision_loss)]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

/// How many a second.
pub(super) fn per_second(count: u64, time: Duration) -> f64 {
    float(count) / time.as_secs_f64().max(1e-9)
}

/// How much of `amount` falls on each.
pub(super) fn share(amount: u64, count: u64) -> f64 {
    float(amount) / float(count.max(1))
}

/// `1,234,567`.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

pub(super) fn one_place(number: f64) -> String {
    format!("{number:.1}")
}

pub(super) fn two_places(number: f64) -> String {
    format!("{number:.2}")
}

/// A figure of several runs.
pub(super) struct Spread {
    sorted: Vec<f64>,
    write: fn(f64) -> String,
}

impl Spread {
    pub(super) fn new(mut of_each_run: Vec<f64>, write: fn(f64) -> String) -> Self {
        of_each_run.sort_unstable_by(f64::total_cmp);
        Spread { sorted: of_each_run, write }
    }

    /// The middle one; of an even number, the mean of the two in the middle.
    pub(super) fn median(&self) -> f64 {
        let middle = self.sorted.len() / 2;
        match self.sorted.as_slice() {
            [] => 0.0,
            sorted if sorted.len().is_multiple_of(2) => f64::midpoint(sorted[middle - 1], sorted[middle]),
            sorted => sorted[middle],
        }
    }
}

/// Two cells of a table: the median, and from lowest to highest.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write = self.write;
        match self.sorted.as_slice() {
            [lowest, .., highest] => {
                write!(f, "{} | {} – {}", write(self.median()), write(*lowest), write(*highest))
            }
            _ => write!(f, "{} |", write(self.median())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let grouped = [0.0, 999.4, 1_000.0, 1_234_567.0, -1_000.0, -100.0].map(thousands);
        assert_eq!(grouped, ["0", "999", "1,000", "1,234,567", "-1,000", "-100"]);
    }

    #[test]
    fn the_median_of_few() {
        let of = |each: &[f64]| Spread::new(each.to_vec(), thousands).to_string();
        assert_eq!(of(&[3.0, 1.0, 2.0]), "2 | 1 – 3");
        assert_eq!(of(&[4.0, 1.0]), "2 | 1 – 4");
        assert_eq!(of(&[5.0]), "5 |");
        assert_eq!(of(&[]), "0 |");
    }
}
