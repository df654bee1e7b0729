//! The forms in which recipients and senders are accepted.

/// The ten national digits (`9…`) of a mobile number written as `98…`, `+98…`, `09…` or
/// `9…`; none for anything else, which is the operator's bad recipient.
pub(crate) fn national(recipient: &str) -> Option<u64> {
    let digits = match recipient.len() {
        13 => recipient.strip_prefix("+98")?,
        12 => recipient.strip_prefix("98")?,
        11 => recipient.strip_prefix('0')?,
        10 => recipient,
        _ => return None,
    };
    if !digits.starts_with('9') || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    Some(digits.bytes().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
}

/// The operator's own way to write a mobile number, as its answers show it: `98…`.
pub(crate) fn international(national: u64) -> u64 {
    980_000_000_000 + national
}

/// Whether this can be a line: 4 to 16 digits, with or without `98` or `+98` before them.
pub(crate) fn is_line(sender: &str) -> bool {
    let digits = sender.strip_prefix('+').unwrap_or(sender);
    (4..=18).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_one_number() {
        for form in ["989120000001", "+989120000001", "09120000001", "9120000001"] {
            assert_eq!(national(form), Some(9_120_000_001), "{form}");
        }
        assert_eq!(international(9_120_000_001), 989_120_000_001);
    }

    #[test]
    fn other_forms_are_bad_recipients() {
        for form in [
            "",
            "00989120000001",
            "8120000001",
            "0912000000",
            "091200000011",
            "0912000000x",
            "۰۹۱۲۰۰۰۰۰۰۱",
            "+9891200000x1",
            "982112345678",
        ] {
            assert_eq!(national(form), None, "{form}");
        }
    }

    #[test]
    fn lines() {
        assert!(["3000123", "983000123", "+983000123", "1000"].into_iter().all(is_line));
        assert!(
            !["", "300", "COMPANY", "3000 12", "++98300", "1234567890123456789"].into_iter().any(is_line)
        );
    }
}
