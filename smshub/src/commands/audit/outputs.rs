//! O1: every submitted record has its answer in the billed topic, in order, none left out.

use domain::invariant::Invariant;
use ledger::audit::{Expect, Report};
use wire::WireError;

/// The source offsets that one billed partition answers.
pub(super) struct Sources {
    place: String,
    /// The offset that is due next; not known where the log no longer has its beginning.
    due: Option<i64>,
}

impl Sources {
    /// `whole`: the log still has its beginning.
    pub(super) fn new(place: String, whole: bool) -> Self {
        Sources { place, due: whole.then_some(0) }
    }

    /// The record at `offset` answers `source`. A repetition is below what is due, and no fault.
    pub(super) fn take(&mut self, offset: i64, source: i64, report: &mut Report) {
        report.checked(Invariant::O1, 1);
        let place = &self.place;
        let due = *self.due.get_or_insert(source);
        if source > due {
            report
                .violation(Invariant::O1, || format!("{place}@{offset} answers {source}, but {due} was due"));
        }
        self.due = Some(due.max(source + 1));
    }

    /// The record at `offset` says nothing that we understand.
    pub(super) fn unreadable(&self, offset: i64, error: &WireError, report: &mut Report) {
        report.checked(Invariant::O1, 1);
        report.violation(Invariant::O1, || format!("{}@{offset}: {error}", self.place));
    }

    /// `end` is the end of the submitted partition.
    pub(super) fn ended(&self, end: i64, expect: Expect, report: &mut Report) {
        let due = self.due.unwrap_or(0);
        let place = &self.place;
        if due > end {
            report.violation(Invariant::O1, || {
                format!("{place} answers up to {due}, but submitted ends at {end}")
            });
        }
        if expect == Expect::Quiescence && due < end {
            report.violation(Invariant::O1, || {
                format!("{place} answers only up to {due}, but submitted ends at {end}")
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Violations found in a partition that answers these sources.
    fn violations(whole: bool, sources: &[i64], end: i64, expect: Expect) -> u64 {
        let mut report = Report::default();
        let mut seen = Sources::new("billed/0".to_owned(), whole);
        for (offset, source) in (0..).zip(sources) {
            seen.take(offset, *source, &mut report);
        }
        seen.ended(end, expect, &mut report);
        report.findings.get(&Invariant::O1).map_or(0, |finding| finding.violations)
    }

    #[test]
    fn first_occurrences_are_contiguous() {
        let traffic = |sources: &[i64]| violations(true, sources, 3, Expect::Traffic);
        assert_eq!(traffic(&[]), 0);
        assert_eq!(traffic(&[0, 1, 2]), 0);
        assert_eq!(traffic(&[0, 1, 0, 1, 2, 2]), 0, "repetitions of a takeover");
        assert_eq!(traffic(&[1, 2]), 1, "0 has no answer");
        assert_eq!(traffic(&[0, 2, 1]), 1, "1 came after 2");
        assert_eq!(traffic(&[0, 1, 2, 3]), 1, "3 was never submitted");
        assert_eq!(violations(false, &[7, 8, 7, 9], 10, Expect::Traffic), 0, "the log lost its beginning");
        assert_eq!(violations(false, &[7, 9], 10, Expect::Traffic), 1);
        assert_eq!(violations(true, &[0, 1], 3, Expect::Quiescence), 1, "2 has no answer at the end");
        assert_eq!(violations(true, &[0, 1, 2], 3, Expect::Quiescence), 0);
    }
}
