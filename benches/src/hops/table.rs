//! The report: what is between the moments, as Markdown.

use super::journey::{Journeys, Moment};
use std::fmt::Write;

/// What the figure is about: from, to.
const WHOLE: [(Moment, Moment); 3] =
    [(Moment::Answered, Moment::Bytes), (Moment::Due, Moment::Bytes), (Moment::Due, Moment::Answered)];
/// One after the other.
const HOPS: [(Moment, Moment); 5] = [
    (Moment::Due, Moment::Submitted),
    (Moment::Submitted, Moment::Billed),
    (Moment::Billed, Moment::Intent),
    (Moment::Intent, Moment::Bytes),
    (Moment::Bytes, Moment::Outcome),
];
/// Of messages that could not be joined so many are named.
const NAMED: usize = 10;

/// Times in milliseconds, lowest first.
struct Times(Vec<i64>);

impl Times {
    fn of(mut times: Vec<i64>) -> Self {
        times.sort_unstable();
        Times(times)
    }

    /// The time that so many of a thousand did not exceed; nothing where there are none.
    fn quantile(&self, of_thousand: usize) -> Option<i64> {
        let rank = (self.0.len() * of_thousand).div_ceil(1_000);
        self.0.get(rank.saturating_sub(1)).copied()
    }
}

/// The tables, and what they do not show.
pub(crate) fn report(title: &str, journeys: &Journeys) -> String {
    let joined = journeys.joined();
    let mut out = format!("### {title}\n\n| ms | p50 | p99 | p99.9 | longest |\n|---|---|---|---|---|\n");
    let times =
        |(from, to)| Times::of(joined.iter().filter_map(|journey| journey.between(from, to)).collect());
    for (place, between) in WHOLE.into_iter().chain(HOPS).enumerate() {
        let (times, (from, to)) = (times(between), between);
        let name = format!("{} → {}", from.as_str(), to.as_str());
        let name = if place == 0 { format!("**{name}**") } else { name };
        let cells = [500, 990, 999, 1_000].map(|share| times.quantile(share));
        let cells = cells.map(|cell| cell.map_or_else(|| "–".to_owned(), |ms| ms.to_string()));
        let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
    }
    let (from, to) = WHOLE[0];
    let before = joined.iter().filter(|journey| journey.between(from, to).is_some_and(|ms| ms < 0)).count();
    let _ = writeln!(
        out,
        "\n{} messages with a 2xx. {before} were at the operator before their 2xx was at the customer: negative, and shown so.",
        journeys.len()
    );
    out.push_str(&left_out(journeys));
    for (moment, times) in journeys.repeated() {
        let _ =
            writeln!(out, "More than once for one message: {} ({times}); the first counts.", moment.as_str());
    }
    out.push('\n');
    out
}

/// Who could not be joined.
fn left_out(journeys: &Journeys) -> String {
    let left = journeys.not_joined();
    if left.is_empty() {
        return "Each was found in every place.\n".to_owned();
    }
    let mut out = format!("**{} of them could not be joined**, and are not in the table:\n\n", left.len());
    for (id, missing) in left.iter().take(NAMED) {
        let missing: Vec<&str> = missing.iter().map(|moment| moment.as_str()).collect();
        let _ = writeln!(out, "* {id}: not found: {}", missing.join(", "));
    }
    if left.len() > NAMED {
        let _ = writeln!(out, "* and {} more", left.len() - NAMED);
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::answers::Answered;
    use domain::id::MessageId;

    #[test]
    fn quantiles_are_times_that_occurred() {
        let times = Times::of((-10..990).rev().collect());
        let of = |shares: [usize; 4]| shares.map(|share| times.quantile(share).unwrap());
        assert_eq!(of([500, 990, 999, 1_000]), [489, 979, 988, 989]);
        assert_eq!(of([0, 1, 2, 3]), [-10, -10, -9, -8]);
        let few = Times::of(vec![3, 1]);
        assert_eq!([500, 501, 999].map(|share| few.quantile(share)), [Some(1), Some(3), Some(3)]);
        assert_eq!(Times::of(vec![]).quantile(500), None);
    }

    /// `n` messages a second apart; each moment of message `k` comes `k` ms after the one before.
    fn journeys(n: i64) -> Journeys {
        let id = |number: i64| MessageId::new(number << 8).unwrap();
        let due = |number: i64| number * 1_000;
        let answered: Vec<Answered> = (1..=n)
            .map(|k| Answered { id: id(k), due_us: due(k) * 1_000, answered_us: (due(k) + 3) * 1_000 })
            .collect();
        let mut journeys = Journeys::of(&answered);
        let moments = [Moment::Submitted, Moment::Billed, Moment::Intent, Moment::Bytes, Moment::Outcome];
        for k in 1..=n {
            for (moment, step) in moments.into_iter().zip(1..) {
                journeys.saw(id(k), moment, due(k) + step * k);
            }
        }
        journeys
    }

    #[test]
    fn a_line_for_the_whole_and_for_each_hop() {
        let report = report("Hops", &journeys(100));
        for line in [
            "| **2xx → bytes at the operator** | 197 | 393 | 397 | 397 |",
            "| request due → bytes at the operator | 200 | 396 | 400 | 400 |",
            "| request due → 2xx | 3 | 3 | 3 | 3 |",
            "| request due → submitted appended | 50 | 99 | 100 | 100 |",
            "| bytes at the operator → outcome appended | 50 | 99 | 100 | 100 |",
            "100 messages with a 2xx. 0 were at the operator before",
            "Each was found in every place.",
        ] {
            assert!(report.contains(line), "{line} is missing in\n{report}");
        }
        assert!(!report.contains("More than once"));
    }

    #[test]
    fn what_could_not_be_joined_or_came_again_is_told() {
        let answered: Vec<Answered> = (1..=12)
            .map(|k| Answered { id: MessageId::new(k << 8).unwrap(), due_us: 0, answered_us: 0 })
            .collect();
        let mut journeys = Journeys::of(&answered);
        journeys.saw(MessageId::new(1 << 8).unwrap(), Moment::Submitted, 1);
        journeys.saw(MessageId::new(1 << 8).unwrap(), Moment::Submitted, 1);
        let report = report("Hops", &journeys);
        for line in [
            "**12 of them could not be joined**",
            "* 256: not found: billed appended, intent appended, bytes at the operator, outcome appended\n",
            "* and 2 more",
            "| **2xx → bytes at the operator** | – | – | – | – |",
            "More than once for one message: submitted appended (1)",
        ] {
            assert!(report.contains(line), "{line} is missing in\n{report}");
        }
    }
}
