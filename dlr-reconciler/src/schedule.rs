//! When an operator is asked for receipts.

use domain::time::UnixMillis;

/// Times in a schedule at most.
const TIMES_MAX: usize = 32;

/// When to ask, counted from the moment the operator took the messages.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    first_ms: i64,
    last_ms: i64,
    after_ms: Vec<i64>,
    window_ms: i64,
}

impl Schedule {
    /// From the seconds of the settings; nothing where they are none.
    pub(crate) fn new(after_s: &[u32], window_s: u32) -> Option<Self> {
        let rising = after_s.windows(2).all(|pair| pair[0] < pair[1]);
        let (first, last) = (*after_s.first()?, *after_s.last()?);
        if first == 0 || !rising || after_s.len() > TIMES_MAX {
            return None;
        }
        Some(Schedule {
            first_ms: i64::from(first) * 1_000,
            last_ms: i64::from(last) * 1_000,
            after_ms: after_s.iter().map(|seconds| i64::from(*seconds) * 1_000).collect(),
            window_ms: i64::from(window_s) * 1_000,
        })
    }

    /// When to ask for what was taken just now.
    pub(crate) fn first(&self, now: UnixMillis) -> UnixMillis {
        now.plus(self.first_ms)
    }

    /// When to ask again for what was taken at `first_at` and was asked for just now.
    /// Nothing once that would be beyond the operator's window.
    pub(crate) fn next(&self, first_at: UnixMillis, now: UnixMillis) -> Option<UnixMillis> {
        let age = now.0.saturating_sub(first_at.0);
        let planned = self.after_ms.iter().find(|after| **after > age);
        let next = planned.map_or(now.plus(self.last_ms), |after| first_at.plus(*after));
        (next.0.saturating_sub(first_at.0) <= self.window_ms).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn at(seconds: i64) -> UnixMillis {
        UnixMillis(1_795_000_000_000).plus(seconds * 1_000)
    }

    #[test]
    fn each_time_once_then_no_more() {
        let schedule = Schedule::new(&[60, 300, 84_600], 86_400).unwrap();
        assert_eq!(schedule.first(at(0)), at(60));
        assert_eq!(schedule.next(at(0), at(62)), Some(at(300)));
        assert_eq!(schedule.next(at(0), at(300)), Some(at(84_600)));
        assert_eq!(schedule.next(at(0), at(84_601)), None);
    }

    #[test]
    fn the_last_time_is_repeated_inside_the_window() {
        let schedule = Schedule::new(&[1], 10).unwrap();
        assert_eq!(schedule.first(at(0)), at(1));
        assert_eq!(schedule.next(at(0), at(3)), Some(at(4)));
        assert_eq!(schedule.next(at(0), at(9)), Some(at(10)));
        assert_eq!(schedule.next(at(0), at(10)), None);
    }

    #[test]
    fn what_is_no_schedule() {
        for seconds in [&[][..], &[0], &[5, 5], &[9, 3]] {
            assert!(Schedule::new(seconds, 60).is_none(), "{seconds:?}");
        }
    }
}
