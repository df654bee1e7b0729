//! Dates and date-times of a query: of the old gateway's local time where they have no offset.

use chrono::{DateTime, Days, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use domain::time::UnixMillis;

/// From when on: the first millisecond that is meant.
pub(super) fn begins(word: &str, local: FixedOffset) -> Option<UnixMillis> {
    match read(word, local)? {
        Read::Day(day) => midnight(day, local),
        Read::Moment(at) => Some(at),
    }
}

/// Until when: the first millisecond that is not meant any more.
pub(super) fn ends(word: &str, local: FixedOffset) -> Option<UnixMillis> {
    match read(word, local)? {
        Read::Day(day) => midnight(day.checked_add_days(Days::new(1))?, local),
        Read::Moment(at) => Some(at.plus(1)),
    }
}

enum Read {
    Day(NaiveDate),
    Moment(UnixMillis),
}

fn read(word: &str, local: FixedOffset) -> Option<Read> {
    let word = plain(word);
    if let Ok(day) = NaiveDate::parse_from_str(&word, "%Y-%m-%d") {
        return Some(Read::Day(day));
    }
    let (clock, offset) = match word.find(['+', 'Z']).or_else(|| word.rfind('-').filter(|at| *at > 10)) {
        Some(at) => (word.get(..at)?, Some(word.get(at..)?)),
        None => (word.as_str(), None),
    };
    let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let clock = formats.iter().find_map(|format| NaiveDateTime::parse_from_str(clock, format).ok())?;
    let offset = match offset {
        None => local,
        Some("Z") => FixedOffset::east_opt(0)?,
        Some(offset) => DateTime::parse_from_str(&format!("1970-01-01T00:00{offset}"), "%Y-%m-%dT%H:%M%z")
            .ok()?
            .timezone()
            .to_owned(),
    };
    moment(clock, offset).map(Read::Moment)
}

/// In ASCII digits, with `T` between date and time, and with the `+` that became a space where a
/// client did not encode it.
fn plain(word: &str) -> String {
    let ascii = |character: char| match character {
        '۰'..='۹' => char::from_digit(u32::from(character) - u32::from('۰'), 10).unwrap_or(character),
        '٠'..='٩' => char::from_digit(u32::from(character) - u32::from('٠'), 10).unwrap_or(character),
        't' => 'T',
        'z' => 'Z',
        other => other,
    };
    let mut parts = word.split(' ').filter(|part| !part.is_empty());
    let mut plain: String = parts.next().unwrap_or_default().chars().map(ascii).collect();
    for part in parts {
        if !plain.contains('T') {
            plain.push('T');
        } else if part.starts_with(|character: char| character.is_numeric()) {
            plain.push('+');
        }
        plain.extend(part.chars().map(ascii));
    }
    plain
}

fn midnight(day: NaiveDate, local: FixedOffset) -> Option<UnixMillis> {
    moment(day.and_time(NaiveTime::MIN), local)
}

fn moment(clock: NaiveDateTime, offset: FixedOffset) -> Option<UnixMillis> {
    let at = clock.and_local_timezone(offset).single()?;
    Some(UnixMillis(at.timestamp_millis()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// 2026-11-21T00:00:00Z.
    const DAY: i64 = 1_795_219_200_000;
    const HOUR: i64 = 3_600_000;

    fn tehran() -> FixedOffset {
        FixedOffset::east_opt(210 * 60).unwrap()
    }

    #[test]
    fn a_day_is_the_whole_day_where_the_gateway_is() {
        for day in ["2026-11-21", "۲۰۲۶-۱۱-۲۱"] {
            let first = DAY - 3 * HOUR - HOUR / 2;
            assert_eq!(begins(day, tehran()), Some(UnixMillis(first)), "{day}");
            assert_eq!(ends(day, tehran()), Some(UnixMillis(first + 24 * HOUR)), "{day}");
        }
    }

    #[test]
    fn a_moment_is_itself_inclusive() {
        let noon = DAY + 12 * HOUR;
        for same in [
            "2026-11-21T12:00:00Z",
            "2026-11-21T12:00Z",
            "2026-11-21 12:00:00.000z",
            "2026-11-21T15:30:00+03:30",
            "2026-11-21T15:30:00 03:30",
            "2026-11-21 15:30 +03:30",
            "2026-11-21T15:30:00+0330",
            "2026-11-21T15:30",
            "2026-11-21 15:30:00.000000",
            "2026-11-21T07:00:00-05:00",
            "2026-11-21T12:00:00+00:00",
        ] {
            assert_eq!(begins(same, tehran()), Some(UnixMillis(noon)), "{same}");
            assert_eq!(ends(same, tehran()), Some(UnixMillis(noon + 1)), "{same}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for not in [
            "",
            "x",
            "2026-13-01",
            "2026-11-31",
            "21/11/2026",
            "2026-11-21T25:00",
            "2026-11-21T12:00+99:99",
            "1795219200",
        ] {
            assert_eq!((begins(not, tehran()), ends(not, tehran())), (None, None), "{not}");
        }
    }
}
