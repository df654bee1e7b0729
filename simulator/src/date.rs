//! Dates as the operator writes them.

/// Tehran is 3:30 ahead of UTC, without daylight saving since 2022.
const TEHRAN_MS: i64 = (3 * 60 + 30) * 60_000;
const DAY_S: i64 = 86_400;

/// Appends `yyyy-mm-dd hh:mm:ss` in Tehran time for milliseconds since 1970.
pub(crate) fn push(out: &mut Vec<u8>, at_ms: i64) {
    let seconds = (at_ms + TEHRAN_MS).div_euclid(1000);
    let (year, month, day) = civil(seconds.div_euclid(DAY_S));
    let of_day = seconds.rem_euclid(DAY_S);
    push_two(out, year / 100);
    push_two(out, year % 100);
    for (before, value) in
        [(b'-', month), (b'-', day), (b' ', of_day / 3600), (b':', of_day / 60 % 60), (b':', of_day % 60)]
    {
        out.push(before);
        push_two(out, value);
    }
}

fn push_two(out: &mut Vec<u8>, value: i64) {
    let digit = |value: i64| b'0' + u8::try_from(value.rem_euclid(10)).unwrap_or(0);
    out.push(digit(value / 10));
    out.push(digit(value));
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian
/// calendar: counted in years that begin in March, so that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(at_ms: i64) -> String {
        let mut out = Vec::new();
        push(&mut out, at_ms);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_dates() {
        assert_eq!(shown(0), "1970-01-01 03:30:00");
        assert_eq!(shown(951_782_399_999), "2000-02-29 03:29:59");
        assert_eq!(shown(1_798_748_999_999), "2026-12-31 23:59:59");
        assert_eq!(shown(1_798_749_000_000), "2027-01-01 00:00:00");
        assert_eq!(shown(1_709_164_800_000), "2024-02-29 03:30:00");
    }
}
