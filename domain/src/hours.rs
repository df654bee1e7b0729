//! The hours of the day in which something is allowed, in one zone without daylight saving.

use crate::time::UnixMillis;

const MINUTES_OF_DAY: u16 = 24 * 60;
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = MINUTES_OF_DAY as i64 * MINUTE_MS;

/// From one minute of the day to another, each day; across midnight where the first is the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    from: u16,
    until: u16,
    /// How far the zone is ahead of UTC.
    ahead_minutes: i16,
}

impl Hours {
    /// Hours from one minute of the day to another (0 to 1,440, the end
    /// of the day), in a zone that is so many
    /// minutes ahead of UTC. Nothing where they are out of range, or the same: that could mean
    /// always, or never.
    pub fn new(from: u16, until: u16, ahead_minutes: i16) -> Option<Hours> {
        let fits = from < MINUTES_OF_DAY && until <= MINUTES_OF_DAY && ahead_minutes.abs() <= 14 * 60;
        (fits && from != until).then_some(Hours { from, until, ahead_minutes })
    }

    /// When it is allowed again; nothing where it is allowed at `now`.
    pub fn closed_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        let (from, until) = (i64::from(self.from) * MINUTE_MS, i64::from(self.until) * MINUTE_MS);
        let local = now.0.saturating_add(i64::from(self.ahead_minutes) * MINUTE_MS);
        let of_day = local.rem_euclid(DAY_MS);
        let open =
            if from < until { (from..until).contains(&of_day) } else { of_day >= from || of_day < until };
        let wait = (from - of_day).rem_euclid(DAY_MS);
        (!open).then(|| now.plus(wait))
    }
}

/// The minute of the day that `HH:MM` names, from 00:00 to 24:00.
pub fn minute_of_day(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u16>().ok()).flatten()
    };
    let (hours, minutes) = (two(hours)?, two(minutes)?);
    let minute = hours * 60 + minutes;
    (minutes < 60 && minute <= MINUTES_OF_DAY).then_some(minute)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-21T00:00:00Z.
    const MIDNIGHT: i64 = 1_795_219_200_000;

    fn utc(hours: i64, minutes: i64) -> UnixMillis {
        UnixMillis(MIDNIGHT + hours * 3_600_000 + minutes * MINUTE_MS)
    }

    #[test]
    fn advertising_waits_for_the_morning_in_tehran() {
        let hours = Hours::new(7 * 60, 22 * 60, 210).unwrap();
        // 07:00 in Tehran is 03:30 UTC, 22:00 is 18:30.
        assert_eq!(hours.closed_until(utc(3, 29)), Some(utc(3, 30)));
        assert_eq!(hours.closed_until(utc(3, 30)), None);
        assert_eq!(hours.closed_until(UnixMillis(utc(18, 30).0 - 1)), None);
        assert_eq!(hours.closed_until(utc(18, 30)), Some(utc(27, 30)));
        assert_eq!(hours.closed_until(utc(23, 0)), Some(utc(27, 30)));
    }

    #[test]
    fn hours_may_cross_midnight() {
        let hours = Hours::new(22 * 60, 6 * 60, 0).unwrap();
        assert_eq!(hours.closed_until(utc(23, 0)), None);
        assert_eq!(hours.closed_until(utc(5, 59)), None);
        assert_eq!(hours.closed_until(utc(6, 0)), Some(utc(22, 0)));
        assert_eq!(Hours::new(420, 420, 0), None);
        assert_eq!(Hours::new(0, 1_441, 0), None);
    }

    #[test]
    fn minutes_of_the_day_are_read() {
        for (text, minute) in [("00:00", 0), ("07:00", 420), ("22:30", 1_350), ("24:00", 1_440)] {
            assert_eq!(minute_of_day(text), Some(minute), "{text}");
        }
        for text in ["", "7:00", "07", "07:60", "24:01", "25:00", "-1:00", "+7:00", "07:00:00"] {
            assert_eq!(minute_of_day(text), None, "{text}");
        }
    }

    proptest! {
        /// Whatever the hours: at the time that is named it is allowed, and not a moment before.
        #[test]
        fn what_waits_may_go_then_and_not_before(
            from in 0u16..=1_440, until in 0u16..=1_440, ahead in -840i16..=840,
            now in 0i64..4_000_000_000_000, part in 0.0f64..1.0,
        ) {
            let Some(hours) = Hours::new(from, until, ahead) else { return Ok(()) };
            if let Some(opens) = hours.closed_until(UnixMillis(now)) {
                prop_assert!(opens.0 > now && opens.0 - now <= DAY_MS);
                prop_assert_eq!(hours.closed_until(opens), None);
                #[allow(clippy::cast_possible_truncation)] // a part of a day
                let between = now + ((opens.0 - now) as f64 * part) as i64;
                prop_assert_eq!(hours.closed_until(UnixMillis(between)), Some(opens));
            }
        }
    }
}
